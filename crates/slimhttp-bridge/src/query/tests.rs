//! Queries and their pairs.

use super::pairs;

#[test]
fn c8_2_a_query_is_its_decoded_pairs() {
    let cases: &[(&str, &[(&str, &str)])] = &[
        ("", &[]),
        ("a=1", &[("a", "1")]),
        ("a=1&b=2", &[("a", "1"), ("b", "2")]),
        ("a=1&A=2", &[("a", "1"), ("A", "2")]),
        ("a", &[("a", "")]),
        ("a=", &[("a", "")]),
        ("=1", &[("", "1")]),
        ("&&a=1&", &[("a", "1")]),
        ("a=b=c", &[("a", "b=c")]),
        ("a=x+y%20z", &[("a", "x y z")]),
        ("a+b=%2B", &[("a b", "+")]),
        ("a=%26%3d", &[("a", "&=")]),
        ("a=%", &[("a", "%")]),
        ("a=%zz", &[("a", "%zz")]),
        ("N%C3%84me=%C3%BC", &[("N\u{c4}me", "\u{fc}")]),
        ("a;b=1", &[("a;b", "1")]),
    ];
    for (query, expected) in cases {
        let found: Vec<_> = pairs(query.as_bytes())
            .map(|pair| {
                let text = |bytes| String::from_utf8(bytes).expect("is UTF-8");
                (text(pair.0), text(pair.1))
            })
            .collect();
        let expected: Vec<_> =
            expected.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        assert_eq!(found, expected, "{query}");
    }
}
