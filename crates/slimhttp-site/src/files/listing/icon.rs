//! The icons of a listing: which one stands before a name, and how they are drawn.

use super::{Entry, Kind};

/// The drawings, once for the page; [`of`] and the page name them.
pub(super) const SPRITE: &str = include_str!("icons.svg");

/// The name of the drawing that stands for an entry.
pub(super) fn of(entry: &Entry) -> &'static str {
    if entry.kind == Kind::Folder {
        return "folder";
    }
    let Some(dot) = memchr::memrchr(b'.', &entry.name) else { return "file" };
    let extension = entry.name[dot + 1..].to_ascii_lowercase();
    match &*extension {
        b"avif" | b"bmp" | b"gif" | b"heic" | b"ico" | b"jpeg" | b"jpg" | b"png" | b"svg"
        | b"tif" | b"tiff" | b"webp" => "image",
        b"aac" | b"flac" | b"m4a" | b"mp3" | b"oga" | b"ogg" | b"opus" | b"wav" => "audio",
        b"avi" | b"m4v" | b"mkv" | b"mov" | b"mp4" | b"mpeg" | b"mpg" | b"ogv" | b"webm" => "video",
        b"7z" | b"bz2" | b"deb" | b"gz" | b"iso" | b"rar" | b"rpm" | b"tar" | b"tgz" | b"whl"
        | b"xz" | b"zip" | b"zst" => "archive",
        b"c" | b"cpp" | b"css" | b"go" | b"h" | b"htm" | b"html" | b"java" | b"js" | b"json"
        | b"mjs" | b"php" | b"py" | b"rb" | b"rs" | b"sh" | b"sql" | b"toml" | b"ts" | b"tsx"
        | b"wasm" | b"xml" | b"yaml" | b"yml" => "code",
        b"csv" | b"doc" | b"docx" | b"epub" | b"log" | b"md" | b"odt" | b"pdf" | b"rst"
        | b"rtf" | b"txt" => "text",
        _ => "file",
    }
}
