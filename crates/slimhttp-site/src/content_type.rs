//! From a file's name to its media type, charset included. RFC 9110 section
//! 8.3, the IANA registry, and the WHATWG's rules where browsers insist.
//!
//! The frequent types stand in a table here; the rest is `mime_guess`'s, whose
//! table is old in places. Text is declared UTF-8: every `text/*`, and the
//! formats that browsers show as text (JavaScript, JSON, XML, SVG). XML types of
//! one vendor are left alone, an XML file names its own encoding.

use std::borrow::Cow;

/// The media type by the extension of `name`, a file name or a path; the case
/// of the extension does not matter. Without a known extension it is
/// `application/octet-stream`.
///
/// ```
/// use slimhttp_site::content_type::content_type;
/// assert_eq!(content_type("index.html"), "text/html; charset=utf-8");
/// ```
pub fn content_type(name: &str) -> Cow<'static, str> {
    const UNKNOWN: &str = "application/octet-stream";
    let Some(extension) = extension(name) else {
        return UNKNOWN.into();
    };
    if let Some(known) = frequent(extension) {
        return known.into();
    }
    match mime_guess::from_ext(extension).first_raw() {
        Some("text/plain") => "text/plain; charset=utf-8".into(),
        Some(text) if text.starts_with("text/") => format!("{text}; charset=utf-8").into(),
        Some(other) => other.into(),
        None => UNKNOWN.into(),
    }
}

/// What follows the last dot of the last segment; a leading dot makes a hidden
/// file, not an extension.
fn extension(name: &str) -> Option<&str> {
    let file = name.rsplit_once('/').map_or(name, |(_, file)| file);
    let (stem, extension) = file.rsplit_once('.')?;
    (!stem.is_empty() && !extension.is_empty()).then_some(extension)
}

/// What most requests ask for, and what `mime_guess` has outdated or lacks.
fn frequent(extension: &str) -> Option<&'static str> {
    let mut lower = [0; 12];
    let lower = lower.get_mut(..extension.len())?;
    lower.copy_from_slice(extension.as_bytes());
    lower.make_ascii_lowercase();
    Some(match &*lower {
        // What a page is made of. JavaScript: RFC 9239.
        b"html" | b"htm" | b"shtml" => "text/html; charset=utf-8",
        b"css" => "text/css; charset=utf-8",
        b"js" | b"mjs" | b"cjs" => "text/javascript; charset=utf-8",
        b"json" | b"map" | b"topojson" => "application/json; charset=utf-8",
        b"webmanifest" => "application/manifest+json; charset=utf-8",
        b"wasm" => "application/wasm",
        b"xhtml" | b"xht" => "application/xhtml+xml; charset=utf-8",

        // Pictures.
        b"svg" => "image/svg+xml; charset=utf-8",
        b"png" => "image/png",
        b"jpg" | b"jpeg" => "image/jpeg",
        b"gif" => "image/gif",
        b"webp" => "image/webp",
        b"avif" => "image/avif",
        b"jxl" => "image/jxl",
        b"ico" | b"cur" => "image/x-icon",

        // Fonts: RFC 8081.
        b"woff2" => "font/woff2",
        b"woff" => "font/woff",
        b"ttf" => "font/ttf",
        b"otf" => "font/otf",
        b"ttc" => "font/collection",

        // Sound and film. `.ts` is a segment of a stream (RFC 8216); browsers
        // run no TypeScript.
        b"mp4" | b"m4v" => "video/mp4",
        b"webm" => "video/webm",
        b"mp3" => "audio/mpeg",
        b"m4a" => "audio/mp4",
        b"mid" | b"midi" => "audio/midi",
        b"ts" | b"m2ts" => "video/mp2t",
        b"m3u8" => "application/vnd.apple.mpegurl",

        // Text to read.
        b"txt" | b"log" | b"cts" | b"mts" | b"tsx" | b"vue" | b"go" | b"rb" | b"mdx" | b"lock"
        | b"diff" | b"patch" | b"properties" | b"java" => "text/plain; charset=utf-8",
        b"md" | b"markdown" => "text/markdown; charset=utf-8",
        b"csv" => "text/csv; charset=utf-8",
        b"vtt" => "text/vtt; charset=utf-8",
        b"vcf" => "text/vcard; charset=utf-8",
        b"pdf" => "application/pdf",

        // Data. YAML: RFC 9512.
        b"xml" | b"xsd" | b"xsl" | b"xslt" => "text/xml; charset=utf-8",
        b"atom" => "application/atom+xml; charset=utf-8",
        b"rss" => "application/rss+xml; charset=utf-8",
        b"jsonld" => "application/ld+json; charset=utf-8",
        b"geojson" => "application/geo+json; charset=utf-8",
        b"ndjson" | b"jsonl" => "application/x-ndjson; charset=utf-8",
        b"yaml" | b"yml" => "application/yaml; charset=utf-8",
        b"toml" => "application/toml; charset=utf-8",

        // Archives and packages.
        b"zip" => "application/zip",
        b"gz" | b"tgz" => "application/gzip",
        b"zst" => "application/zstd",
        b"docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        b"xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        b"pptx" => "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        b"deb" => "application/vnd.debian.binary-package",
        b"rpm" => "application/x-rpm",
        b"usdz" => "model/vnd.usdz+zip",
        b"stl" => "model/stl",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
