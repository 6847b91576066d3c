//! The classes, and the runs that read eight bytes at once against those that read one.

use super::*;

#[test]
fn a_run_of_values_ends_where_one_of_single_bytes_does() {
    let plain = b"abcdefgh ijklmnop\xe9\xff\x80~!";
    for length in 0..plain.len() {
        for at in 0..=length {
            for byte in 0..=255 {
                let mut bytes = plain[..length].to_vec();
                bytes.insert(at, byte);
                assert_eq!(value_run(&bytes), run(&bytes, VALUE), "{}", bytes.escape_ascii());
                // A tab ends nothing.
                bytes.insert(at, b'\t');
                assert_eq!(value_run(&bytes), run(&bytes, VALUE), "{}", bytes.escape_ascii());
            }
        }
    }
}

#[test]
fn classes_hold_what_the_grammar_has() {
    for byte in 0..=255u8 {
        let tchar = byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        assert_eq!(is(byte, TOKEN), tchar, "{byte}");
        let value = byte == b'\t' || (byte >= b' ' && byte != 0x7f);
        assert_eq!(is(byte, VALUE), value, "{byte}");
        assert_eq!(is(byte, HEX), byte.is_ascii_hexdigit(), "{byte}");
        assert_eq!(is(byte, QUOTED), value && !b"\"\\".contains(&byte), "{byte}");
        // RFC 3986 sections 3.3 and 3.4; what is let through beyond it is visible ASCII.
        let unreserved = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let pchar = unreserved || b"!$&'()*+,;=:@%".contains(&byte);
        assert!(is(byte, PATH) || !(pchar || byte == b'/'), "{byte}");
        assert!(is(byte, QUERY) || !(pchar || b"/?".contains(&byte)), "{byte}");
        assert!(byte.is_ascii_graphic() || !(is(byte, PATH) || is(byte, QUERY)), "{byte}");
        assert!(!b"#<>".contains(&byte) || !(is(byte, PATH) || is(byte, QUERY)), "{byte}");
        // A name of RFC 3986 section 3.2.2, but for percent-encoding, or an address in brackets.
        let name = unreserved || b"!$&'()*+,;=:[]".contains(&byte);
        assert_eq!(is(byte, AUTHORITY), name, "{byte}");
    }
}

#[test]
fn trimming_leaves_what_is_within() {
    for (raw, trimmed) in
        [("", ""), (" \t ", ""), ("a", "a"), (" \ta b\t ", "a b"), ("\u{b}a", "\u{b}a")]
    {
        assert_eq!(trim(raw.as_bytes()), trimmed.as_bytes());
    }
}
