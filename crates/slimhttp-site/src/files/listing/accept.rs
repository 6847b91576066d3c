//! Which of the two forms a client likes better. RFC 9110 section 12.5.1.

use http::header::{ACCEPT, HeaderMap};

use crate::protocol::weight::{Weight, weighed};

/// Whether a listing is sent as JSON: where `Accept` likes it better than HTML,
/// or equally and names it more closely (`application/json, */*`). A client that
/// likes neither gets the page.
pub fn wants_json(request: &HeaderMap) -> bool {
    let (mut json, mut html) = (Liking::NONE, Liking::NONE);
    for (range, weight) in weighed(request, &ACCEPT) {
        json.hear(range, weight, b"application/json");
        html.hear(range, weight, b"text/html");
    }
    json.weight > Weight::NONE && (json.weight, json.closeness) > (html.weight, html.closeness)
}

/// How much a client likes a media type, by the closest range that names it.
struct Liking {
    weight: Weight,
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

impl Liking {
    const NONE: Self = Self { weight: Weight::NONE, closeness: Closeness::None };

    /// Takes a range into account. Of two that are equally close the greater
    /// weight counts: they differ in parameters, which a listing has none of.
    fn hear(&mut self, range: &[u8], weight: Weight, media_type: &[u8]) {
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
        if (closeness, weight) > (self.closeness, self.weight) {
            *self = Self { weight, closeness };
        }
    }
}
