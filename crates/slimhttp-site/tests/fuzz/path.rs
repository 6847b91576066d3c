//! A request target and the path on disk that it means.

use std::path::Component;

use slimhttp_site::path::{SafePath, Target};

use crate::spelled::{Words, texts};

const LONG: &[u8] = &[b'n'; 255];

const WORDS: Words = [
    b"\0",
    b"%00",
    b"%2f",
    b"%2F",
    b"%5c",
    b"%2e",
    b"%2E",
    b"..",
    b"/../",
    b"/./",
    b"\n",
    b"//",
    b"%2e%2e",
    b"%252e%252e",
    b"%c0%ae",
    b"%e9",
    b"\xc3\xa9",
    b"%",
    b"%4",
    b"%zz",
    b"?",
    b"#",
    LONG,
    b"index.html",
    b"/..;/",
    b"..\\",
    b"%20",
    b" ",
    b"\x7f",
    b"a",
    b"/",
    b"\t",
];

pub(crate) fn check(input: &[u8]) {
    for text in texts(input, &WORDS) {
        if let Ok(raw) = std::str::from_utf8(&text) {
            check_target(raw);
        }
    }
}

fn check_target(raw: &str) {
    // Most inputs are to get past the first byte.
    if !raw.starts_with('/') {
        assert!(Target::parse(raw).is_err());
    }
    let raw = &format!("/{}", raw.strip_prefix('/').unwrap_or(raw));

    let target = match (Target::parse(raw), Meant::by(raw)) {
        (Ok(target), Some(meant)) => {
            meant.check(&target);
            target
        }
        (Err(_), None) => return,
        (parsed, meant) => panic!("{raw:?}: {parsed:?}, but {meant:?}"),
    };
    let (path, query) =
        raw.split_once('?').map_or((&**raw, None), |(path, query)| (path, Some(query)));
    assert_eq!((target.raw_path, target.query), (path, query));
    if let Some(safe) = target.safe_path() {
        check_safe(&safe, &target);
    }
    check_sent_on(&target);
}

/// What holds of whatever is sent to an upstream.
fn check_sent_on(target: &Target<'_>) {
    let sent = target.sent_on();
    let again = Target::parse(&sent).expect("what is sent on can be read");
    assert_eq!((&again.path, again.query), (&target.path, target.query), "{sent}");
    assert_eq!(again.sent_on(), sent, "it is what it becomes");
    assert!(!again.raw_path.starts_with("//") && !again.raw_path.contains('\\'), "{sent}");
    let is_dots = |segment| decoded(segment).is_some_and(|name| name == b"." || name == b"..");
    assert!(!again.raw_path.split('/').any(is_dots), "{sent}");
}

/// What holds of whatever may be opened.
fn check_safe(safe: &SafePath, target: &Target<'_>) {
    for component in safe.as_path().components() {
        let Component::Normal(name) = component else { panic!("{safe:?} holds {component:?}") };
        let name = name.as_encoded_bytes();
        assert!(!name.is_empty() && name.len() <= 255, "{safe:?}");
        assert!(!name.contains(&b'/') && !name.contains(&0), "{safe:?}");
        assert!(name != b".." && name != b".", "{safe:?}");
    }

    let url = safe.url_path();
    assert!(url.starts_with('/') && !url.starts_with("//") && !url.contains('\\'), "{url}");
    assert!(url.bytes().all(|byte| byte.is_ascii_graphic()), "{url}");
    let again = Target::parse(&url).expect("what the server writes it reads");
    assert_eq!(again.safe_path().as_ref(), Some(safe), "{url}");
    assert_eq!(again.query, None, "{url}");
    // Decoded once and only once: what was read is what is written.
    let as_read = target.path.strip_suffix(b"/").unwrap_or(&target.path);
    let as_written = again.path.strip_suffix(b"/").unwrap_or(&again.path);
    assert_eq!(as_read, as_written, "{url}");
}

/// The names that a target means, by the RFC and nothing else: split, decode
/// each segment once, then walk.
#[derive(Debug)]
struct Meant {
    names: Vec<Vec<u8>>,
    is_folder: bool,
    has_encoded_slash: bool,
}

impl Meant {
    fn by(raw: &str) -> Option<Self> {
        if raw.bytes().any(|byte| byte <= b' ' || byte == 0x7f || byte == b'#') {
            return None;
        }
        let mut meant = Self { names: vec![], is_folder: false, has_encoded_slash: false };
        for segment in raw.split('?').next()?.split('/').skip(1) {
            let name = decoded(segment)?;
            meant.has_encoded_slash |= name.contains(&b'/');
            meant.is_folder = matches!(&*name, b"" | b"." | b"..");
            match &*name {
                b"" | b"." => {}
                b".." => drop(meant.names.pop()?),
                _ => meant.names.push(name),
            }
        }
        Some(meant)
    }

    fn check(&self, target: &Target<'_>) {
        let mut path: Vec<u8> =
            self.names.iter().flat_map(|name| [b"/", &**name].concat()).collect();
        if self.is_folder {
            path.push(b'/');
        }
        assert_eq!(*target.path, *path);
        assert_eq!(target.is_folder(), path.ends_with(b"/"));

        let fits = !self.has_encoded_slash && self.names.iter().all(|name| name.len() <= 255);
        let safe = target.safe_path();
        assert_eq!(safe.is_some(), fits, "{self:?}");
        if let Some(safe) = safe {
            let names: Vec<_> = safe.as_path().iter().map(|name| name.as_encoded_bytes()).collect();
            assert_eq!(names, self.names);
        }
    }
}

/// A segment with each `%xx` as its byte; `None` for a broken one and for NUL.
fn decoded(segment: &str) -> Option<Vec<u8>> {
    let mut name = Vec::new();
    let mut parts = segment.split('%');
    name.extend(parts.next()?.bytes());
    for part in parts {
        let digits =
            part.get(..2).filter(|digits| digits.bytes().all(|d| d.is_ascii_hexdigit()))?;
        let byte = u8::from_str_radix(digits, 16).ok().filter(|&byte| byte != 0)?;
        name.push(byte);
        name.extend(part[2..].bytes());
    }
    Some(name)
}
