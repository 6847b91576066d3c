//! Types by name, and what no type may lack.

use super::*;

#[test]
fn c5_4_types_by_extension() {
    let cases = [
        // What browsers refuse or show wrongly under another type.
        ("index.html", "text/html; charset=utf-8"),
        ("a.css", "text/css; charset=utf-8"),
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.mjs", "text/javascript; charset=utf-8"),
        ("a.wasm", "application/wasm"),
        ("a.json", "application/json; charset=utf-8"),
        ("a.js.map", "application/json; charset=utf-8"),
        ("a.webmanifest", "application/manifest+json; charset=utf-8"),
        ("a.svg", "image/svg+xml; charset=utf-8"),
        ("a.xml", "text/xml; charset=utf-8"),
        ("a.avif", "image/avif"),
        ("a.webp", "image/webp"),
        ("a.woff", "font/woff"),
        ("a.woff2", "font/woff2"),
        ("a.otf", "font/otf"),
        ("a.mp4", "video/mp4"),
        ("a.m4a", "audio/mp4"),
        ("a.vtt", "text/vtt; charset=utf-8"),
        ("a.ts", "video/mp2t"),
        ("a.m3u8", "application/vnd.apple.mpegurl"),
        // What mime_guess knows, text with a charset.
        ("a.ics", "text/calendar; charset=utf-8"),
        ("a.c", "text/plain; charset=utf-8"),
        ("a.tiff", "image/tiff"),
        ("a.epub", "application/epub+zip"),
        ("a.flac", "audio/flac"),
        ("a.gpx", "application/gpx+xml"),
        // Names.
        ("INDEX.HTML", "text/html; charset=utf-8"),
        ("a.TIFF", "image/tiff"),
        ("releases/1.0/a.tar.gz", "application/gzip"),
        ("größe.txt", "text/plain; charset=utf-8"),
        ("v1.css/readme", "application/octet-stream"),
        ("readme", "application/octet-stream"),
        (".html", "application/octet-stream"),
        ("dir/.html", "application/octet-stream"),
        (".hidden.html", "text/html; charset=utf-8"),
        ("a.", "application/octet-stream"),
        ("", "application/octet-stream"),
        ("a.unknown", "application/octet-stream"),
        ("a.an-extension-longer-than-any", "application/octet-stream"),
        ("a.ö", "application/octet-stream"),
    ];
    for (name, expect) in cases {
        assert_eq!(content_type(name, &FileRules::default()), expect, "{name}");
    }
}

#[test]
fn c5_4_every_text_has_a_charset() {
    for extension in mime_guess::get_extensions("text", "*").unwrap() {
        let found = content_type(&format!("a.{extension}"), &FileRules::default());
        let found = found.to_str().unwrap();
        let bare = found.starts_with("text/") && !found.ends_with("; charset=utf-8");
        assert!(!bare, "{extension}: {found}");
    }
}

#[test]
fn c5_4_a_scope_has_its_own_types_and_its_own_charset() {
    let added = [
        ("js", "application/x-js"),
        ("gz", "application/x-gz"),
        ("notes", "text/x-notes"),
        ("upper", "TEXT/X-UPPER"),
        ("latin", "text/plain; charset=iso-8859-1"),
        ("data", "application/x-data"),
    ];
    let added: Vec<_> = added
        .iter()
        .map(|(extension, value)| (Box::from(*extension), HeaderValue::from_static(value)))
        .collect();
    // The name, and its type with a charset of utf-8, of koi8-r, and without.
    let cases = [
        ("a.js", "application/x-js", "application/x-js", "application/x-js"),
        ("A.JS", "application/x-js", "application/x-js", "application/x-js"),
        ("a.gz", "application/x-gz", "application/x-gz", "application/x-gz"),
        ("d/a.x.TAR.GZ", "application/x-gz", "application/x-gz", "application/x-gz"),
        (".js", "application/octet-stream", "application/octet-stream", "application/octet-stream"),
        ("a.notes", "text/x-notes; charset=utf-8", "text/x-notes; charset=koi8-r", "text/x-notes"),
        ("a.upper", "TEXT/X-UPPER; charset=utf-8", "TEXT/X-UPPER; charset=koi8-r", "TEXT/X-UPPER"),
        (
            "a.latin",
            "text/plain; charset=iso-8859-1",
            "text/plain; charset=iso-8859-1",
            "text/plain; charset=iso-8859-1",
        ),
        ("a.data", "application/x-data", "application/x-data", "application/x-data"),
        (
            "anotes",
            "application/octet-stream",
            "application/octet-stream",
            "application/octet-stream",
        ),
        ("a.html", "text/html; charset=utf-8", "text/html; charset=koi8-r", "text/html"),
        (
            "a.json",
            "application/json; charset=utf-8",
            "application/json; charset=koi8-r",
            "application/json",
        ),
        ("a.svg", "image/svg+xml; charset=utf-8", "image/svg+xml; charset=koi8-r", "image/svg+xml"),
        ("a.ics", "text/calendar; charset=utf-8", "text/calendar; charset=koi8-r", "text/calendar"),
        ("a.c", "text/plain; charset=utf-8", "text/plain; charset=koi8-r", "text/plain"),
        ("a.png", "image/png", "image/png", "image/png"),
        ("a.gpx", "application/gpx+xml", "application/gpx+xml", "application/gpx+xml"),
        ("a", "application/octet-stream", "application/octet-stream", "application/octet-stream"),
    ];
    for (name, utf_8, koi8_r, none) in cases {
        for (charset, expect) in [(Some("utf-8"), utf_8), (Some("koi8-r"), koi8_r), (None, none)] {
            let rules = FileRules {
                mime_types: added.clone().into(),
                charset: charset.map(Into::into),
                ..FileRules::default()
            };
            assert_eq!(content_type(name, &rules), expect, "{name} {charset:?}");
        }
    }
}

#[test]
fn c5_4_a_charset_that_no_field_can_carry_is_left_out() {
    let rules = FileRules { charset: Some("x\r\ny: z".into()), ..FileRules::default() };
    assert_eq!(content_type("a.html", &rules), "text/html");
}

#[test]
fn what_is_stored_in_a_coding() {
    use crate::files::glob::{Glob, Subtrees};

    let globs = ["*.wasm.gz", "/Build", "*.tar.*"].map(|text| Glob::parse(text).expect(text));
    let content_encoding = Subtrees::new(globs.into()).expect("they are short");
    let rules = FileRules {
        content_encoding,
        mime_types: [("data".into(), HeaderValue::from_static("application/x-data"))].into(),
        ..FileRules::default()
    };
    let cases = [
        ("logo.svgz", Some((Coding::Gzip, "image/svg+xml; charset=utf-8"))),
        ("a/LOGO.SVGZ", Some((Coding::Gzip, "image/svg+xml; charset=utf-8"))),
        ("game.wasm.gz", Some((Coding::Gzip, "application/wasm"))),
        ("Build/x/game.js.br", Some((Coding::Brotli, "text/javascript; charset=utf-8"))),
        ("Build/game.DATA.GZ", Some((Coding::Gzip, "application/x-data"))),
        ("Build/game.zst", Some((Coding::Zstd, "application/octet-stream"))),
        ("a.tar.gz", Some((Coding::Gzip, "application/x-tar"))),
        // Named, but in no coding; in a coding, but not named.
        ("Build/index.html", None),
        ("Build/a.zip", None),
        ("game.js.gz", None),
        ("svgz", None),
        (".svgz", None),
        ("gz/.gz", None),
    ];
    for (path, expected) in cases {
        let found = stored(path, &rules);
        let found = found.as_ref().map(|(coding, media_type)| {
            (*coding, media_type.to_str().expect("visible characters"))
        });
        assert_eq!(found, expected, "{path}");
    }
    let of = |coding| stored_type(coding, &rules);
    assert_eq!(of(Coding::Gzip), "application/gzip");
    assert_eq!(of(Coding::Zstd), "application/zstd");
    assert_eq!(of(Coding::Brotli), "application/octet-stream");
}
