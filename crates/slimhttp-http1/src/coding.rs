//! `Content-Length` and `Transfer-Encoding`, which give the length of content (RFC 9112 section
//! 6). Whatever two recipients could read differently is a fault.

use crate::class;
use crate::fault::Fault;

/// The value of a request's `Content-Length`: digits alone, within 64 bits. A list is none, not
/// even of equal members (RFC 9110 section 8.6 lets us refuse it).
pub(crate) fn content_length(value: &[u8]) -> Result<u64, Fault> {
    const WHY: Fault = Fault::Malformed("Content-Length is not a number");
    if value.is_empty() {
        return Err(WHY);
    }
    let length = value.iter().try_fold(0u64, |length, &byte| {
        let digit = char::from(byte).to_digit(10).ok_or(WHY)?;
        length
            .checked_mul(10)
            .and_then(|length| length.checked_add(digit.into()))
            .ok_or(Fault::Malformed("Content-Length is out of range"))
    })?;
    // HTTP libraries keep the two largest numbers for themselves.
    if length > u64::MAX - 2 { Err(Fault::ContentTooLong) } else { Ok(length) }
}

/// The value of a response's `Content-Length`: a list of equal members is one of them (RFC 9110
/// section 8.6).
pub(crate) fn content_length_list(value: &[u8]) -> Result<u64, Fault> {
    let mut lengths = value.split(|&byte| byte == b',').map(class::trim).map(content_length);
    let first = lengths.next().expect("a split has a first piece")?;
    for other in lengths {
        if other? != first {
            return Err(Fault::Malformed("Content-Length says different lengths"));
        }
    }
    Ok(first)
}

/// Accepts the one `Transfer-Encoding` that is decoded, `chunked`.
///
/// # Errors
/// [`Fault::UnknownCoding`] for other codings that end with `chunked` (RFC 9112 section 6.1);
/// [`Fault::Malformed`] where `chunked` is missing, twice, not last (section 6.3: the length of
/// the content cannot be determined) or has parameters (section 7.1), and for nonsense.
pub(crate) fn transfer_encoding(value: &[u8]) -> Result<(), Fault> {
    if value.eq_ignore_ascii_case(b"chunked") {
        return Ok(());
    }
    // A comma or semicolon within a quoted parameter splits wrongly here; what comes of it is
    // refused all the same, perhaps as the other fault.
    let mut codings = value.split(|&byte| byte == b',').map(class::trim).rev();
    let is_last_chunked = codings.next().is_some_and(|last| last.eq_ignore_ascii_case(b"chunked"));
    if !is_last_chunked {
        return Err(Fault::Malformed("Transfer-Encoding does not end with chunked"));
    }
    for coding in codings {
        let name = class::trim(coding.split(|&byte| byte == b';').next().unwrap_or_default());
        if name.is_empty() || class::run(name, class::TOKEN) < name.len() {
            return Err(Fault::Malformed("malformed Transfer-Encoding"));
        }
        if name.eq_ignore_ascii_case(b"chunked") {
            return Err(Fault::Malformed("chunked twice in Transfer-Encoding"));
        }
    }
    Err(Fault::UnknownCoding)
}

#[cfg(test)]
mod tests;
