//! Parses the cookies of a request as browsers write them (RFC 6265 section 5.4) and not
//! as the grammar would have it (section 4.1.1): a value may hold blanks, quotes and letters
//! of any script.

use http::HeaderMap;
use http::header::COOKIE;

/// Names and values in the order in which they were sent; several fields are one
/// (RFC 9113 section 8.2.3). A piece without `=` is the value of a cookie without
/// a name, as in browsers; what is empty is passed over.
pub fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&[u8], &[u8])> {
    let lines = headers.get_all(COOKIE).iter();
    lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';')).filter_map(|piece| {
        let piece = piece.trim_ascii();
        let (name, value) = match memchr::memchr(b'=', piece) {
            Some(at) => (piece[..at].trim_ascii(), piece[at + 1..].trim_ascii()),
            None => (&piece[..0], piece),
        };
        (!name.is_empty() || !value.is_empty()).then_some((name, value))
    })
}

#[cfg(test)]
mod tests;
