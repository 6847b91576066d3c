//! What is tried for a path, what is withheld, and what counts as a navigation.

use http::HeaderValue;

use super::*;
use crate::files::glob::{Glob, Subtrees};

/// `try_files` and `fallback` as written, `clean_urls` by an entry `clean`.
fn rules(entries: &[&str]) -> FileRules {
    let mut rules = FileRules::default();
    let mut tried = Vec::new();
    for entry in entries {
        match *entry {
            "clean" => rules.clean_urls = true,
            "=404" => tried.push(TryFile::NotFound),
            text => match text.strip_prefix("fallback=") {
                Some(page) => rules.fallback = Some(page.into()),
                None => tried.push(TryFile::Path(text.into())),
            },
        }
    }
    rules.try_files = tried.into();
    rules
}

fn request(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut request = HeaderMap::new();
    for (name, value) in fields {
        request.append(*name, HeaderValue::from_static(value));
    }
    request
}

fn tried(rules: &FileRules, raw: &str, request: &HeaderMap) -> String {
    let target = Target::parse(raw).unwrap();
    let show = |kind: &str, path: &SafePath| format!("{kind} {}", path.as_path().display());
    candidates(rules, target.safe_path().unwrap(), &target, request)
        .iter()
        .map(|candidate| match candidate {
            Candidate::Target(path) => show("asked", path),
            Candidate::Clean(path) => show("clean", path),
            Candidate::File(path) => show("file", path),
            Candidate::Folder(path) => show("folder", path),
            Candidate::Fallback(path) => show("fallback", path),
            Candidate::NotFound => "404".into(),
        })
        .collect::<Vec<_>>()
        .join(" | ")
}

#[test]
fn c5_3_what_is_tried() {
    const SPA: &[&str] = &["fallback=/index.html"];
    const NGINX: &[&str] = &["{path}", "{path}.html", "{path}/", "=404"];
    const FRONT: &[&str] = &["{path}", "/index.html"];
    let cases: &[(&[&str], &str, &str)] = &[
        (&[], "/", "asked "),
        (&[], "/a.css", "asked a.css"),
        (&[], "/a/", "asked a"),
        (&[], "/a%20b/%C3%BC?q=1", "asked a b/ü"),
        // try_files
        (NGINX, "/about", "file about | file about.html | folder about | 404"),
        (NGINX, "/docs/", "folder docs | file docs/.html | folder docs | 404"),
        (NGINX, "/a/b?x=/c", "file a/b | file a/b.html | folder a/b | 404"),
        (FRONT, "/a/b", "file a/b | file index.html"),
        (FRONT, "/", "folder  | file index.html"),
        (&["/maintenance.html"], "/a/b", "file maintenance.html"),
        (&["static{path}", "{path}"], "/a.css", "file static/a.css | file a.css"),
        (&["/old{path}", "/{path}"], "/a", "file old/a | file a"),
        (&["/{path}/x{path}"], "/a", "file a/x/a"),
        (&["=404", "{path}"], "/a", "404"),
        (&["/../etc{path}", "/a/./b", "{path}"], "/x", "file x"),
        (&["{path}"], "/a%5C..%5Cb", "file a\\..\\b"),
        (&["{path}"], "/{path}", "file {path}"),
        // clean_urls
        (&["clean"], "/about", "file about | clean about.html | folder about"),
        (&["clean"], "/v1.2", "file v1.2 | clean v1.2.html | folder v1.2"),
        (&["clean"], "/a/b", "file a/b | clean a/b.html | folder a/b"),
        (&["clean"], "/about/", "asked about"),
        (&["clean"], "/", "asked "),
        (&["clean", "{path}", "/x.html"], "/a", "file a | clean a.html | file x.html"),
        (&["clean", "/x", "{path}"], "/a", "file x | file a | clean a.html"),
        (&["clean", "{path}/"], "/a/", "folder a"),
        // fallback
        (SPA, "/", "asked  | fallback index.html"),
        (SPA, "/users/7", "asked users/7 | fallback index.html"),
        (SPA, "/users/", "asked users | fallback index.html"),
        (SPA, "/v1.2/users", "asked v1.2/users | fallback index.html"),
        (SPA, "/app.js", "asked app.js"),
        (SPA, "/users/7.json?x", "asked users/7.json"),
        (SPA, "/a%2ejs", "asked a.js"),
        (SPA, "/users?file=a.js", "asked users | fallback index.html"),
        (
            &["clean", "fallback=/i.html"],
            "/a",
            "file a | clean a.html | folder a | fallback i.html",
        ),
        (&["{path}", "fallback=/i.html"], "/a", "file a | fallback i.html"),
        (&["{path}", "=404", "fallback=/i.html"], "/a", "file a | 404"),
    ];
    for (entries, raw, expect) in cases {
        assert_eq!(tried(&rules(entries), raw, &HeaderMap::new()), *expect, "{entries:?} {raw}");
    }
}

#[test]
fn c5_3_a_plain_scope_tries_the_path_alone() {
    let target = Target::parse("/a/b.css").unwrap();
    let asked = target.safe_path().unwrap();
    let address = asked.as_path().as_os_str().as_encoded_bytes().as_ptr();
    let found = candidates(&FileRules::default(), asked, &target, &HeaderMap::new());
    let [Candidate::Target(path)] = &found[..] else { panic!("{found:?}") };
    assert_eq!(path.as_bytes().as_ptr(), address, "the path was moved, not copied");
    assert!(!found.spilled());
}

#[test]
fn c5_3_a_fallback_answers_navigations_only() {
    const DEST: &str = "sec-fetch-dest";
    const ACCEPT: &str = "accept";
    const CHROME: &str =
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";
    type Case = (&'static [(&'static str, &'static str)], bool);
    let cases: &[Case] = &[
        (&[], true),
        (&[(ACCEPT, CHROME), (DEST, "document")], true),
        (&[(ACCEPT, CHROME)], true),
        (&[(DEST, "document")], true),
        (&[(DEST, "iframe")], true),
        (&[(DEST, "frame")], true),
        (&[(DEST, "embed")], true),
        (&[(DEST, "object")], true),
        (&[(DEST, "script")], false),
        (&[(DEST, "image")], false),
        (&[(DEST, "style")], false),
        (&[(DEST, "empty")], false),
        (&[(DEST, "")], false),
        (&[(DEST, "document"), (DEST, "script")], false),
        (&[(ACCEPT, CHROME), (DEST, "empty")], false),
        // curl and wget, and a fetch() that says where it leads.
        (&[(ACCEPT, "*/*")], true),
        (&[(ACCEPT, " */* ")], true),
        (&[(ACCEPT, "*/*"), (DEST, "empty")], false),
        (&[(ACCEPT, "*/*"), (DEST, "document")], false),
        (&[(ACCEPT, "*/*;q=0.8")], false),
        (&[(ACCEPT, "image/avif,image/webp,*/*;q=0.8")], false),
        (&[(ACCEPT, "application/json")], false),
        (&[(ACCEPT, "application/json, text/plain, */*")], false),
        (&[(ACCEPT, "")], false),
        (&[(ACCEPT, "text/*")], false),
        // Named, and with a weight.
        (&[(ACCEPT, "text/html")], true),
        (&[(ACCEPT, "TEXT/HTML")], true),
        (&[(ACCEPT, "application/xhtml+xml")], true),
        (&[(ACCEPT, "text/html;level=1")], true),
        (&[(ACCEPT, "text/html;q=0.1, */*")], true),
        (&[(ACCEPT, "text/html;q=0, */*")], false),
        (&[(ACCEPT, "text/html;q=0.000")], false),
        (&[(ACCEPT, "text/html;q=x")], false),
        (&[(ACCEPT, "application/json"), (ACCEPT, "text/html")], true),
        (&[(ACCEPT, "application/json"), (ACCEPT, "*/*")], false),
        (&[(ACCEPT, "text/htmlx")], false),
    ];
    for (fields, expect) in cases {
        let found = tried(&rules(&["fallback=/i.html"]), "/users", &request(fields));
        assert_eq!(found.contains("fallback"), *expect, "{fields:?}");
    }
}

#[test]
fn c5_2_what_is_withheld() {
    let path = |raw: &str| Target::parse(raw).unwrap().safe_path().unwrap();
    // Withheld by default, withheld with `dotfiles`, and the globs of `exclude`.
    let cases: &[(&str, bool, bool)] = &[
        ("/", false, false),
        ("/a", false, false),
        ("/a/b.c", false, false),
        ("/.env", true, false),
        ("/.git/config", true, false),
        ("/a/.git/config", true, false),
        ("/a/b/.htaccess", true, false),
        ("/...", true, false),
        ("/%2Egit", true, false),
        ("/a./b.", false, false),
        ("/.well-known", false, false),
        ("/.well-known/acme-challenge/x", false, false),
        ("/.well-known/.secret", true, false),
        ("/a/.well-known/x", true, false),
        ("/.well-known2", true, false),
        // exclude: *.bak, /private, drafts, secret/**, .well-known/no
        ("/a.bak", true, true),
        ("/x/y/a.bak", true, true),
        ("/a.bak/inside", true, true),
        ("/a.bak2", false, false),
        ("/private", true, true),
        ("/private/a/b", true, true),
        ("/a/private/x", true, true),
        ("/drafts/x.html", true, true),
        ("/a/drafts/x.html", true, true),
        ("/secret/a", true, true),
        ("/a/secret/a", false, false),
        ("/secret", false, false),
        ("/.well-known/no", true, true),
        ("/.well-known/no/deeper", true, true),
        ("/Private", false, false),
    ];
    let exclude = ["*.bak", "private", "drafts", "/secret/**", ".well-known/no"];
    let exclude = exclude.map(|pattern| Glob::parse(pattern).unwrap());
    let exclude = Subtrees::new(exclude.into()).unwrap();
    let mut rules = FileRules { exclude, ..FileRules::default() };
    for (raw, by_default, with_dotfiles) in cases {
        rules.dotfiles = false;
        assert_eq!(is_withheld(&rules, &path(raw)), *by_default, "{raw}");
        rules.dotfiles = true;
        assert_eq!(is_withheld(&rules, &path(raw)), *with_dotfiles, "{raw} with `dotfiles`");
    }
}

#[test]
fn c5_3_clean_redirects() {
    let cases: &[(&str, Option<&str>)] = &[
        ("/about.html", Some("/about")),
        ("/a/b.html?x=1&y", Some("/a/b?x=1&y")),
        ("/about.html?", Some("/about?")),
        ("/index.html", Some("/")),
        ("/a/index.html", Some("/a/")),
        ("/a/index.html?x", Some("/a/?x")),
        ("/other.html", Some("/other")),
        ("/a/other.html", Some("/a/other")),
        ("/v1.2.html", Some("/v1.2")),
        ("/%C3%BC%20x.html", Some("/%C3%BC%20x")),
        ("//host.html", Some("/host")),
        ("//evil.example/%2e%2e/x.html", Some("/x")),
        ("/%5Cevil.example.html", Some("/%5Cevil.example")),
        ("/about", None),
        ("/", None),
        ("/about.html/", None),
        ("/about.htm", None),
        ("/about.HTML", None),
        ("/.html", None),
        ("/a/.html", None),
        ("/..html", None),
        ("/...html", None),
        ("/a.html.html", None),
        ("/a%2Fb.html", None),
    ];
    let index = ["index.html".to_owned(), "other.html".to_owned()];
    let off = FileRules::default();
    let on = rules(&["clean"]);
    for (raw, expect) in cases {
        let target = Target::parse(raw).unwrap();
        assert_eq!(clean_redirect(&on, &target, &index).as_deref(), *expect, "{raw}");
        assert_eq!(clean_redirect(&off, &target, &index), None, "{raw}");
    }
}
