//! A folder on disk with whatever may be in one, and the responses it gets.

use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::time::{Duration, UNIX_EPOCH};

use http::HeaderName;
use http::header::{ACCEPT, IF_MATCH, IF_NONE_MATCH};
use slimhttp_site::file_rules::Compress;
use slimhttp_site::glob::Globs;
use tempfile::TempDir;

use super::*;

/// When the file was modified to which a link leads.
const SEVEN: Duration = Duration::from_secs(7);

/// As a scope says it that compresses nothing.
const PLAIN: CodingChoice = CodingChoice { coding: None, varies: false, sizes: (0, 0) };

/// The folder of one test.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().expect("a folder"))
    }

    fn file(&self, name: impl AsRef<OsStr>, content: &str) -> &Self {
        std::fs::write(self.0.path().join(name.as_ref()), content).expect("a file");
        self
    }

    fn open(&self) -> File {
        File::open(self.0.path()).expect("a folder that can be read")
    }

    fn page(&self, format: ListingFormat) -> EncodedListing {
        let root = SafePath::root();
        let text = RenderedListing::of(&self.open(), &root, b"/", format, |_| false, |_| None)
            .expect("a text");
        EncodedListing::new(format, text.etag, None, text.bytes.into())
    }
}

fn names(entries: &[Entry]) -> Vec<String> {
    let mut names: Vec<_> = entries
        .iter()
        .map(|entry| format!("{} {:?} {}", entry.name.escape_ascii(), entry.kind, entry.length))
        .collect();
    names.sort();
    names
}

#[test]
fn only_files_and_folders_that_may_be_seen_are_listed() {
    let folder = Folder::new();
    folder.file("a.txt", "12345").file(".hidden", "").file("secret", "");
    folder.file(OsStr::from_bytes(b"\xff\n"), "1");
    std::fs::create_dir(folder.0.path().join("sub")).expect("a folder");
    symlink("a.txt", folder.0.path().join("in")).expect("a link");
    symlink("/etc", folder.0.path().join("out")).expect("a link");
    symlink("nowhere", folder.0.path().join("broken")).expect("a link");
    let _socket = UnixListener::bind(folder.0.path().join("socket")).expect("a socket");
    rustix::fs::mkfifoat(rustix::fs::CWD, folder.0.path().join("fifo"), 0o600.into())
        .expect("a FIFO");

    let below = SafePath::root().join("deep").expect("a plain name");
    let url = |path: &SafePath| path.url_path();
    let withheld = |path: &SafePath| ["/deep/.hidden", "/deep/secret"].contains(&&*url(path));
    let elsewhere = Folder::new();
    let target = File::create_new(elsewhere.0.path().join("b")).expect("a file");
    target.set_len(5).and_then(|()| target.set_modified(UNIX_EPOCH + SEVEN)).expect("its facts");
    let led_to = Facts::of(&target).expect("its facts");
    let resolve = |path: &SafePath| match &*url(path) {
        "/deep/in" => Some(led_to),
        "/deep/out" | "/deep/broken" => None,
        other => panic!("{other} is no link"),
    };
    // An open folder is read from its beginning each time.
    let open = folder.open();
    for _ in 0..2 {
        let (mut entries, truncated) =
            read(&open, &below, LONGEST, withheld, resolve).expect("the folder is read");
        for entry in &mut entries {
            if entry.kind == Kind::Folder {
                entry.length = 0;
            }
            let linked = entry.name == b"in";
            assert_eq!(linked, entry.modified == 7, "{entry:?}");
        }
        let expect = ["\\xff\\n File 1", "a.txt File 5", "in File 5", "sub Folder 0"];
        assert_eq!(names(&entries), expect);
        assert!(!truncated);
    }
}

#[test]
fn entries_beyond_the_bound_are_left_out_and_it_says_so() {
    let folder = Folder::new();
    folder.file("a", "").file("b", "").file("c", "").file("withheld", "");
    let withheld = |path: &SafePath| path.url_path() == "/withheld";
    for (limit, count, more) in [(0, 0, true), (2, 2, true), (3, 3, false), (4, 3, false)] {
        let (entries, truncated) =
            read(&folder.open(), &SafePath::root(), limit, withheld, |_| None).expect("entries");
        assert_eq!((entries.len(), truncated), (count, more), "{limit}");
    }
}

#[test]
fn a_file_is_no_folder() {
    let folder = Folder::new();
    let file = File::open(folder.file("a", "").0.path().join("a")).expect("a file");
    assert!(read(&file, &SafePath::root(), 1, |_| false, |_| None).is_err());
}

#[test]
fn the_format_follows_the_request() {
    let folder = Folder::new();
    folder.file("a", "1").file("b", "22");
    let cases = [
        ("*/*", None, "text/html; charset=utf-8", "<!doctype html>"),
        (
            "application/json",
            None,
            "application/json",
            "{\"path\": \"/\", \"entries\": [\n{\"name\": \"a\"",
        ),
        (
            "application/json",
            Some("sort=size&order=desc"),
            "application/json",
            "{\"path\": \"/\", \"entries\": [\n{\"name\": \"b\"",
        ),
    ];
    for (accept, query, content_type, beginning) in cases {
        let mut request = HeaderMap::new();
        request.insert(ACCEPT, HeaderValue::from_static(accept));
        let format = ListingFormat::of_request(&request, query);
        for method in [Method::GET, Method::HEAD] {
            let response = folder.page(format).respond(&method, &request, PLAIN);
            assert_eq!(response.status(), StatusCode::OK);
            let headers = response.headers();
            assert_eq!(headers[CONTENT_TYPE], content_type);
            assert_eq!(headers[CACHE_CONTROL], "no-cache");
            assert_eq!(headers[VARY], "accept");
            let is_page = content_type.starts_with("text/html");
            assert_eq!(headers.contains_key(CONTENT_SECURITY_POLICY), is_page);
            let promised = headers[CONTENT_LENGTH].to_str().expect("a number").to_owned();
            let Body::Full(bytes) = response.into_body() else {
                assert_eq!(method, Method::HEAD);
                continue;
            };
            assert_eq!(method, Method::GET);
            assert_eq!(promised, bytes.len().to_string());
            assert!(bytes.starts_with(beginning.as_bytes()), "{bytes:?}");
        }
    }
}

#[test]
fn a_listing_has_a_tag_that_changes_with_what_it_shows() {
    let folder = Folder::new();
    folder.file("a", "1");
    let html = ListingFormat::of_request(&HeaderMap::new(), None);
    let json = ListingFormat { json: true, ..html };
    let tag = |format| folder.page(format).etag.header_value().clone();
    let first = tag(html);
    assert_eq!(first, tag(html));
    assert_ne!(first, tag(json));

    let status = |field: &HeaderName, value: &HeaderValue, method| {
        let mut request = HeaderMap::new();
        request.insert(field, value.clone());
        let response = folder.page(html).respond(&method, &request, PLAIN);
        assert!(matches!(response.body(), Body::Empty) || response.status() == StatusCode::OK);
        let tagged = response.headers().contains_key(ETAG);
        let varied = response.headers().contains_key(VARY);
        (response.status().as_u16(), tagged, varied)
    };
    let other = HeaderValue::from_static("\"other\"");
    let cases = [
        (IF_NONE_MATCH, &first, Method::GET, (304, true, true)),
        (IF_NONE_MATCH, &first, Method::HEAD, (304, true, true)),
        (IF_NONE_MATCH, &other, Method::GET, (200, true, true)),
        (IF_MATCH, &first, Method::GET, (200, true, true)),
        (IF_MATCH, &other, Method::GET, (412, false, false)),
    ];
    for (field, value, method, expect) in cases {
        assert_eq!(status(&field, value, method), expect, "{field}: {value:?}");
    }
    // Same name, another size: the tag is another one.
    folder.file("a", "22");
    assert_ne!(first, tag(html));
}

#[test]
fn a_listing_is_encoded_as_files_of_its_type_are() {
    let request = |accepted: &'static str| {
        let mut request = HeaderMap::new();
        request.insert(http::header::ACCEPT_ENCODING, HeaderValue::from_static(accepted));
        request
    };
    let html = ListingFormat::of_request(&HeaderMap::new(), None);
    let json = ListingFormat { json: true, ..html };
    let rules = FileRules::default();
    let own = |compress: Compress| FileRules { compress: Some(compress.into()), ..rules.clone() };
    let only_json = own(Compress {
        types: Globs::new(&["application/json"]).expect("a pattern"),
        ..Compress::default()
    });
    let beside = own(Compress { on_the_fly: false, ..Compress::default() });
    let off = FileRules { compress: None, ..rules.clone() };
    for (format, accepted, rules, coding, varies) in [
        (html, "gzip", &rules, Some(Coding::Gzip), true),
        (json, "gzip, br", &rules, Some(Coding::Brotli), true),
        (html, "identity", &rules, None, true),
        (json, "gzip", &only_json, Some(Coding::Gzip), true),
        (html, "gzip", &only_json, None, false),
        (html, "gzip", &beside, None, false),
        (html, "gzip", &off, None, false),
    ] {
        let choice = CodingChoice::new(format, &request(accepted), rules);
        assert_eq!((choice.coding, choice.varies), (coding, varies), "{format:?} {accepted}");
    }
    let choice = CodingChoice::new(html, &request("gzip"), &rules);
    assert_eq!(choice.of_length(1023), None);
    assert_eq!(choice.of_length(1024), Some(Coding::Gzip));
    assert_eq!(choice.of_length((8 << 20) + 1), None);

    let page =
        EncodedListing::new(html, etag_of_content(1), choice.coding, Bytes::from_static(b"x"));
    let response = page.respond(&Method::GET, &request("gzip"), choice);
    assert_eq!(response.headers()[CONTENT_ENCODING], "gzip");
    assert_eq!(response.headers()[VARY], "accept, accept-encoding");
}
