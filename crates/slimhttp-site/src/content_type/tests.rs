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
        assert_eq!(content_type(name), expect, "{name}");
    }
}

#[test]
fn c5_4_every_text_has_a_charset() {
    for extension in mime_guess::get_extensions("text", "*").unwrap() {
        let found = content_type(&format!("a.{extension}"));
        let bare = found.starts_with("text/") && !found.ends_with("; charset=utf-8");
        assert!(!bare, "{extension}: {found}");
    }
}

#[test]
fn frequent_types_cost_no_allocation() {
    for name in ["a.html", "a.css", "a.js", "a.json", "a.svg", "a.png", "a.woff2", "a.txt", "a.bin"]
    {
        assert!(matches!(content_type(name), Cow::Borrowed(_)), "{name}");
    }
}
