//! AcceptEncoding by the grammar of RFC 9110 section 12.4.2, and lists of members.

use http::HeaderValue;
use http::header::ACCEPT;

use super::*;

#[test]
fn c5_4_a_weight_has_at_most_three_decimals() {
    let cases: &[(&str, Option<u16>)] = &[
        ("0", Some(0)),
        ("1", Some(1000)),
        ("0.", Some(0)),
        ("1.", Some(1000)),
        ("0.5", Some(500)),
        ("0.05", Some(50)),
        ("0.005", Some(5)),
        ("0.999", Some(999)),
        ("1.000", Some(1000)),
        ("0.000", Some(0)),
        ("", None),
        (".5", None),
        ("00.5", None),
        ("0.1234", None),
        ("1.001", None),
        ("1.5", None),
        ("2", None),
        ("-1", None),
        ("0,5", None),
        ("0.5a", None),
        ("0x1", None),
        ("\"1\"", None),
    ];
    for (text, expect) in cases {
        assert_eq!(QValue::parse(text.as_bytes()), expect.map(QValue), "{text}");
    }
}

#[test]
fn c5_4_members_stand_in_order_and_broken_ones_are_passed_over() {
    let cases: &[(&[&str], &str)] = &[
        (&["a"], "a=1000"),
        (&["a, b;q=0.5"], "a=1000 b=500"),
        (&["a;q=0.5", "b"], "a=500 b=1000"),
        (&["a ; Q=0.5 ,b"], "a=500 b=1000"),
        (&["a;level=1;q=0.2"], "a=200"),
        (&["a;q=0.2;level=1"], "a=200"),
        (&[",, a ,"], "a=1000"),
        (&[""], ""),
        (&[";q=1"], ""),
        (&["a;q=2, b"], "b=1000"),
        (&["a;q=1;q=1, b"], "b=1000"),
        (&["a;q, b"], "b=1000"),
        (&["a;, b"], "b=1000"),
        (&["a;q= 1, b"], "b=1000"),
    ];
    for (lines, expect) in cases {
        let mut request = HeaderMap::new();
        for line in *lines {
            request.append(ACCEPT, HeaderValue::from_static(line));
        }
        let found: Vec<_> = with_qvalues(&request, &ACCEPT)
            .map(|(name, weight)| format!("{}={}", String::from_utf8_lossy(name), weight.0))
            .collect();
        assert_eq!(found.join(" "), *expect, "{lines:?}");
    }
}
