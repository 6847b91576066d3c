//! What is sent for a path, a name and a refusal, out of temporary folders and without sockets.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, COOKIE, ETAG, LOCATION, SET_COOKIE, VARY};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::json;
use slimhttp_site::config::Config;
use slimhttp_site::path::Target;
use slimhttp_site::site::Site;
use slimhttp_site::value::{Table, Value};
use tempfile::TempDir;

use super::*;
use crate::files::releases::Releases;
use crate::fs::root::OpenMethod;
use crate::fs::root_cache::RootCache;
use crate::live::draft::Draft;
use crate::live::snapshot::compile_site;
use crate::live::testing::listener;
use crate::message::body::Body;
use crate::message::error_page;
use crate::message::refused::ErrorResponse;

/// A value of a configuration as JSON.
fn value(json: serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(value),
        serde_json::Value::Number(value) => Value::Integer(value.as_i64().expect("a whole number")),
        serde_json::Value::String(text) => Value::String(text.into()),
        serde_json::Value::Array(values) => Value::List(values.into_iter().map(value).collect()),
        serde_json::Value::Object(entries) => Value::Table(
            entries.into_iter().map(|(key, entry)| (Arc::from(key), value(entry))).collect(),
        ),
    }
}

/// The site that these options make, without routes.
pub(super) fn compiled(options: Table) -> Site {
    let draft = Draft::new(Config::new(options), "/".into());
    compile_site(&draft, &listener(false), true, None).expect("a site")
}

/// A site of one scope, whose `web_root` is this folder.
fn site(root: &Path, options: &serde_json::Value) -> Site {
    let Value::Table(mut options) = value(options.clone()) else { panic!("options are a table") };
    options.insert("web_root".into(), root.to_str().expect("text").into());
    compiled(options)
}

/// A site over a temporary folder, and all that a request for its files needs.
pub(super) struct Fixture {
    folder: TempDir,
    pub(super) site: Site,
    pub(super) store: Arc<FileStore>,
    roots: RootCache,
    releases: Releases,
    pub(super) freshness: FreshnessNote,
}

impl Fixture {
    /// These files below a `web_root`, under these options.
    pub(super) fn new(files: &[(&str, &str)], options: &serde_json::Value) -> Self {
        let folder = TempDir::new().expect("a folder");
        let root = folder.path().join("site");
        write(&root, files);
        Self::over(&root, folder, options)
    }

    /// The sources of this crate as a `web_root`: files that nobody has changed just now.
    pub(super) fn of_sources(options: &serde_json::Value) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        Self::over(root, TempDir::new().expect("a folder"), options)
    }

    fn over(root: &Path, folder: TempDir, options: &serde_json::Value) -> Self {
        let site = site(root, options);
        Self {
            store: Arc::new(FileStore::new(&site.global.options.files)),
            roots: RootCache::new(OpenMethod::available()),
            releases: Releases::open(&site, None, Instant::now()),
            freshness: FreshnessNote::default(),
            folder,
            site,
        }
    }

    /// Puts other options in place, as a change of the site does.
    pub(super) fn change(&mut self, options: &serde_json::Value) {
        let root = self.site.global.options.web_root.clone().expect("there is one");
        self.site = site(&root, options);
    }

    /// The path of `name` below the first `web_root`.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("site").join(name)
    }

    pub(super) fn roots(&self) -> &RootCache {
        &self.roots
    }

    pub(super) fn lookup(&self) -> FileLookup<'_> {
        let options = &self.site.global.options;
        let root = options.web_root.as_deref().expect("there is one");
        FileLookup::new(&self.store, &self.roots, root, options, &self.freshness)
    }

    async fn outcome(
        &self,
        method: &Method,
        target: &str,
        headers: &HeaderMap,
    ) -> Result<FileOutcome, ErrorResponse> {
        let target = Target::parse(target).expect("a target");
        let path = target.safe_path().expect("a path on disk");
        let request = FileRequest { method, headers, rewritten: false };
        send(
            self.lookup(),
            &self.releases,
            &self.site.global,
            (&target, path),
            FileScope::All,
            request,
        )
        .await
    }

    /// The response to a request that no script answers.
    async fn response(&self, target: &str, fields: &[(HeaderName, &str)]) -> Response<Body> {
        match self.outcome(&Method::GET, target, &headers(fields)).await {
            Ok(FileOutcome::Response(response)) => response,
            Ok(FileOutcome::Script(_, path)) => panic!("{} is a script", path.url_path()),
            Err(refused) => error_page::refuse(refused, false),
        }
    }

    /// The answer to a request in words: `200` and the text, `301` and the place, the path
    /// of a script, or the status of a refusal.
    async fn answer(&self, request: &str, fields: &[(HeaderName, &str)]) -> String {
        let (method, target) = request.split_once(' ').expect("a method and a target");
        let method = Method::try_from(method).expect("a method");
        let response = match self.outcome(&method, target, &headers(fields)).await {
            Ok(FileOutcome::Response(response)) => response,
            Ok(FileOutcome::Script(_, path)) => return format!("script {}", path.url_path()),
            Err(refused) => return refused.refusal.status().as_u16().to_string(),
        };
        let status = response.status().as_u16();
        match response.headers().get(LOCATION) {
            Some(place) => format!("{status} {}", place.to_str().expect("text")),
            None => format!("{status} {}", text(response).await).trim_end().to_owned(),
        }
    }
}

/// Writes files, with the folders in which they stand.
fn write(root: &Path, files: &[(&str, &str)]) {
    fs::create_dir_all(root).expect("a folder");
    for (name, text) in files {
        let path = root.join(name);
        fs::create_dir_all(path.parent().expect("it is below the root")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
}

pub(super) fn headers(fields: &[(HeaderName, &str)]) -> HeaderMap {
    let value = |value: &str| HeaderValue::from_str(value).expect("a value");
    fields.iter().map(|(name, text)| (name.clone(), value(text))).collect()
}

pub(super) async fn text(response: Response<Body>) -> String {
    let bytes = response.into_body().collect().await.expect("a body").to_bytes();
    String::from_utf8_lossy(&bytes).into_owned()
}

pub(super) const TREE: &[(&str, &str)] = &[
    ("index.html", "home"),
    ("page.html", "page"),
    ("404.html", "nothing"),
    ("a/index.html", "a"),
    ("b/x.txt", "x"),
    ("b/.hidden", "hidden"),
    (".secret", "secret"),
    ("app.py", "code"),
    ("app.pyc", "compiled"),
];

/// A site over [`TREE`], with links and a script that may be executed.
fn linked(options: &serde_json::Value) -> Fixture {
    let site = Fixture::new(TREE, options);
    for (link, target) in [
        ("to_secret", ".secret"),
        ("to_outside", "/etc/passwd"),
        ("to_page", "page.html"),
        ("to_script", "app.py"),
    ] {
        symlink(target, site.path(link)).expect("a link");
    }
    write(&site.path(""), &[("run.py", "code")]);
    let executable = PermissionsExt::from_mode(0o755);
    fs::set_permissions(site.path("run.py"), executable).expect("it is ours");
    site
}

#[tokio::test]
async fn a_path_names_a_file_or_a_folder() {
    let site = linked(&json!({}));
    for (request, expected) in [
        ("GET /", "200 home"),
        ("GET /page.html", "200 page"),
        ("HEAD /page.html", "200"),
        ("POST /page.html", "405"),
        ("GET /page.html/", "404"),
        ("GET /a", "301 /a/"),
        ("GET /a?x=1", "301 /a/?x=1"),
        ("POST /a", "308 /a/"),
        ("GET /a/", "200 a"),
        ("GET /b/", "404"),
        ("GET /b/x.txt", "200 x"),
        ("GET /missing", "404"),
        ("GET /missing/page.html", "404"),
        ("GET /.secret", "404"),
        ("GET /b/.hidden", "404"),
        ("GET /app.pyc", "404"),
        ("GET /to_secret", "404"),
        ("GET /to_outside", "404"),
        ("GET /to_page", "200 page"),
    ] {
        assert_eq!(site.answer(request, &[]).await, expected, "{request}");
    }
}

/// The options, and what is answered under them.
#[tokio::test]
async fn options_decide_what_a_path_names() {
    for (options, answers) in [
        (json!({"scripts": false}), &[("GET /app.py", "404"), ("GET /to_script", "404")][..]),
        (
            json!({"scripts": true}),
            &[
                ("GET /app.py", "script /app.py"),
                ("POST /app.py", "script /app.py"),
                // By whatever name: its source is never sent.
                ("GET /to_script", "script /to_script"),
            ],
        ),
        (
            json!({"scripts": "executable"}),
            &[("GET /app.py", "404"), ("GET /run.py", "script /run.py")],
        ),
        (
            json!({"dotfiles": true}),
            &[("GET /.secret", "200 secret"), ("GET /to_secret", "200 secret")],
        ),
        (
            json!({"exclude": ["*.txt", "a"]}),
            &[("GET /b/x.txt", "404"), ("GET /a/", "404"), ("GET /page.html", "200 page")],
        ),
        (json!({"follow_symlinks": "never"}), &[("GET /to_page", "404")]),
        (json!({"index": ["none.html", "x.txt"]}), &[("GET /b/", "200 x"), ("GET /", "404")]),
        (
            json!({"clean_urls": true}),
            &[
                ("GET /page", "200 page"),
                ("GET /page.html", "301 /page"),
                ("GET /page.html?x=1", "301 /page?x=1"),
                ("GET /a/index.html", "301 /a/"),
                ("GET /a", "301 /a/"),
                ("GET /missing", "404"),
            ],
        ),
        (
            json!({"try_files": ["{path}", "{path}/", "/page.html"]}),
            &[("GET /b/x.txt", "200 x"), ("GET /a/", "200 a"), ("GET /missing", "200 page")],
        ),
        (json!({"try_files": ["{path}", "=404"]}), &[("GET /a", "404"), ("GET /a/", "200 a")]),
        (
            json!({"fallback": "/index.html"}),
            &[("GET /missing", "200 home"), ("POST /missing", "404"), ("GET /b/x.txt", "200 x")],
        ),
        (json!({"fallback": "/gone.html"}), &[("GET /missing", "404")]),
    ] {
        let site = linked(&options);
        for (request, expected) in answers {
            assert_eq!(site.answer(request, &[]).await, *expected, "{options} {request}");
        }
    }
}

#[tokio::test]
async fn only_a_navigation_gets_the_fallback() {
    let site = Fixture::new(TREE, &json!({"fallback": "/index.html"}));
    // Who says nothing takes a page too (RFC 9110 section 12.5.1).
    assert_eq!(site.answer("GET /missing", &[]).await, "200 home");
    let script = &[(http::header::ACCEPT, "application/json")];
    assert_eq!(site.answer("GET /missing", script).await, "404");
    let response = site.response("/missing", &[(http::header::ACCEPT, "text/html")]).await;
    assert_eq!(response.status(), StatusCode::OK);
    let varies = response.headers()[VARY].to_str().expect("text").to_lowercase();
    assert!(varies.contains("accept") && varies.contains("sec-fetch-dest"), "{varies}");
}

#[tokio::test]
async fn a_folder_without_an_index_is_listed_where_that_is_wanted() {
    let site = Fixture::new(TREE, &json!({"listing": true, "scripts": false}));
    write(&site.path("b"), &[("app.py", "code"), ("app.py.gz", "code")]);
    symlink("/etc/passwd", site.path("b/out")).expect("a link");
    symlink("../.secret", site.path("b/link")).expect("a link");
    let json = &[(http::header::ACCEPT, "application/json")];
    let listing = text(site.response("/b/", json).await).await;
    let listing: serde_json::Value = serde_json::from_str(&listing).expect("JSON");
    assert_eq!(listing["path"], "/b/");
    let entries = listing["entries"].as_array().expect("a list");
    let names: Vec<_> = entries.iter().map(|entry| entry["name"].as_str()).collect();
    assert_eq!(names, [Some("x.txt")], "neither what is hidden, nor code, nor what leads there");

    let response = site.response("/b/", &[]).await;
    assert_eq!(response.headers()[CONTENT_TYPE], "text/html; charset=utf-8");
    let etag = response.headers()[ETAG].to_str().expect("text").to_owned();
    let again = site.response("/b/", &[(http::header::IF_NONE_MATCH, &etag)]).await;
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(site.answer("POST /b/", &[]).await, "404");
    assert_eq!(site.answer("GET /a/", &[]).await, "200 a");
}

#[tokio::test]
async fn a_folder_that_is_missing_is_not_looked_into_for_each_candidate() {
    let site = Fixture::new(TREE, &json!({"debug": true, "try_files": ["{path}", "/c/d", "/c/e"]}));
    let (method, headers) = (Method::GET, HeaderMap::new());
    let Err(refused) = site.outcome(&method, "/c/x", &headers).await else {
        panic!("there is none")
    };
    // What is said is of the path that was asked for, by its first candidate.
    let detail = refused.detail.expect("a reason, with `debug`");
    assert!(detail.contains("site/c/x"), "{detail}");
}

/// Fields of a request for a file of ten bytes, and what is answered.
#[tokio::test]
async fn conditions_and_ranges_are_evaluated() {
    use http::header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, RANGE};

    let site = Fixture::new(&[("a.txt", "0123456789")], &json!({}));
    let first = site.response("/a.txt", &[]).await;
    let etag = first.headers()[ETAG].to_str().expect("text").to_owned();
    assert_eq!(first.headers()[CONTENT_LENGTH], "10");
    assert!(etag.starts_with('"'), "the tag of a content is strong: {etag}");
    for (name, value, expected) in [
        (IF_NONE_MATCH, &*etag, "304"),
        (IF_NONE_MATCH, "\"other\"", "200 0123456789"),
        (IF_MATCH, &*etag, "200 0123456789"),
        (IF_MATCH, "\"other\"", "412"),
        (IF_MODIFIED_SINCE, "Fri, 01 Jan 2100 00:00:00 GMT", "304"),
        (IF_MODIFIED_SINCE, "Thu, 01 Jan 1970 00:00:01 GMT", "200 0123456789"),
        (RANGE, "bytes=2-4", "206 234"),
        (RANGE, "bytes=-1", "206 9"),
        (RANGE, "bytes=10-", "416"),
    ] {
        let fields = &[(name, value)];
        assert_eq!(site.answer("GET /a.txt", fields).await, expected, "{fields:?}");
    }
}

#[tokio::test]
async fn an_edit_is_seen_by_the_next_request() {
    let site = Fixture::new(TREE, &json!({}));
    assert_eq!(site.answer("GET /page.html", &[]).await, "200 page");
    assert!(!site.freshness.is_stable(), "it was written just now");
    fs::write(site.path("page.html"), "edit").expect("written");
    assert_eq!(site.answer("GET /page.html", &[]).await, "200 edit");
    fs::remove_file(site.path("page.html")).expect("removed");
    assert_eq!(site.answer("GET /page.html", &[]).await, "404");
    fs::create_dir(site.path("page.html")).expect("a folder");
    assert_eq!(site.answer("GET /page.html", &[]).await, "301 /page.html/");
}

/// A release takes the place of another one: pages come from it, and what belongs to a
/// page from the release of that page.
#[tokio::test]
async fn a_page_and_what_belongs_to_it_come_from_one_release() {
    let options = json!({"pin_releases": 3600, "scripts": true});
    let mut site =
        Fixture::new(&[("index.html", "one"), ("a.css", "one"), ("old.css", "one")], &options);
    let before = site.response("/", &[]).await;
    let cookie = before.headers()[SET_COOKIE].to_str().expect("text").to_owned();
    let cookie = cookie.split(';').next().expect("a pair").to_owned();
    assert!(!site.response("/a.css", &[]).await.headers().contains_key(SET_COOKIE));

    let root = site.folder.path().join("next");
    write(&root, &[("index.html", "two"), ("a.css", "two"), ("app.py", "two")]);
    write(&site.path(""), &[("app.py", "one"), ("old.py", "one"), ("folder/index.html", "one")]);
    let next = self::site(&root, &options);
    site.releases = Releases::open(&next, Some((&site.releases, &site.site)), Instant::now());
    site.site = next;

    let old = &[(COOKIE, &*cookie)][..];
    for (request, fields, expected) in [
        ("GET /", old, "200 two"),
        ("GET /", &[], "200 two"),
        ("GET /a.css", old, "200 one"),
        ("GET /a.css", &[], "200 two"),
        ("GET /old.css", &[], "200 one"),
        ("GET /app.py", old, "script /app.py"),
        ("GET /old.py", old, "404"),
        ("GET /folder/", old, "404"),
        ("GET /folder", old, "404"),
    ] {
        assert_eq!(site.answer(request, fields).await, expected, "{request} {fields:?}");
    }
    let response = site.response("/a.css", old).await;
    assert_eq!(response.headers()[VARY], "Accept-Encoding, Cookie");
    let renewed = site.response("/", old).await;
    assert!(!renewed.headers()[SET_COOKIE].to_str().expect("text").starts_with(&cookie));
}

/// Sets the time of a file back or forth.
pub(super) fn set_modified(path: &Path, before: Duration) {
    let file = fs::File::options().write(true).open(path).expect("it is there");
    file.set_modified(SystemTime::now() - before).expect("it is ours");
}
