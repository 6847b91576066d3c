//! The head of a request that came by HTTP/2: the bounds that hold for HTTP/1, and
//! what RFC 9113 calls malformed and the engine of HTTP/2 lets pass.

use http::header::{COOKIE, HOST};
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Uri};
use slimhttp_http1::Limits;

use crate::protocol::refusal::Refusal;

/// Validates a head as the engine of HTTP/1 does, so that the same request meets the same bounds:
/// it counts as many bytes and fields as it would have there.
///
/// # Errors
/// 414, 431, or 400 where it is malformed.
pub fn validate(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    limits: &Limits,
) -> Result<(), Refusal> {
    let target = uri.path_and_query().map_or("", PathAndQuery::as_str);
    validate_target(method, target)?;
    let target = target.len();
    if target > limits.max_target {
        return Err(Refusal::UriTooLong);
    }
    // `:authority` is what `Host` is in HTTP/1.
    let authority = uri.authority().filter(|_| !headers.contains_key(HOST));
    // What HTTP/1 has on one line may be several fields here (RFC 9113 section 8.2.3).
    let crumbs = headers.get_all(COOKIE).iter().skip(1).count();
    if headers.len() - crumbs + usize::from(authority.is_some()) > limits.max_fields {
        return Err(Refusal::HeaderTooLarge);
    }
    let line = method.as_str().len() + target + "  HTTP/1.1\r\n".len();
    let field = |name: &str, value: &[u8]| name.len() + value.len() + ": \r\n".len();
    let host = authority.map_or(0, |named| field("host", named.as_str().as_bytes()));
    let fields = headers.iter().map(|(name, value)| field(name.as_str(), value.as_bytes()));
    if line + host + fields.sum::<usize>() + "\r\n".len() > limits.max_head {
        return Err(Refusal::HeaderTooLarge);
    }
    let is_blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    // RFC 9113 section 8.2.1. What is behind us might read such a value in another
    // way.
    if headers
        .values()
        .map(|value| value.as_bytes())
        .any(|value| is_blank(value.first()) || is_blank(value.last()))
    {
        return Err(Refusal::BadRequest("a field value that begins or ends with white space"));
    }
    Ok(())
}

/// Validates `:path` as the target of HTTP/1 is (RFC 9113 section 8.3.1): what is refused there
/// is refused here. What else a target may not hold (control bytes, spaces, `<`) has its stream
/// reset before. `target` is empty for `CONNECT`, which has none.
fn validate_target(method: &Method, target: &str) -> Result<(), Refusal> {
    let is_asterisk = target == "*";
    if is_asterisk && *method != Method::OPTIONS {
        return Err(Refusal::BadRequest("the target * is for OPTIONS"));
    }
    if !(is_asterisk || target.is_empty() || target.starts_with('/')) {
        return Err(Refusal::BadRequest("the target does not begin with a slash"));
    }
    if !target.is_ascii() {
        return Err(Refusal::BadRequest("a byte beyond ASCII in the target"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
