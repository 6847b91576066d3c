//! `Vary`, to which several parts of the server add (RFC 9110 section 12.5.5).

use http::header::{self, HeaderMap, HeaderValue};

#[cfg(test)]
mod tests;

/// Adds to `Vary` the members of `value` that it lacks (RFC 9110 section
/// 12.5.5). Several lines become one; `*` takes the place of everything.
pub fn merge_vary(headers: &mut HeaderMap, value: &HeaderValue) {
    if !headers.contains_key(header::VARY) {
        headers.insert(header::VARY, value.clone());
        return;
    }
    let lines = headers.get_all(header::VARY).iter().chain([value]);
    let mut merged = Vec::new();
    let mut everything = false;
    for member in lines.flat_map(|line| line.as_bytes().split(|&byte| byte == b',')) {
        let member = member.trim_ascii();
        everything |= member == b"*";
        let mut known = merged.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
        if !member.is_empty() && !known.any(|known| known.eq_ignore_ascii_case(member)) {
            if !merged.is_empty() {
                merged.extend_from_slice(b", ");
            }
            merged.extend_from_slice(member);
        }
    }
    let merged = if everything { b"*".to_vec() } else { merged };
    // It is made of pieces of values.
    if let Ok(merged) = HeaderValue::try_from(merged) {
        headers.insert(header::VARY, merged);
    }
}
