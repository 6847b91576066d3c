//! Header fields whose value is a comma-separated list (RFC 9110 section 5.6.1).

use http::header::{HeaderMap, HeaderName};

/// The members of a list field, all its lines together. None is empty. A comma
/// within quotes is taken for one between members: only for fields that have none.
pub fn members<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'h [u8]> + use<'h> {
    headers.get_all(name).into_iter().flat_map(|line| list(line.as_bytes()))
}

/// Whether `wanted` is a member of a list field, in letters of either case.
pub fn names(headers: &HeaderMap, name: &HeaderName, wanted: &str) -> bool {
    members(headers, name).any(|member| member.eq_ignore_ascii_case(wanted.as_bytes()))
}

/// The members in one line.
pub(crate) fn list(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|member| !member.is_empty())
}
