//! What the field says, and what is left of it.

use http::Method;
use http::header::{HeaderMap, MAX_FORWARDS};

use super::{decrement, of};

fn headers(lines: &[&str]) -> HeaderMap {
    let lines = lines.iter().map(|line| (MAX_FORWARDS, line.parse().expect("a value of a test")));
    let mut headers = HeaderMap::new();
    lines.for_each(|(name, value)| {
        headers.append(name, value);
    });
    headers
}

#[test]
fn it_counts_for_options_and_trace() {
    for (lines, expected, left) in [
        (&["0"][..], Some(0), &["0"][..]),
        (&["1"], Some(1), &["0"]),
        (&["10"], Some(10), &["9"]),
        (&["007"], Some(7), &["6"]),
        (&["99999999999999999999"], Some(u64::MAX), &["18446744073709551614"]),
        (&[], None, &[]),
        (&[""], None, &[""]),
        (&["-1"], None, &["-1"]),
        (&["+1"], None, &["+1"]),
        (&["1, 2"], None, &["1, 2"]),
        (&["1", "2"], None, &["1", "2"]),
        (&["x"], None, &["x"]),
    ] {
        for method in [Method::OPTIONS, Method::TRACE] {
            let mut sent = headers(lines);
            assert_eq!(of(&method, &sent), expected, "{method} {lines:?}");
            decrement(&method, &mut sent);
            let found: Vec<_> = sent.get_all(MAX_FORWARDS).iter().collect();
            assert_eq!(found, left, "{method} {lines:?}");
        }
    }
    for method in [Method::GET, Method::HEAD, Method::POST, Method::CONNECT] {
        let mut sent = headers(&["3"]);
        assert_eq!(of(&method, &sent), None, "{method}");
        decrement(&method, &mut sent);
        assert_eq!(sent, headers(&["3"]), "{method}");
    }
}
