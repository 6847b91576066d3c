//! Which of the two forms of a listing a client prefers. RFC 9110 section 12.5.1.

use http::header::{ACCEPT, HeaderMap};

use crate::protocol::qvalue::{QValue, with_qvalues};

/// Whether a listing is sent as JSON: where `Accept` prefers it to HTML, or gives both
/// the same weight and names JSON more closely (`application/json, */*`). A client
/// that accepts neither gets the page.
pub fn wants_json(request: &HeaderMap) -> bool {
    let (mut json, mut html) = (Preference::NONE, Preference::NONE);
    for (range, qvalue) in with_qvalues(request, &ACCEPT) {
        json.consider(range, qvalue, b"application/json");
        html.consider(range, qvalue, b"text/html");
    }
    json.qvalue > QValue::NONE && (json.qvalue, json.closeness) > (html.qvalue, html.closeness)
}

/// The weight of a media type, by the closest range that names it.
struct Preference {
    qvalue: QValue,
    closeness: Closeness,
}

/// How closely a range names a type.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Closeness {
    /// No range does.
    None,
    /// `*/*`.
    Anything,
    /// `text/*`.
    Kind,
    /// `text/html`.
    Exact,
}

impl Preference {
    const NONE: Self = Self { qvalue: QValue::NONE, closeness: Closeness::None };

    /// Takes a range into account. Of two that are equally close the greater
    /// weight counts: they differ in parameters, which a listing has none of.
    fn consider(&mut self, range: &[u8], qvalue: QValue, media_type: &[u8]) {
        let slash = memchr::memchr(b'/', media_type).expect("a media type has a slash");
        let closeness = if range == b"*/*" {
            Closeness::Anything
        } else if range.eq_ignore_ascii_case(media_type) {
            Closeness::Exact
        } else if let Some(kind) = range.strip_suffix(b"*")
            && kind.eq_ignore_ascii_case(&media_type[..=slash])
        {
            Closeness::Kind
        } else {
            return;
        };
        if (closeness, qvalue) > (self.closeness, self.qvalue) {
            *self = Self { qvalue, closeness };
        }
    }
}
