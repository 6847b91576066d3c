//! `Max-Forwards`: how far a request of `OPTIONS` or `TRACE` is to go (RFC 9110 section 7.6.2).
//! The plan asks before a request is forwarded, and what is forwarded has one step less.

use http::header::{HeaderMap, MAX_FORWARDS};
use http::{HeaderValue, Method};

/// How many servers may forward a request that came with these fields; `None` where it does
/// not say, or cannot: of other methods the field is left as it is, and what is no number says
/// nothing.
pub(crate) fn of(method: &Method, headers: &HeaderMap) -> Option<u64> {
    if !matches!(*method, Method::OPTIONS | Method::TRACE) {
        return None;
    }
    let mut lines = headers.get_all(MAX_FORWARDS).iter();
    let (Some(line), None) = (lines.next(), lines.next()) else { return None };
    let digits = line.as_bytes();
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    // What no number holds is more than any request is forwarded.
    is_number.then(|| line.to_str().ok()?.parse().ok()).map(|number| number.unwrap_or(u64::MAX))
}

/// Takes this server's step off the fields of a request that is forwarded.
pub(crate) fn decrement(method: &Method, headers: &mut HeaderMap) {
    if let Some(left) = of(method, headers) {
        headers.insert(MAX_FORWARDS, HeaderValue::from(left.saturating_sub(1)));
    }
}

#[cfg(test)]
mod tests;
