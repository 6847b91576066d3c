//! `Content-Length` and `Transfer-Encoding`, which give the length of a body (RFC 9112
//! section 6). Whatever two recipients could read differently is a fault.

use super::class;
use crate::protocol::refusal::Refusal;

/// The value of a `Content-Length`: digits alone, within 64 bits. A list is
/// none, not even of equal members (RFC 9110 section 8.6 lets us refuse it).
pub(super) fn content_length(value: &[u8]) -> Result<u64, Refusal> {
    const WHY: Refusal = Refusal::BadRequest("Content-Length is not a number");
    if value.is_empty() {
        return Err(WHY);
    }
    let length = value.iter().try_fold(0u64, |length, &byte| {
        let digit = char::from(byte).to_digit(10).ok_or(WHY)?;
        length
            .checked_mul(10)
            .and_then(|length| length.checked_add(digit.into()))
            .ok_or(Refusal::BadRequest("Content-Length is out of range"))
    })?;
    // The library keeps the two largest numbers for itself.
    if length > u64::MAX - 2 { Err(Refusal::ContentTooLarge(u64::MAX - 2)) } else { Ok(length) }
}

/// Accepts the one `Transfer-Encoding` that this server decodes, `chunked`.
///
/// # Errors
/// 501 for other codings that end with `chunked` (RFC 9112 section 6.1); 400
/// where `chunked` is missing, twice, not last (section 6.3: the body's length
/// cannot be determined) or has parameters (section 7.1), and for nonsense.
pub(super) fn transfer_encoding(value: &[u8]) -> Result<(), Refusal> {
    if value.eq_ignore_ascii_case(b"chunked") {
        return Ok(());
    }
    // A comma or semicolon within a quoted parameter splits wrongly here; what
    // comes of it is refused all the same, perhaps as 400 instead of 501.
    let mut codings = value.split(|&byte| byte == b',').map(class::trim).rev();
    let is_last_chunked = codings.next().is_some_and(|last| last.eq_ignore_ascii_case(b"chunked"));
    if !is_last_chunked {
        return Err(Refusal::BadRequest("Transfer-Encoding does not end with chunked"));
    }
    for coding in codings {
        let name = class::trim(coding.split(|&byte| byte == b';').next().unwrap_or_default());
        if name.is_empty() || class::run(name, class::TOKEN) < name.len() {
            return Err(Refusal::BadRequest("malformed Transfer-Encoding"));
        }
        if name.eq_ignore_ascii_case(b"chunked") {
            return Err(Refusal::BadRequest("chunked twice in Transfer-Encoding"));
        }
    }
    Err(Refusal::NotImplemented)
}
