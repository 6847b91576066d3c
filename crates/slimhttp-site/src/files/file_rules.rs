//! The rules of a scope's files and of its answers, every default filled in. Data only:
//! the compiler makes it, and each rule is applied where its subject is: in this folder, in
//! `response`, and in the server crate.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};

use crate::files::glob::{ByGlob, Globs, Subtrees};
use crate::protocol::coding::Coding;
use crate::protocol::cors::Cors;
use crate::protocol::https::{Hsts, HttpsRedirect};

/// The rules of one scope's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRules {
    /// Whether names that begin with a dot are served and listed.
    pub dotfiles: bool,
    /// Names that are neither served nor listed, a folder with all that is in it.
    pub exclude: Subtrees,
    /// Which symbolic links are followed.
    pub follow_symlinks: FollowSymlinks,
    /// Whether a folder without an index is answered by a list of what is in it.
    pub listing: bool,
    /// What is tried for a path, in this order, instead of the path alone.
    pub try_files: Arc<[TryFile]>,
    /// The page that answers a navigation to a path that names nothing: a path
    /// below the root as on disk, beginning with `/`.
    pub fallback: Option<Arc<str>>,
    /// Whether `/about` finds `about.html`, and `/about.html` is redirected to it.
    pub clean_urls: bool,
    /// The value of `Cache-Control` by file.
    pub cache_control: ByGlob<HeaderValue>,
    /// Whether a name with a fingerprint is said never to change.
    pub immutable: bool,
    /// Further fields by file: every glob that matches applies, the longest last.
    pub file_headers: ByGlob<Arc<[FieldRule]>>,
    /// Media types by extension, in lower case and without the dot.
    pub mime_types: Arc<[(Box<str>, HeaderValue)]>,
    /// The `charset` of text; `None` says none.
    pub charset: Option<Arc<str>>,
    /// Files that are stored in the coding that their last extension names, and
    /// are sent as what they hold in that coding.
    pub content_encoding: Subtrees,
    /// In which codings files are sent; `None` as they are.
    pub compress: Option<Arc<Compress>>,
    /// The cache of small files; `None` where every request reads anew.
    pub cache: Option<FileCache>,
    /// How long the files of an earlier `web_root` are still found after it was
    /// exchanged; nothing where it is zero.
    pub pin_releases: Duration,
}

impl Default for FileRules {
    fn default() -> Self {
        Self {
            dotfiles: false,
            exclude: Subtrees::default(),
            follow_symlinks: FollowSymlinks::Inside,
            listing: false,
            try_files: Arc::default(),
            fallback: None,
            clean_urls: false,
            cache_control: ByGlob::default(),
            immutable: false,
            file_headers: ByGlob::default(),
            mime_types: Arc::default(),
            charset: Some("utf-8".into()),
            content_encoding: Subtrees::default(),
            compress: Some(Arc::default()),
            cache: Some(FileCache::default()),
            pin_releases: Duration::ZERO,
        }
    }
}

/// Which symbolic links are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FollowSymlinks {
    /// Those that stay below the root.
    Inside,
    /// None.
    Never,
}

/// Where in an entry of `try_files` the path asked for stands, its first slash
/// included.
pub(crate) const PATH_PLACEHOLDER: &str = "{path}";

/// One entry of `try_files`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TryFile {
    /// A path below the root as on disk: literal text, with the path asked for,
    /// which begins with a slash, where `{path}` stands; so it begins with `/` or
    /// with `{path}`. One that ends with a slash names a folder.
    Path(Arc<str>),
    /// `=404`: nothing further is tried.
    NotFound,
}

/// What happens to one field of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldRule {
    /// The field has this value and no other.
    Set(HeaderName, HeaderValue),
    /// The field has these values too.
    Add(HeaderName, Arc<[HeaderValue]>),
    /// The field is not sent.
    Remove(HeaderName),
}

impl FieldRule {
    /// The field that it is about.
    pub fn name(&self) -> &HeaderName {
        match self {
            Self::Set(name, _) | Self::Add(name, _) | Self::Remove(name) => name,
        }
    }
}

/// How files, and what handlers answer, are compressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compress {
    /// The codings, the one preferred first among those a client likes equally.
    pub codings: Arc<[Coding]>,
    /// Whether `name.br`, `name.zst` and `name.gz` beside a file stand for it.
    pub precompressed: bool,
    /// Whether a file without such a sibling is compressed here.
    pub on_the_fly: bool,
    /// Whether what handlers answer is compressed.
    pub dynamic: bool,
    /// How many answers of handlers are compressed piece by piece at once, in the whole server.
    pub max_encoders: usize,
    /// The least length of what is compressed here, in bytes.
    pub min_size: u64,
    /// The greatest length of a file that is.
    pub max_size: u64,
    /// The media types, as globs over `type/subtype`, in lower case and without
    /// parameters.
    pub types: Globs,
}

impl Default for Compress {
    fn default() -> Self {
        const TYPES: &[&str] = &[
            "text/*",
            "*+json",
            "*+xml",
            "*+text",
            "application/json",
            "application/javascript",
            "application/xml",
            "application/xml-dtd",
            "application/wasm",
            "application/rtf",
            "application/sql",
            "application/toml",
            "application/yaml",
            "application/x-ndjson",
            "application/x-sh",
            "application/vnd.ms-fontobject",
            "font/ttf",
            "font/otf",
            "font/collection",
            "image/bmp",
            "image/vnd.microsoft.icon",
            "image/x-icon",
        ];
        Self {
            codings: Arc::new([Coding::Brotli, Coding::Zstd, Coding::Gzip]),
            precompressed: true,
            on_the_fly: true,
            dynamic: true,
            max_encoders: 128,
            min_size: 1024,
            max_size: 8 << 20,
            types: Globs::new(TYPES).expect("these patterns are valid"),
        }
    }
}

/// The bounds of a cache of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileCache {
    /// Bytes that it may hold in all.
    pub size: u64,
    /// The longest file that is kept, in bytes.
    pub entry: u64,
    /// For how long a file is taken as unchanged after it was last looked at.
    pub revalidate: Duration,
}

impl Default for FileCache {
    fn default() -> Self {
        Self { size: 64 << 20, entry: 256 << 10, revalidate: Duration::from_millis(20) }
    }
}

impl FileCache {
    /// For how long a file is taken as unchanged once it was looked at, and again
    /// an answer once it was made: the two together never pass `revalidate`.
    pub fn step(&self) -> Duration {
        self.revalidate / 2
    }
}

/// What a scope says of its answers, whoever gives them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnswerRules {
    /// Where a path is sent elsewhere, before anything else is asked.
    pub redirects: crate::routing::redirect::Redirects,
    /// Which path is answered in place of another.
    pub rewrites: crate::routing::redirect::Rewrites,
    /// The page below `web_root` for a failure status, a path as on disk that
    /// begins with `/`. The first that holds the status is the one: the compiler
    /// puts single statuses before classes.
    pub error_pages: Arc<[(StatusRange, Arc<str>)]>,
    /// Fields that are set, added or removed on every response.
    pub response_headers: Arc<[FieldRule]>,
    /// Fields that are set where nobody has set them; `true` beside those that
    /// are sent over TLS only.
    pub default_headers: Arc<[(HeaderName, HeaderValue, bool)]>,
    /// Whether what has come in plain is sent to https.
    pub redirect_https: HttpsRedirect,
    /// What is said of https to browsers that have come by it.
    pub hsts: Hsts,
    /// Which pages of other origins may read them; `None` leaves that to whoever
    /// answers.
    pub cors: Option<Arc<Cors>>,
}

impl AnswerRules {
    /// Whether it matters to an answer if the client speaks https, to us or to a proxy before us.
    pub(crate) fn vary_by_scheme(&self) -> bool {
        self.redirect_https != HttpsRedirect::Off || matches!(self.hsts, Hsts::On(_))
    }
}

/// The statuses that an error page stands for, both included: `404`, or `5xx`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusRange {
    /// The least.
    pub first: u16,
    /// The greatest.
    pub last: u16,
}
