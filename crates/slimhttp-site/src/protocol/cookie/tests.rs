//! Cookies as clients send them.

use http::HeaderValue;

use super::*;

#[test]
fn cookies_as_they_are_sent() {
    let cases: &[(&[&[u8]], &str)] = &[
        (&[], ""),
        (&[b""], ""),
        (&[b"a=1"], "a=1"),
        (&[b"a=1; b=2"], "a=1|b=2"),
        (&[b"a=1;b=2;"], "a=1|b=2"),
        (&[b" a = 1 ;\tb=2"], "a=1|b=2"),
        (&[b"a=1; a=2"], "a=1|a=2"),
        (&[b"a=1", b"b=2"], "a=1|b=2"),
        (&[b"a=b=c=="], "a=b=c=="),
        (&[b"a=\"x y\""], "a=\"x y\""),
        (&[b"a="], "a="),
        (&[b"flag; =v; =; ;;"], "=flag|=v"),
        (&[b"A=1; a=2"], "A=1|a=2"),
        (&["ä=ü, {\"x\": [1]}".as_bytes()], "ä=ü, {\"x\": [1]}"),
        (&[b"a=\xff"], "a=\u{fffd}"),
    ];
    for (lines, expected) in cases {
        let mut headers = HeaderMap::new();
        for line in *lines {
            headers.append(COOKIE, HeaderValue::from_bytes(line).expect("is a value"));
        }
        let text = |bytes| String::from_utf8_lossy(bytes);
        let told = pairs(&headers).map(|(name, value)| format!("{}={}", text(name), text(value)));
        assert_eq!(told.collect::<Vec<_>>().join("|"), *expected, "{lines:?}");
    }
}
