//! The pairs of a query of a request target, or of a form (WHATWG URL,
//! application/x-www-form-urlencoded).

use std::borrow::Cow;

use percent_encoding::percent_decode;

/// The pairs in order, as they were sent, both decoded. A part without `=` has an
/// empty value; empty parts are left out.
pub fn pairs(query: &[u8]) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
    query.split(|byte| *byte == b'&').filter(|part| !part.is_empty()).map(|part| {
        match part.iter().position(|byte| *byte == b'=') {
            Some(at) => (decode(&part[..at]), decode(&part[at + 1..])),
            None => (decode(part), Vec::new()),
        }
    })
}

fn decode(text: &[u8]) -> Vec<u8> {
    let spaced: Cow<'_, [u8]> = if text.contains(&b'+') {
        text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect()
    } else {
        text.into()
    };
    percent_decode(&spaced).collect()
}

#[cfg(test)]
mod tests;
