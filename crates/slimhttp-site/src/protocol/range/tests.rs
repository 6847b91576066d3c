//! RFC 9110 section 14, a case per line.

use super::*;

fn check(field: &str, length: u64, expect: &Ranges) {
    assert_eq!(&Ranges::parse(field.as_bytes(), length), expect, "{field:?} of {length}");
}

#[test]
fn c5_4_satisfiable_ranges() {
    let cases: &[(&str, u64, &[RangeInclusive<u64>])] = &[
        // RFC 9110 section 14.1.2, its own examples.
        ("bytes=0-499", 10_000, &[0..=499]),
        ("bytes=500-999", 10_000, &[500..=999]),
        ("bytes=-500", 10_000, &[9500..=9999]),
        ("bytes=9500-", 10_000, &[9500..=9999]),
        ("bytes=0-0,-1", 10_000, &[0..=0, 9999..=9999]),
        ("bytes= 0-0, -2", 10_000, &[0..=0, 9998..=9999]),
        ("bytes= 0-999, 4500-5499, -1000", 10_000, &[0..=999, 4500..=5499, 9000..=9999]),
        ("bytes=500-600,601-999", 10_000, &[500..=999]),
        ("bytes=500-700,601-999", 10_000, &[500..=999]),
        // The contract's own: it crashed the original.
        ("bytes=-3", 10, &[7..=9]),
        ("bytes=-3", 2, &[0..=1]),
        ("bytes=0-", 10, &[0..=9]),
        ("bytes=9-", 10, &[9..=9]),
        ("bytes=9-9", 10, &[9..=9]),
        ("bytes=0-10", 10, &[0..=9]),
        ("bytes=5-99999999999999999999999999", 10, &[5..=9]),
        ("bytes=-99999999999999999999999999", 10, &[0..=9]),
        ("bytes=00005-00007", 10, &[5..=7]),
        ("bytes=0-", u64::MAX, &[0..=u64::MAX - 1]),
        ("bytes=0-0,18446744073709551614-", u64::MAX, &[0..=0, u64::MAX - 1..=u64::MAX - 1]),
        // 14.1: the unit's case, blanks and empty members do not matter.
        ("BYTES=1-2", 10, &[1..=2]),
        (" bytes=1-2 ", 10, &[1..=2]),
        ("bytes=,1-2,,\t4-5 ,", 10, &[1..=2, 4..=5]),
        // Unsatisfiable members drop out.
        ("bytes=0-1,10-,-0", 10, &[0..=1]),
        // The order asked for stays; merged ranges take the earliest place.
        ("bytes=8-9,0-1", 10, &[8..=9, 0..=1]),
        ("bytes=8-9,0-1,4-5,2-3", 10, &[8..=9, 0..=5]),
        ("bytes=0-1,4-5,8-9,1-8", 10, &[0..=9]),
        ("bytes=4-5,0-0,3-6", 10, &[3..=6, 0..=0]),
        ("bytes=0-9,0-9,0-9", 10, &[0..=9]),
        ("bytes=0-0,2-2", 10, &[0..=0, 2..=2]),
    ];
    for (field, length, ranges) in cases {
        check(field, *length, &Ranges::Some(ranges.iter().cloned().collect()));
    }
}

#[test]
fn c5_4_unsatisfiable_ranges() {
    let cases = [
        ("bytes=10-", 10),
        ("bytes=10-20", 10),
        ("bytes=-0", 10),
        ("bytes=10-,11-12,-0", 10),
        ("bytes=99999999999999999999999999-", 10),
        // A representation of no bytes has no first one.
        ("bytes=0-", 0),
        ("bytes=0-0", 0),
        ("bytes=-0", 0),
    ];
    for (field, length) in cases {
        check(field, length, &Ranges::NotSatisfiable);
    }
}

#[test]
fn c5_4_ignored_ranges() {
    let fields = [
        "",
        "bytes",
        "bytes=",
        "bytes=,",
        "bytes= , ,",
        "bytes=-",
        "bytes=--1",
        "bytes=1",
        "bytes=a-b",
        "bytes=1-2-3",
        "bytes=+1-2",
        "bytes=1 -2",
        "bytes=1- 2",
        "bytes=1-2;3-4",
        "bytes=2-1",
        "bytes=0-1,2-1",
        "bytes=0-1,x",
        "bytes 0-1",
        "bytes:0-1",
        "bytes =0-1",
        "items=0-1",
        "seconds=1-2",
        "0-1",
        "=0-1",
        "bytes=0x1-2",
        "bytes=1-2\u{e9}",
        "bytes=٣-٤",
    ];
    for field in fields {
        check(field, 10, &Ranges::Whole);
    }
    // 14.1.2: a suffix longer than the representation is all of it.
    check("bytes=-5", 0, &Ranges::Whole);
    check("bytes=0-,-5", 0, &Ranges::Whole);
}

#[test]
fn c5_4_a_flood_of_ranges_is_ignored() {
    let flood = |count: usize| {
        let members: Vec<_> = (0..count).map(|n| format!("{0}-{0}", n * 2)).collect();
        Ranges::parse(format!("bytes={}", members.join(",")).as_bytes(), 1_000_000)
    };
    assert!(matches!(flood(MAX_RANGES), Ranges::Some(ranges) if ranges.len() == MAX_RANGES));
    assert_eq!(flood(MAX_RANGES + 1), Ranges::Whole);
    assert_eq!(flood(100_000), Ranges::Whole);
}

#[test]
fn c5_4_two_range_lines_are_ignored() {
    let mut request = HeaderMap::new();
    assert_eq!(Ranges::of(&request, 10), Ranges::Whole);
    request.append("range", "bytes=-3".parse().unwrap());
    assert_eq!(Ranges::of(&request, 10), Ranges::Some(smallvec![7..=9]));
    request.append("range", "bytes=0-1".parse().unwrap());
    assert_eq!(Ranges::of(&request, 10), Ranges::Whole);
}
