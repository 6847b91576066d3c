//! Which of the two forms a client likes better. RFC 9110 section 12.5.1.

use http::header::{ACCEPT, HeaderMap};

/// Whether a listing is sent as JSON: where `Accept` likes it better than HTML,
/// or equally and names it more closely (`application/json, */*`). A client that
/// likes neither gets the page.
pub fn wants_json(request: &HeaderMap) -> bool {
    let (mut json, mut html) = (Liking::default(), Liking::default());
    for line in request.get_all(ACCEPT) {
        for range in Ranges(line.as_bytes()) {
            json.hear(&range, b"application", b"json");
            html.hear(&range, b"text", b"html");
        }
    }
    json.thousandths > 0 && (json.thousandths, json.precision) > (html.thousandths, html.precision)
}

/// How much a client likes a media type, by the closest of the ranges that name
/// it; nothing where none does.
#[derive(Default)]
struct Liking {
    /// 0 for `*/*`, 1 for `text/*`, 2 for `text/html;level=1`, 3 for `text/html`.
    /// Parameters say little of what has none, so the plain type is the closest.
    precision: u8,
    /// The weight, times 1000.
    thousandths: u16,
    heard: bool,
}

impl Liking {
    fn hear(&mut self, range: &Range<'_>, kind: &[u8], subtype: &[u8]) {
        let precision = match (range.kind, range.subtype) {
            (b"*", b"*") => 0,
            (named, b"*") if named.eq_ignore_ascii_case(kind) => 1,
            (named, sub)
                if named.eq_ignore_ascii_case(kind) && sub.eq_ignore_ascii_case(subtype) =>
            {
                if range.has_parameters { 2 } else { 3 }
            }
            _ => return,
        };
        if !self.heard || precision >= self.precision {
            *self = Self { precision, thousandths: range.thousandths, heard: true };
        }
    }
}

/// A media range with its weight.
struct Range<'f> {
    kind: &'f [u8],
    subtype: &'f [u8],
    has_parameters: bool,
    thousandths: u16,
}

/// The media ranges of one line. What is none is passed over.
struct Ranges<'f>(&'f [u8]);

impl<'f> Iterator for Ranges<'f> {
    type Item = Range<'f>;

    fn next(&mut self) -> Option<Range<'f>> {
        while !self.0.is_empty() {
            let member = take_until(&mut self.0, b',');
            if let Some(range) = range(member) {
                return Some(range);
            }
        }
        None
    }
}

fn range(mut member: &[u8]) -> Option<Range<'_>> {
    let media_range = take_until(&mut member, b';').trim_ascii();
    let slash = memchr::memchr(b'/', media_range)?;
    let (kind, subtype) = (&media_range[..slash], &media_range[slash + 1..]);
    let mut range = Range { kind, subtype, has_parameters: false, thousandths: 1000 };
    while !member.is_empty() {
        let parameter = take_until(&mut member, b';').trim_ascii();
        if let [b'q' | b'Q', b'=', weight @ ..] = parameter {
            range.thousandths = thousandths(weight)?;
        } else if !parameter.is_empty() {
            range.has_parameters = true;
        }
    }
    Some(range)
}

/// Takes what stands before the next `mark` outside of a quoted string, and the
/// mark.
fn take_until<'f>(rest: &mut &'f [u8], mark: u8) -> &'f [u8] {
    let (mut quoted, mut escaped) = (false, false);
    let end = rest.iter().position(|&byte| {
        if std::mem::take(&mut escaped) {
            return false;
        }
        match byte {
            b'"' => quoted = !quoted,
            b'\\' if quoted => escaped = true,
            _ => {}
        }
        byte == mark && !quoted
    });
    let end = end.unwrap_or(rest.len());
    let taken = &rest[..end];
    *rest = rest.get(end + 1..).unwrap_or_default();
    taken
}

/// A weight (RFC 9110 section 12.4.2), times 1000: a 0 or 1 and at most three
/// decimals, no more than 1 in all.
fn thousandths(weight: &[u8]) -> Option<u16> {
    let (whole, decimals) = match weight {
        [whole @ (b'0' | b'1')] => (whole, &[][..]),
        [whole @ (b'0' | b'1'), b'.', decimals @ ..] => (whole, decimals),
        _ => return None,
    };
    if decimals.len() > 3 || !decimals.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digit = |at: usize| u16::from(decimals.get(at).map_or(0, |digit| digit - b'0'));
    let value = u16::from(whole - b'0') * 1000 + digit(0) * 100 + digit(1) * 10 + digit(2);
    (value <= 1000).then_some(value)
}
