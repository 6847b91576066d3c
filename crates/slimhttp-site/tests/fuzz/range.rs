//! A `Range` field and the bytes that it asks for.
//!
//! The first byte of an input is the length of the representation, counted from
//! `0` of ASCII; from 200 on it is one of the greatest lengths there are.

use http::header::{HeaderMap, HeaderValue, RANGE};
use slimhttp_site::range::{MAX_RANGES, Ranges};

use crate::spelled::{Words, texts};

const WORDS: Words = [
    b"bytes=",
    b"0-",
    b"-1",
    b"0-0",
    b"5-9",
    b"1-3",
    b", ",
    b",",
    b"-0",
    b"\t",
    b"\n",
    b"18446744073709551615",
    b"18446744073709551616",
    b"99999999999999999999999",
    b"-",
    b"9-5",
    b"BYTES=",
    b"lines=",
    b"2-2,4-4,6-6,8-8",
    b",,",
    b"-18446744073709551615",
    b"00001",
    b"10-",
    b"-10",
    b"0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0",
    b" ",
    b"7-7,3-3",
    b"4-6,2-5",
    b"=",
    b"+",
    b"\xff",
    b"a",
];

pub(crate) fn check(input: &[u8]) {
    let Some((&first, rest)) = input.split_first() else { return };
    let length = match first.wrapping_sub(b'0') {
        few @ 0..200 => u64::from(few),
        many => u64::MAX - u64::from(many - 200),
    };
    for field in texts(rest, &WORDS) {
        check_field(&field, length);
    }
}

fn check_field(field: &[u8], length: u64) {
    let parsed = Ranges::parse(field, length);
    within_bounds(&parsed, length);
    if let Ok(value) = HeaderValue::from_bytes(field) {
        let request = HeaderMap::from_iter([(RANGE, value)]);
        assert_eq!(Ranges::of(&request, length), parsed);
        if length < 200 {
            assert_eq!(parsed, asked(&String::from_utf8_lossy(field), length));
        }
    }
}

/// What holds of any answer: each range lies within, and no two overlap or touch.
fn within_bounds(parsed: &Ranges, length: u64) {
    let Ranges::Some(ranges) = parsed else { return };
    assert!((1..=MAX_RANGES).contains(&ranges.len()));
    for (at, range) in ranges.iter().enumerate() {
        assert!(range.start() <= range.end() && *range.end() < length);
        for other in &ranges[at + 1..] {
            let apart = range.end().saturating_add(1) < *other.start()
                || other.end().saturating_add(1) < *range.start();
            assert!(apart, "{ranges:?}");
        }
    }
}

/// What RFC 9110 section 14.1.2 says of a field, byte by byte: which bytes are
/// asked for, and in what order their runs were first named.
fn asked(field: &str, length: u64) -> Ranges {
    let Some((unit, set)) = field.trim_matches([' ', '\t']).split_once('=') else {
        return Ranges::Whole;
    };
    let members: Vec<&str> = set
        .split(',')
        .map(|member| member.trim_matches([' ', '\t']))
        .filter(|m| !m.is_empty())
        .collect();
    let specs: Option<Vec<_>> = members.iter().map(|member| spec(member)).collect();
    let Some(specs) = specs else { return Ranges::Whole };
    let too_many = specs.len() > MAX_RANGES;
    if !unit.eq_ignore_ascii_case("bytes") || specs.is_empty() || too_many {
        return Ranges::Whole;
    }

    let index = |at: u64| usize::try_from(at).expect("only small lengths are asked for");
    let mut wanted = vec![false; index(length)];
    let mut named = Vec::new();
    for &(first, last) in &specs {
        let (start, end) = match (first, last) {
            // All of nothing is asked for: no Content-Range can say so.
            (None, Some(count)) if count > 0 && length == 0 => return Ranges::Whole,
            (None, Some(count)) => (length.saturating_sub(count), length),
            (Some(first), Some(last)) => (first, last.saturating_add(1).min(length)),
            (Some(first), None) => (first, length),
            (None, None) => unreachable!("a dash alone is no spec"),
        };
        for at in start..end {
            wanted[index(at)] = true;
            named.push(at);
        }
    }

    let mut runs = Vec::new();
    for at in named {
        let run = run_of(&wanted, at);
        if !runs.contains(&run) {
            runs.push(run);
        }
    }
    if runs.is_empty() { Ranges::NotSatisfiable } else { Ranges::Some(runs.into()) }
}

/// The wanted bytes around one of them.
fn run_of(wanted: &[bool], at: u64) -> std::ops::RangeInclusive<u64> {
    let is_wanted = |at: u64| usize::try_from(at).is_ok_and(|at| wanted.get(at) == Some(&true));
    let (mut start, mut end) = (at, at);
    while start > 0 && is_wanted(start - 1) {
        start -= 1;
    }
    while is_wanted(end + 1) {
        end += 1;
    }
    start..=end
}

/// `first-last`, `first-` or `-count`, each number as far as 64 bits go.
fn spec(member: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (first, last) = member.split_once('-')?;
    let number = |text: &str| match text {
        "" => Some(None),
        _ if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(Some(text.parse().unwrap_or(u64::MAX)))
        }
        _ => None,
    };
    match (number(first)?, number(last)?) {
        (None, None) => None,
        (Some(first), Some(last)) if first > last => None,
        spec => Some(spec),
    }
}
