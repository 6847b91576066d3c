//! From a file's name to its media type, charset included: RFC 9110 section 8.3, the IANA
//! registry, and the WHATWG's rules where browsers insist.
//!
//! The frequent types stand in a table here; for the others there is `mime_guess`, whose
//! table is old in places. Text has the charset of the scope, UTF-8 by default: every
//! `text/*`, and the formats that browsers show as text (JavaScript, JSON, XML, SVG). Types
//! of XML that belong to one vendor get none, because an XML file names its own encoding;
//! nor do the types that the scope itself adds beyond `text/*`.

use http::HeaderValue;

use crate::files::file_rules::FileRules;
use crate::protocol::coding::Coding;

/// What follows a type that is text, where the scope leaves the charset alone.
const UTF_8: &str = "; charset=utf-8";

/// The media type by the extension of `name`, a file name or a path; the case
/// of the extension does not matter. The scope's own types come first. Without a
/// known extension it is `application/octet-stream`.
///
/// ```
/// use slimhttp_site::{content_type::content_type, file_rules::FileRules};
/// let rules = FileRules::default();
/// assert_eq!(content_type("index.html", &rules), "text/html; charset=utf-8");
/// ```
pub fn content_type(name: &str, rules: &FileRules) -> HeaderValue {
    const UNKNOWN: HeaderValue = HeaderValue::from_static("application/octet-stream");
    let file = name.rsplit_once('/').map_or(name, |(_, file)| file);
    let Some(extension) = extension(file) else {
        return UNKNOWN;
    };
    if let Some(added) = added(extension, rules) {
        return added;
    }
    let charset = rules.charset.as_deref();
    if let Some(known) = frequent(extension) {
        return match (known.strip_suffix(UTF_8), charset) {
            (None, _) | (Some(_), Some("utf-8")) => HeaderValue::from_static(known),
            (Some(bare), None) => HeaderValue::from_static(bare),
            (Some(bare), Some(charset)) => with_charset(bare, charset),
        };
    }
    match (mime_guess::from_ext(extension).first_raw(), charset) {
        (Some("text/plain"), Some("utf-8")) => {
            HeaderValue::from_static("text/plain; charset=utf-8")
        }
        (Some(text), Some(charset)) if text.starts_with("text/") => with_charset(text, charset),
        (Some(other), _) => HeaderValue::from_static(other),
        (None, _) => UNKNOWN,
    }
}

/// What a file holds that is stored in a coding: the coding, and the media type of
/// what is coded. `None` for all others.
///
/// Stored so is `*.svgz`, which has no other meaning, and what the scope's
/// `content_encoding` names, by its last extension: `game.wasm.gz` is
/// WebAssembly in gzip.
///
/// ```
/// use slimhttp_site::{coding::Coding, content_type::stored, file_rules::FileRules};
/// let (coding, media_type) = stored("logo.svgz", &FileRules::default()).expect("it is");
/// assert_eq!((coding, media_type.as_bytes()), (Coding::Gzip, &b"image/svg+xml; charset=utf-8"[..]));
/// assert_eq!(stored("game.wasm.gz", &FileRules::default()), None);
/// ```
pub fn stored(path: &str, rules: &FileRules) -> Option<(Coding, HeaderValue)> {
    let file = path.rsplit_once('/').map_or(path, |(_, file)| file);
    let last = extension(file)?;
    if last.eq_ignore_ascii_case("svgz") {
        let media_type = added(last, rules).unwrap_or_else(|| content_type("_.svg", rules));
        return Some((Coding::Gzip, media_type));
    }
    let coding = Coding::of_extension(last)?;
    let inside = &file[..file.len() - last.len() - 1];
    let is_named = rules.content_encoding.take(path.as_bytes());
    is_named.then(|| (coding, content_type(inside, rules)))
}

/// The media type of what is stored in `coding`, for who gets it as it is: a file
/// of that coding, whatever it holds.
pub fn stored_type(coding: Coding, rules: &FileRules) -> HeaderValue {
    content_type(&["_", coding.extension()].join("."), rules)
}

/// The type that the scope itself has for files with this extension.
fn added(extension: &str, rules: &FileRules) -> Option<HeaderValue> {
    let mut types = rules.mime_types.iter();
    let (_, media_type) = types.find(|(added, _)| added.eq_ignore_ascii_case(extension))?;
    let bare_text = media_type.to_str().ok().filter(|text| {
        let is_text = text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("text/"));
        is_text && !text.contains(';')
    });
    Some(match (bare_text, rules.charset.as_deref()) {
        (Some(text), Some(charset)) => with_charset(text, charset),
        _ => media_type.clone(),
    })
}

/// A charset that no field can carry is left out.
fn with_charset(bare: &str, charset: &str) -> HeaderValue {
    HeaderValue::try_from(format!("{bare}; charset={charset}"))
        .or_else(|_| HeaderValue::from_str(bare))
        .unwrap_or(const { HeaderValue::from_static("application/octet-stream") })
}

/// What follows the last dot of a file's name; a leading dot makes a hidden
/// file, not an extension.
fn extension(file: &str) -> Option<&str> {
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
