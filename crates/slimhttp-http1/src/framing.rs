//! How the content of a message is delimited (RFC 9112 section 6).

/// Where the content of a message ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// There is none.
    #[default]
    None,
    /// Behind so many bytes, never 0.
    Length(u64),
    /// Behind the last chunk, and a trailer section.
    Chunked,
    /// With the connection: of responses only.
    UntilClose,
}
