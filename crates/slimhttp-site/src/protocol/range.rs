//! Parses `Range`: which bytes of a representation a request asks for (RFC 9110 section
//! 14).
//!
//! A `Range` that cannot be understood is ignored, as section 14.2 allows, so the answer is
//! then the whole representation.

use std::ops::RangeInclusive;

use http::header::{self, HeaderMap};
use smallvec::{SmallVec, smallvec};

/// How many ranges one request may name. Section 14.2 lets a server ignore a
/// set of "many small ranges"; section 17.15 says why: each costs a part's head.
/// Overlaps need no bound of their own, they are merged.
pub const MAX_RANGES: usize = 64;

/// What is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ranges {
    /// Everything: no range was asked for, or none that is understood.
    Whole,
    /// These bytes, zero-based and inclusive, in the order asked for. They lie
    /// within the representation; no two of them overlap or touch. Never empty.
    Some(SmallVec<[RangeInclusive<u64>; 1]>),
    /// Nothing that was asked for exists: 416.
    NotSatisfiable,
}

impl Ranges {
    /// Reads the `Range` field of a request for a representation of `length`
    /// bytes. `Range` is no list field: two lines are ignored. The caller asks
    /// only for GET (section 14.2).
    pub fn of(request: &HeaderMap, length: u64) -> Self {
        let mut lines = request.get_all(header::RANGE).iter();
        match (lines.next(), lines.next()) {
            (Some(line), None) => Self::parse(line.as_bytes(), length),
            _ => Self::Whole,
        }
    }

    /// Reads the value of a `Range` field for a representation of `length`
    /// bytes.
    ///
    /// An empty representation has no byte that a `Content-Range` could name:
    /// `-5` of it is all of it ([`Ranges::Whole`], section 14.1.2), `0-` is not
    /// satisfiable.
    pub fn parse(field: &[u8], length: u64) -> Self {
        let Some(set) = byte_set(field.trim_ascii()) else {
            return Self::Whole;
        };
        let mut ranges: SmallVec<[RangeInclusive<u64>; 1]> = smallvec![];
        let (mut named, mut everything) = (0, false);
        // Empty members are legal (section 5.6.1.2).
        for member in set.split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
            if member.is_empty() {
                continue;
            }
            named += 1;
            let Some(spec) = Spec::parse(member) else {
                return Self::Whole;
            };
            if named > MAX_RANGES {
                return Self::Whole;
            }
            match spec.within(length) {
                Within::Nothing => {}
                Within::Everything => everything = true,
                Within::Bytes(range) => join(&mut ranges, range),
            }
        }
        match (named, everything, ranges.is_empty()) {
            (0, ..) | (_, true, _) => Self::Whole,
            (_, _, true) => Self::NotSatisfiable,
            _ => Self::Some(ranges),
        }
    }
}

/// One member of the set, as written (section 14.1.1).
enum Spec {
    /// `first-` and `first-last`.
    From(u64, u64),
    /// `-length`.
    Last(u64),
}

/// What of a representation a member names.
enum Within {
    Nothing,
    /// All of an empty representation.
    Everything,
    Bytes(RangeInclusive<u64>),
}

impl Spec {
    fn parse(member: &[u8]) -> Option<Self> {
        let dash = memchr::memchr(b'-', member)?;
        match (&member[..dash], &member[dash + 1..]) {
            ([], length) => Some(Self::Last(number(length)?)),
            (first, []) => Some(Self::From(number(first)?, u64::MAX)),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                // Section 14.1.1: such a range is invalid, and so is its set.
                (first <= last).then_some(Self::From(first, last))
            }
        }
    }

    fn within(self, length: u64) -> Within {
        match (self, length.checked_sub(1)) {
            (Self::Last(0), _) | (Self::From(..), None) => Within::Nothing,
            (Self::Last(_), None) => Within::Everything,
            (Self::Last(count), Some(end)) => Within::Bytes(length.saturating_sub(count)..=end),
            (Self::From(first, _), Some(end)) if first > end => Within::Nothing,
            (Self::From(first, last), Some(end)) => Within::Bytes(first..=last.min(end)),
        }
    }
}

/// What follows `bytes=`; range units are case-insensitive (section 14.1).
fn byte_set(field: &[u8]) -> Option<&[u8]> {
    let (unit, set) = field.split_at_checked(b"bytes=".len())?;
    unit.eq_ignore_ascii_case(b"bytes=").then_some(set)
}

/// Digits only. What is too large for a `u64` lies behind every representation,
/// as `u64::MAX` does.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |sum, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        Some(sum.saturating_mul(10).saturating_add(digit))
    })
}

/// Adds a range and merges what overlaps or touches it; the union takes the
/// place of the earliest (section 15.3.7.2 keeps the order asked for).
///
/// One pass is enough: the ranges there do not touch each other, so a union
/// touches none that the new range does not touch itself.
fn join(ranges: &mut SmallVec<[RangeInclusive<u64>; 1]>, new: RangeInclusive<u64>) {
    // Ends are below `u64::MAX`: they are less than a length.
    let touches = |old: &RangeInclusive<u64>| {
        *old.start() <= *new.end() + 1 && *new.start() <= *old.end() + 1
    };
    let Some(place) = ranges.iter().position(touches) else {
        ranges.push(new);
        return;
    };
    let mut union = new.clone();
    ranges.retain(|old| {
        let merge = touches(old);
        if merge {
            union = *union.start().min(old.start())..=*union.end().max(old.end());
        }
        !merge
    });
    ranges.insert(place, union);
}

#[cfg(test)]
mod tests;
