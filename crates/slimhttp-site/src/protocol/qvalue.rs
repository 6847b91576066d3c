//! Quality values: lists whose members bear a weight, `Accept`, `Accept-Encoding` and
//! their like. RFC 9110 sections 5.6.1 and 12.4.2.
//!
//! A member that breaks the grammar says nothing and is passed over; the others
//! stand. A comma or semicolon within a quoted parameter splits wrongly, and
//! what comes of it is passed over too.

use http::header::{HeaderMap, HeaderName};

#[cfg(test)]
mod tests;

/// How much something is preferred: thousandths, from 0 (not acceptable) to 1000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct QValue(u16);

impl QValue {
    /// Not acceptable.
    pub(crate) const NONE: Self = Self(0);
    /// What a member without a weight has.
    pub(crate) const FULL: Self = Self(1000);

    /// Reads a `qvalue`: `0`, `1`, or one of them with up to three decimals,
    /// and at most one.
    fn parse(text: &[u8]) -> Option<Self> {
        let (whole, decimals) = match text {
            [whole] => (whole, &[][..]),
            [whole, b'.', decimals @ ..] if decimals.len() <= 3 => (whole, decimals),
            _ => return None,
        };
        let mut thousandths = match whole {
            b'0' => 0,
            b'1' => 1000,
            _ => return None,
        };
        for (digit, unit) in decimals.iter().zip([100, 10, 1]) {
            if !digit.is_ascii_digit() {
                return None;
            }
            thousandths += u16::from(digit - b'0') * unit;
        }
        (thousandths <= 1000).then_some(Self(thousandths))
    }
}

/// The members of a list field with their weights, in the order in which they
/// stand. The lines of the field are one list. Parameters other than the weight
/// are left out.
pub(crate) fn with_qvalues<'h>(
    request: &'h HeaderMap,
    field: &HeaderName,
) -> impl Iterator<Item = (&'h [u8], QValue)> {
    let lines = request.get_all(field).into_iter();
    lines.flat_map(|line| line.as_bytes().split(|&byte| byte == b',')).filter_map(member)
}

/// What a member names and its weight, or `None` where it breaks the grammar or
/// is empty, which a list may have (RFC 9110 section 5.6.1.2).
fn member(text: &[u8]) -> Option<(&[u8], QValue)> {
    let mut parameters = text.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
    let name = parameters.next().filter(|name| !name.is_empty())?;
    let mut weight = None;
    for parameter in parameters {
        let equals = memchr::memchr(b'=', parameter)?;
        let (key, value) = (&parameter[..equals], &parameter[equals + 1..]);
        if key.eq_ignore_ascii_case(b"q") {
            // Twice is no weight at all.
            if weight.is_some() {
                return None;
            }
            weight = Some(QValue::parse(value)?);
        }
    }
    Some((name, weight.unwrap_or(QValue::FULL)))
}
