//! Tokens of challenges. They become names of files and are asked for by strangers, so both sides
//! take only what RFC 8555 section 8.1 allows: base64url without padding.

/// The longest token; usual ones have 43 bytes.
const LONGEST: usize = 128;

/// Whether a text is a token.
pub(crate) fn is_token(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(fits)
}

/// Whether a text is a name that a client may send in a handshake, in small letters. It becomes
/// the name of a file.
pub(crate) fn is_server_name(text: &str) -> bool {
    let fits = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.'
    };
    (1..=253).contains(&text.len()) && text.bytes().all(fits) && !text.split('.').any(str::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_base64url_and_nothing_else() {
        for (text, expected) in [
            ("LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0", true),
            ("a-_9", true),
            ("", false),
            (".", false),
            ("..", false),
            ("../key", false),
            ("a/b", false),
            ("a.b", false),
            ("a=", false),
            ("a\0", false),
            ("ä", false),
        ] {
            assert_eq!(is_token(text), expected, "{text}");
        }
        assert!(is_token(&"a".repeat(LONGEST)) && !is_token(&"a".repeat(LONGEST + 1)));
    }

    #[test]
    fn a_server_name_leads_nowhere() {
        for (text, expected) in [
            ("a.example", true),
            ("1.0.0.127.in-addr.arpa", true),
            ("", false),
            (".", false),
            ("..", false),
            ("a..b", false),
            ("a.example.", false),
            ("A.example", false),
            ("a/b", false),
            ("*.a.example", false),
        ] {
            assert_eq!(is_server_name(text), expected, "{text}");
        }
    }
}
