//! Which host a request names: by its `Host` field, by its target, or by both.

use http::Version;
use http::header::HOST;
use http::uri::Scheme;

use crate::plan::Head;
use crate::protocol::authority::Authority;
use crate::protocol::refusal::Refusal;

/// The one host that a request names (RFC 9112 section 3.2, RFC 9113 section
/// 8.3.1). `None` only in HTTP/1.0, which may leave it out.
///
/// # Errors
/// There is none, or more than one, or it is malformed.
pub fn authority<'r>(head: &Head<'r, 'r>) -> Result<Option<Authority<'r>>, Refusal> {
    let mut fields = head.headers.get_all(HOST).iter();
    let field = fields.next();
    if fields.next().is_some() {
        return Err(Refusal::BadRequest("more than one Host field"));
    }
    let parse = |raw: &'r [u8]| {
        Authority::parse(raw).map(Some).ok_or(Refusal::BadRequest("a malformed host name"))
    };
    let in_target = match head.uri.authority() {
        Some(authority) => parse(authority.as_str().as_bytes())?,
        None => None,
    };
    match (in_target, field) {
        (None, Some(field)) => parse(field.as_bytes()),
        (Some(named), None) if head.version >= Version::HTTP_2 => Ok(Some(named)),
        (Some(named), Some(field)) => {
            let other = parse(field.as_bytes())?;
            let default = head
                .uri
                .scheme()
                .map_or(443, |scheme| if *scheme == Scheme::HTTP { 80 } else { 443 });
            let same = |other: Authority<'_>| {
                other.host == named.host
                    && other.port.unwrap_or(default) == named.port.unwrap_or(default)
            };
            if other.is_some_and(same) {
                Ok(Some(named))
            } else {
                Err(Refusal::BadRequest("a Host field that disagrees with the target"))
            }
        }
        (named, None) if head.version < Version::HTTP_11 => Ok(named),
        (_, None) => Err(Refusal::BadRequest("no Host field")),
    }
}
