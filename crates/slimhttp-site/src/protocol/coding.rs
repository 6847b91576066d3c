//! Content codings: which of them a client accepts, and in which order of preference.
//! RFC 9110 sections 8.4 and 12.5.3.
//!
//! Deliberately absent: compressing, and the choice among files. Which codings
//! there are of a file only the server knows.

use std::cmp::Reverse;

use http::header::{ACCEPT_ENCODING, HeaderMap};
use smallvec::SmallVec;

use crate::protocol::qvalue::{QValue, with_qvalues};

#[cfg(test)]
mod tests;

/// A content coding that files are sent in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Coding {
    /// RFC 7932.
    Brotli,
    /// RFC 8878.
    Zstd,
    /// RFC 1952.
    Gzip,
}

impl Coding {
    /// Every coding, the one that makes files smallest first.
    pub const ALL: [Self; 3] = [Self::Brotli, Self::Zstd, Self::Gzip];

    /// Its name in `Content-Encoding`, from the registry of RFC 9110 section
    /// 18.6.
    pub fn token(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }

    /// The extension, without the dot, of a file that holds another one in this
    /// coding: `app.js.br` beside `app.js`.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Zstd => "zst",
            Self::Gzip => "gz",
        }
    }

    /// The coding that `extension` names, in any case.
    pub fn of_extension(extension: &str) -> Option<Self> {
        let mut codings = Self::ALL.into_iter();
        codings.find(|coding| coding.extension().eq_ignore_ascii_case(extension))
    }

    /// What the entity tag of a file ends with in this coding: a tag names one
    /// representation (RFC 9110 section 8.8.3.3).
    pub(crate) fn etag_suffix(self) -> &'static str {
        match self {
            Self::Brotli => "-br",
            Self::Zstd => "-zstd",
            Self::Gzip => "-gzip",
        }
    }

    /// The coding that `token` names, in any case. `x-gzip` is `gzip` (RFC 9110
    /// section 8.4.1.3).
    pub fn named(token: &[u8]) -> Option<Self> {
        let is = |name: &str| token.eq_ignore_ascii_case(name.as_bytes());
        match token.len() {
            2 if is("br") => Some(Self::Brotli),
            4 if is("gzip") => Some(Self::Gzip),
            4 if is("zstd") => Some(Self::Zstd),
            6 if is("x-gzip") => Some(Self::Gzip),
            _ => None,
        }
    }
}

/// Codings in the order in which they are tried.
pub type Codings = SmallVec<[Coding; 3]>;

/// Those of `offered` that the client prefers to the file as it is, or accepts as
/// well, best first: by the client's weight, equal ones in the order offered.
///
/// Without `Accept-Encoding` there is none: RFC 9110 section 12.5.3 would allow
/// any, but a client that says nothing seldom decodes anything.
pub fn acceptable(request: &HeaderMap, offered: &[Coding]) -> Codings {
    if offered.is_empty() || !request.contains_key(ACCEPT_ENCODING) {
        return Codings::new();
    }
    let preferences = AcceptEncoding::of(request);
    let least = preferences.identity();
    let weight = |coding: &Coding| preferences.coding(*coding);
    let mut accepted: Codings = offered
        .iter()
        .copied()
        .filter(|coding| weight(coding) > QValue::NONE && weight(coding) >= least)
        .collect();
    // Stable, so equal weights stay in the order offered.
    accepted.sort_by_key(|coding| Reverse(weight(coding)));
    accepted
}

/// Whether the client refuses the file as it is: `identity;q=0`, or `*;q=0` and
/// nothing about `identity`.
pub fn identity_refused(request: &HeaderMap) -> bool {
    request.contains_key(ACCEPT_ENCODING) && {
        let preferences = AcceptEncoding::of(request);
        preferences.identity.or(preferences.others) == Some(QValue::NONE)
    }
}

/// What an `Accept-Encoding` says, as far as we can send it. Of two members
/// about the same coding the first counts.
#[derive(Default)]
struct AcceptEncoding {
    brotli: Option<QValue>,
    zstd: Option<QValue>,
    gzip: Option<QValue>,
    identity: Option<QValue>,
    /// `*`: every coding that no other member names.
    others: Option<QValue>,
}

impl AcceptEncoding {
    fn of(request: &HeaderMap) -> Self {
        let mut preferences = Self::default();
        for (name, weight) in with_qvalues(request, &ACCEPT_ENCODING) {
            let place = match Coding::named(name) {
                Some(coding) => preferences.place(coding),
                None if name == b"*" => &mut preferences.others,
                None if name.eq_ignore_ascii_case(b"identity") => &mut preferences.identity,
                None => continue,
            };
            place.get_or_insert(weight);
        }
        preferences
    }

    fn place(&mut self, coding: Coding) -> &mut Option<QValue> {
        match coding {
            Coding::Brotli => &mut self.brotli,
            Coding::Zstd => &mut self.zstd,
            Coding::Gzip => &mut self.gzip,
        }
    }

    fn coding(&self, coding: Coding) -> QValue {
        let named = match coding {
            Coding::Brotli => self.brotli,
            Coding::Zstd => self.zstd,
            Coding::Gzip => self.gzip,
        };
        named.or(self.others).unwrap_or(QValue::NONE)
    }

    /// The weight below which a coding is not worth sending. Where no member
    /// speaks of `identity` it is acceptable, and less welcome than anything
    /// that was named.
    fn identity(&self) -> QValue {
        self.identity.or(self.others).unwrap_or(QValue::NONE)
    }
}
