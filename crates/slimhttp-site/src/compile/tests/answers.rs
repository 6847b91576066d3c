//! The options about answers: what each takes, how it refuses the rest, and what
//! it comes to.

use super::files::each;
use super::*;
use crate::files::file_rules::AnswerRules;
use crate::routing::redirect::{Redirects, Rewrites};

/// The rules that the global level comes to.
#[track_caller]
fn rules(root: Json) -> AnswerRules {
    (*site(root).global.options.answers).clone()
}

#[test]
fn nothing_said_is_nothing_changed() {
    assert_eq!(rules(json!({})), AnswerRules::default());
}

#[test]
fn c2_6_error_pages() {
    let fault = "expected a status from 400 to 599, `4xx` or `5xx`, found";
    each(
        "error_pages",
        &[
            (json!({"404": "/404.html", "5XX": "errors/5xx.html", "4xx": "/4.html"}), ""),
            (json!(false), ""),
            (
                json!("/404.html"),
                "error_pages: expected a table of paths by status, or `false`, found the string \
                 `/404.html`",
            ),
            (
                json!({"200": "/a", "50x": "/a", "0404": "/a", "600": "/a", "404": 5, "500": "/a/"}),
                &format!(
                    "error_pages.0404: {fault} `0404`\
                     \nerror_pages.200: {fault} `200`\
                     \nerror_pages.404: expected a path such as `/index.html`, found the number `5`\
                     \nerror_pages.500: expected a path such as `/index.html`, found `/a/`\
                     \n  hint: it names a file, not a folder\
                     \nerror_pages.50x: {fault} `50x`\n  hint: did you mean `5xx`?\
                     \nerror_pages.600: {fault} `600`"
                ),
            ),
        ],
    );
    let pages = rules(json!({"error_pages": {"4xx": "/4.html", "404": "404.html", "5xx": "/5"}}));
    let shown: Vec<_> =
        pages.error_pages.iter().map(|(range, page)| (range.first, range.last, &**page)).collect();
    assert_eq!(shown, [(404, 404, "/404.html"), (400, 499, "/4.html"), (500, 599, "/5")]);
}

#[test]
fn c2_6_redirects() {
    let target = "a path begins with `/`, a URL with `https://` or `http://`";
    let left = "expected a path, or a pattern as of a route";
    let name = "for one part of a path write `<name>`, for several `<path:name>`";
    let capture = "what `<name>` takes on the left is written `<name>` here too";
    each(
        "redirects",
        &[
            (json!({"/a": "/b", "/c": {"to": "https://x.example/", "status": 301}}), ""),
            (json!({"/old/<path:rest>": "/new/<rest>", "/gone": null}), ""),
            (json!(false), ""),
            (
                json!(["/a", "/b"]),
                "redirects: expected a table of targets by path, or `false`, found a list of 2",
            ),
            (
                json!({"/a": {"stauts": 301}, "/b": {"to": "/c", "status": "301"}, "/c": {"to": "/d", "status": 200}}),
                "redirects.\"/a\".stauts: expected `to` or `status`, found `stauts`\
                 \n  hint: did you mean `status`?\
                 \nredirects.\"/a\".to: expected a path or a URL\
                 \nredirects.\"/b\".status: expected 301, 302, 303, 307 or 308, found the string `301`\
                 \n  hint: write it without quotes\
                 \nredirects.\"/c\".status: expected 301, 302, 303, 307 or 308, found the number `200`",
            ),
            (
                json!({"/a": "b", "/b": "//x.example/", "/c": "ftp://x", "/d": "https:///x", "/e": 5, "/f": "/a\r\nb", "/g": "/g"}),
                &format!(
                    "redirects.\"/a\": expected a path or a URL, found `b`\n  hint: {target}\
                     \nredirects.\"/b\": expected a path or a URL, found `//x.example/`\
                     \n  hint: a URL begins with `https://` or `http://`\
                     \nredirects.\"/c\": expected a path or a URL, found `ftp://x`\n  hint: {target}\
                     \nredirects.\"/d\": expected a path or a URL, found `https:///x`\n  hint: {target}\
                     \nredirects.\"/e\": expected a path or a URL, found the number `5`\
                     \nredirects.\"/f\": expected a path or a URL, found `/a\\r\\nb`\
                     \nredirects.\"/g\": expected another path, found `/g`\
                     \n  hint: a browser would go round in a circle"
                ),
            ),
            // What stands on the left is read elsewhere; each is told.
            (
                json!({"a": "/b", "c": {"to": "/d"}, "/e": "/f"}),
                "redirects.a: expected a path that begins with `/`, found `a` to `/b`\
                 \nredirects.c: expected a path that begins with `/`, found `c` to `/d`",
            ),
            (json!({"/a": "/$metadata", "/a(b)": "/c"}), ""),
            (
                json!({"/a/*": "/b", "^/b/(.*)": "/c", "/c": "/d/$1", "/d": {"to": "https://x/{uri}"}}),
                &format!(
                    "redirects.\"/a/*\": {left}, found `/a/*`\n  hint: {name}\
                     \nredirects.\"/c\": expected a path or a URL, found `/d/$1`\n  hint: {capture}\
                     \nredirects.\"/d\".to: expected a path or a URL, found `https://x/{{uri}}`\
                     \n  hint: {capture}\
                     \nredirects.\"^/b/(.*)\": {left}, found `^/b/(.*)`\n  hint: {name}"
                ),
            ),
        ],
    );
    let rules = rules(json!({"redirects": {
        "/a": "/ü b\\",
        "/b/<name>": {"to": "https://x.example/<name>?q=1#f", "status": 308},
    }}));
    let expected =
        [("/a", "/%C3%BC%20b%5C", 302), ("/b/<name>", "https://x.example/<name>?q=1#f", 308)];
    assert_eq!(rules.redirects, Redirects::new(expected.into_iter()).expect("valid"));
}

#[test]
fn c2_6_rewrites() {
    let fault = "expected a path that begins with `/`, found";
    let left = "expected a path, or a pattern as of a route";
    let name = "for one part of a path write `<name>`, for several `<path:name>`";
    each(
        "rewrites",
        &[
            (json!({"/a": "/b?c=d", "/u/<name>": "/user.html?name=<name>"}), ""),
            (json!(false), ""),
            (
                json!("/a"),
                "rewrites: expected a table of paths by path, or `false`, found the string `/a`",
            ),
            (
                json!({"/a": "b", "/b": "http://x/", "/c": "/d#e", "/d": "//e", "/e": {"to": "/f"}}),
                &format!(
                    "rewrites.\"/a\": {fault} `b`\n  hint: it is a path on this host\
                     \nrewrites.\"/b\": {fault} `http://x/`\
                     \n  hint: `redirects` sends to other hosts, `proxy` asks them\
                     \nrewrites.\"/c\": {fault} `/d#e`\n  hint: a fragment never leaves the browser\
                     \nrewrites.\"/d\": {fault} `//e`\n  hint: it is a path on this host\
                     \nrewrites.\"/e\": {fault} a table of 1"
                ),
            ),
            (
                json!({"/a/(.*)": "/b/$1", "~ /c": "/d"}),
                &format!(
                    "rewrites.\"/a/(.*)\": {left}, found `/a/(.*)`\n  hint: {name}\
                     \nrewrites.\"~ /c\": {left}, found `~ /c`\n  hint: {name}"
                ),
            ),
        ],
    );
    let expected = Rewrites::new([("/a", "/b")]).expect("valid");
    assert_eq!(rules(json!({"rewrites": {"/a": "/b"}})).rewrites, expected);
}

#[test]
fn c2_6_response_headers() {
    each(
        "response_headers",
        &[
            (json!({"X-A": "1", "Set-Cookie": ["a=1", "b=2"], "Server": false}), ""),
            (json!({"ETag": false, "Vary": ["Origin"]}), ""),
            (json!(false), ""),
            (
                json!(["X-A: 1"]),
                "response_headers: expected a table of header fields, or `false`, found a list of 1",
            ),
            (
                json!({"Date": "now", "Content-Type": "text/html", "X-A": [], "b:": "c"}),
                "response_headers.Content-Type: expected a field that may be changed, found the \
                 string `text/html`\n  hint: `mime_types` says the types of files\
                 \nresponse_headers.Date: expected a field that may be changed, found the string \
                 `now`\n  hint: the server says this field itself, so that it is true\
                 \nresponse_headers.X-A: expected a list that is not empty, found an empty list\
                 \nresponse_headers.\"b:\": expected a field name such as `X-Frame-Options`, found \
                 `b:`",
            ),
        ],
    );
    let shown = format!("{:?}", rules(json!({"response_headers": {"X-A": "1"}})).response_headers);
    assert_eq!(shown, r#"[Set("x-a", "1")]"#);
}

#[test]
fn c2_6_security_headers() {
    each(
        "security_headers",
        &[(json!("yes"), "security_headers: expected `true` or `false`, found the string `yes`")],
    );
    let site = site(json!({
        "security_headers": true,
        "vhosts": {"a": {"security_headers": false}, "b": {"redirects": {"/a": "/b"}}},
    }));
    let of = |name| &host(&site, name).options.answers.default_headers;
    let set: Vec<_> = of("x").iter().map(|(name, _, tls)| (name.as_str(), *tls)).collect();
    assert_eq!(
        set,
        [
            ("x-content-type-options", false),
            ("referrer-policy", false),
            ("x-frame-options", false),
            ("cross-origin-opener-policy", false),
            ("permissions-policy", false),
            ("strict-transport-security", true),
        ]
    );
    assert!(of("a").is_empty());
    assert_eq!(of("b"), of("x"), "inherited beside an option of its own");
}
