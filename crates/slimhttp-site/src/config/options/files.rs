//! The options about files, and about every answer of a scope: they stand at the
//! global level and in any virtual host. One uniform list.

use super::{OptionSpec, SYMLINKS, Shape, everywhere};

/// A week: no earlier release is pinned for longer.
const WEEK: f64 = 604_800.0;

pub(super) const FILES: &[OptionSpec] = &[
    // Which files are found, and under which names.
    OptionSpec {
        default: "none",
        doc: "What is tried in this order instead of the path alone; `{path}` is the path asked for, \
              an entry that ends with a slash is that folder's index, `=404` ends the list.",
        aliases: &["tryfiles", "try"],
        ..everywhere("try_files", Shape::TryFiles)
    },
    OptionSpec {
        default: "none",
        doc: "The page that answers where a browser opens a path that is not there, with status 200; \
              a missing script, style or picture stays 404.",
        aliases: &["spa", "single_page", "fallback_resource", "history_fallback", "page_fallback"],
        ..everywhere("fallback", Shape::PathBelow)
    },
    OptionSpec {
        default: "`false`",
        doc: "Whether `/about` finds `about.html`, and `/about.html` is redirected to `/about`.",
        aliases: &["trailing_slash", "pretty_urls", "multi_views", "html_extension"],
        ..everywhere("clean_urls", Shape::Bool)
    },
    OptionSpec {
        default: "`false`",
        doc: "Whether a folder without an index is answered by a list of what is in it.",
        aliases: &["autoindex", "browse", "directory_listing", "dir_listing", "show_index"],
        ..everywhere("listing", Shape::Bool)
    },
    OptionSpec {
        default: "`false`",
        doc: "Whether names that begin with a dot are served and listed. `/.well-known` always is.",
        aliases: &["hidden", "hidden_files", "show_hidden", "ignore_hidden_files"],
        ..everywhere("dotfiles", Shape::Bool)
    },
    OptionSpec {
        default: "none",
        doc: "A glob, or globs, of what is neither served nor listed.",
        aliases: &["hide", "deny", "ignore", "index_ignore"],
        ..everywhere("exclude", Shape::Globs)
    },
    OptionSpec {
        default: "`inside`",
        doc: "Which symbolic links are followed: those that stay below `web_root` (`inside`, `true`), \
              or none (`never`, `false`).",
        aliases: &["symlinks", "disable_symlinks", "follow_sym_links"],
        ..everywhere("follow_symlinks", Shape::Switch(SYMLINKS))
    },
    // What is said of them.
    OptionSpec {
        default: "none",
        doc: "The value of `Cache-Control`: one for all files, or one for each glob.",
        aliases: &["expires", "cache", "max_age", "cache_max_age", "expires_by_type"],
        ..everywhere("cache_control", Shape::CacheControl)
    },
    OptionSpec {
        default: "`false`",
        doc: "Whether files with a fingerprint in their name (`app.3f9c2b1a.js`) are said never to \
              change; `cache_control` wins.",
        aliases: &["immutable_files", "fingerprints", "hashed_assets"],
        ..everywhere("immutable", Shape::Bool)
    },
    OptionSpec {
        default: "none",
        doc: "Header fields of files, by glob: a text sets the field, a list adds to it, `false` takes \
              it away. Every glob that matches applies, the longest last.",
        aliases: &["header", "headers", "custom_headers"],
        ..everywhere("file_headers", Shape::FieldsByGlob)
    },
    OptionSpec {
        default: "none",
        doc: "Media types by extension, before the built-in ones.",
        aliases: &["mimetypes", "mime", "types", "add_type", "content_types", "default_type"],
        ..everywhere("mime_types", Shape::MediaTypes)
    },
    OptionSpec {
        default: "`utf-8`",
        doc: "The charset of text; `false` says none.",
        aliases: &["default_charset", "add_default_charset", "encoding", "source_charset"],
        ..everywhere("charset", Shape::Charset)
    },
    // How they are sent and kept.
    OptionSpec {
        default: "none",
        doc: "A glob, or globs, of files that are stored compressed (`*.wasm.gz`): they are sent with \
              the `Content-Encoding` that their last extension names, and the type of what they hold.",
        aliases: &["add_encoding", "content_encodings", "encoded_files", "stored_compressed"],
        ..everywhere("content_encoding", Shape::Globs)
    },
    OptionSpec {
        default: "`true`",
        doc: "Whether files, and what handlers answer, are sent compressed to whom accepts it, or a table \
              that says how.",
        aliases: &["compression", "gzip", "brotli", "zstd", "deflate", "encode", "gzip_static"],
        ..everywhere("compress", Shape::Compress)
    },
    OptionSpec {
        default: "`true`",
        doc: "Whether small files are kept in memory, or a table of bounds.",
        aliases: &["open_file_cache", "memory_cache", "cache_files", "file_cache_size"],
        ..everywhere("file_cache", Shape::FileCache)
    },
    OptionSpec {
        default: "`0`",
        doc: "Seconds for which a browser that has loaded a page from an earlier `web_root` still \
              gets that one's files; `0` is not at all.",
        aliases: &["releases", "keep_releases", "release_grace"],
        ..everywhere("pin_releases", Shape::SecondsOrOff { most: WEEK })
    },
    // What holds for every answer, whoever gives it.
    OptionSpec {
        default: "none",
        doc: "Where a path is sent, before anybody is asked: a target for each path or pattern of a \
              path, or a table of `to` and `status` (302 unless given).",
        aliases: &["redirect", "redir", "return", "redirect_permanent"],
        ..everywhere("redirects", Shape::Redirects)
    },
    OptionSpec {
        default: "none",
        doc: "Which path is answered in place of another, before anybody is asked.",
        aliases: &["rewrite", "rewrite_rule", "rewrite_rules", "alias"],
        ..everywhere("rewrites", Shape::Rewrites)
    },
    OptionSpec {
        default: "none",
        doc: "The page below `web_root` for a status (`404`) or a class of statuses (`5xx`); the \
              status stays.",
        aliases: &["error_page", "error_document", "errors", "handle_errors", "page404"],
        ..everywhere("error_pages", Shape::ErrorPages)
    },
    OptionSpec {
        default: "none",
        doc: "Header fields of every answer, refusals too: a text sets the field, a list adds to it, \
              `false` takes it away.",
        aliases: &["add_header", "extra_headers", "default_headers"],
        ..everywhere("response_headers", Shape::Fields)
    },
    OptionSpec {
        default: "`false`",
        doc: "Whether the fields that protect a site in browsers are set where nobody has set them.",
        aliases: &["secure_headers", "security", "helmet"],
        ..everywhere("security_headers", Shape::Bool)
    },
    OptionSpec {
        default: "`false`",
        doc: "Whose pages may read the answers: everybody's (`true`), those of an origin or of several, \
              or a table that says more. Preflights are then answered before anybody is asked.",
        aliases: &["allow_origins", "cors_origins", "allowed_origins", "cross_origin"],
        ..everywhere("cors", Shape::Cors)
    },
];
