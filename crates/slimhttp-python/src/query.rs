//! The query of a request target as its pairs, decoded as forms encode them
//! (WHATWG URL, application/x-www-form-urlencoded).

use std::borrow::Cow;

use percent_encoding::percent_decode;

/// The pairs in order: names in lower case, both decoded. A part without `=`
/// has an empty value; empty parts are left out.
pub(crate) fn pairs(query: &str) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
    query.split('&').filter(|part| !part.is_empty()).map(|part| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (decode(name).to_ascii_lowercase(), decode(value))
    })
}

fn decode(text: &str) -> Vec<u8> {
    let spaced: Cow<'_, [u8]> = if text.contains('+') {
        text.replace('+', " ").into_bytes().into()
    } else {
        text.as_bytes().into()
    };
    percent_decode(&spaced).collect()
}

#[cfg(test)]
#[path = "query/tests.rs"]
mod tests;
