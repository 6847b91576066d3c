//! How the content of a message is delimited (RFC 9112 section 6).

/// Where the content of a message ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// There is none (section 6.3, rules 1, 2 and 7), or its length is 0.
    #[default]
    None,
    /// Behind so many bytes, never 0 (section 6.2).
    Length(u64),
    /// Behind the last chunk, and a trailer section (section 7.1).
    Chunked,
    /// With the connection: of responses only (section 6.3, rule 8).
    UntilClose,
}
