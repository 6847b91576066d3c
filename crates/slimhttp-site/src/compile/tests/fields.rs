//! The options about what is said of files: header fields, media types, charset.

use super::files::{each, rules};
use super::*;
use crate::files::file_rules::FieldRule;

#[test]
fn c2_6_cache_control() {
    each(
        "cache_control",
        &[
            (json!("no-cache"), ""),
            (json!({"*.js": "max-age=60", "*": "no-cache", "/x/**": null}), ""),
            (json!(false), ""),
            (
                json!(60),
                "cache_control: expected a text such as `max-age=3600`, a table of these by glob, \
                 or `false`, found the number `60`",
            ),
            (
                json!({"*.js": 60, "[": "no-cache", "*.css": "a\nb", "*.x": ""}),
                "cache_control.\"*.css\": expected a text on one line, found `a\\nb`\
                 \ncache_control.\"*.js\": expected a text such as `max-age=3600`, found the number \
                 `60`\n  hint: seconds are written as `max-age=60`\
                 \ncache_control.\"*.x\": expected a text for a header field, found an empty text\
                 \n  hint: `false` takes a field away\
                 \ncache_control.\"[\": expected a glob such as `*.js` or `/assets/**`, found `[`\
                 \n  hint: unclosed character class; missing ']'",
            ),
        ],
    );
    let every = rules(json!({"cache_control": "no-cache"})).cache_control;
    assert_eq!(every.best(b"/x/a.js").expect("every file"), "no-cache");
    let some = rules(json!({"cache_control": {"*": "no-cache", "*.js": "max-age=60"}}));
    assert_eq!(some.cache_control.best(b"/x/a.js").expect("a script"), "max-age=60");
}

#[test]
fn c2_6_file_headers() {
    let place = "vhosts.\"a.example\".file_headers.\"*.js\"";
    let field = |name: &str, value: Json| {
        let mut fields = json!({});
        fields[name] = value;
        json!({"vhosts": {"a.example": {"file_headers": {"*.js": fields}}}})
    };
    let ours = "the server says this field itself, so that it is true";
    let made = "the server makes this field; it can only be taken away";
    for (name, value, fault) in [
        ("X-Foo", json!("bar"), String::new()),
        ("X-Foo", json!(["a", "b"]), String::new()),
        ("X-Foo", json!(false), String::new()),
        ("X-Foo", json!(null), String::new()),
        ("ETag", json!(false), String::new()),
        ("Last-Modified", json!(false), String::new()),
        ("Vary", json!(["Origin"]), String::new()),
        ("Content-Type", json!("application/json"), String::new()),
        ("Cache-Control", json!("no-store"), String::new()),
        ("X-Foo", json!(1), "expected a text, a list of texts, or `false`, found the number `1`\n  hint: write it in quotes".into()),
        ("X-Foo", json!(true), "expected a text, a list of texts, or `false`, found `true`".into()),
        ("X-Foo", json!("a\r\nb: c"), "expected a text on one line, found `a\\r\\nb: c`".into()),
        ("X Foo", json!("a"), "expected a field name such as `X-Frame-Options`, found `X Foo`".into()),
        ("Content-Length", json!("5"), format!("expected a field that may be changed, found the string `5`\n  hint: {ours}")),
        ("transfer-encoding", json!(false), format!("expected a field that may be changed, found `false`\n  hint: {ours}")),
        ("Keep-Alive", json!(["x"]), format!("expected a field that may be changed, found a list of 1\n  hint: {ours}")),
        ("ETag", json!("\"a\""), format!("expected `false`, found the string `\"a\"`\n  hint: {made}")),
        ("Vary", json!("Origin"), "expected a list of field names, found the string `Origin`\n  hint: `Vary` is only added to, or caches would mix answers up".into()),
        ("Vary", json!(false), "expected a list of field names, found `false`\n  hint: `Vary` is only added to, or caches would mix answers up".into()),
        ("Content-Type", json!("html"), "expected a media type such as `text/plain`, found `html`".into()),
        ("Location", json!("/"), "expected a field that may be changed, found the string `/`\n  hint: `redirects` says where a path is sent".into()),
    ] {
        let fault = if fault.is_empty() {
            fault
        } else {
            let bare = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            let name = if bare { name.to_owned() } else { format!("{name:?}") };
            format!("{place}.{name}: {fault}")
        };
        check(field(name, value), &fault);
    }
    each(
        "file_headers",
        &[
            (json!(false), ""),
            (
                json!("X-Foo: bar"),
                "file_headers: expected a table of globs, each with a table of header fields, or `false`, \
                 found the string `X-Foo: bar`",
            ),
            (
                json!({"X-Foo": "bar"}),
                "file_headers.X-Foo: expected a table of header fields, found the string `bar`\
                 \n  hint: fields stand in a table: `{'*.js': {'X-Kind': 'script'}}`",
            ),
            (
                json!({"*": {"x-a": "1", "X-A": "2", "X-B": ["ok", 3]}}),
                "file_headers.\"*\".X-B[1]: expected a text for a header field, found the number `3`\
                 \nfile_headers.\"*\".x-a: expected every field once, found `x-a`\
                 \n  hint: upper and lower case do not differ in field names",
            ),
        ],
    );
    let rules =
        rules(json!({"file_headers": {"*.js": {"X-A": "1", "X-B": ["1", "2"], "ETag": false}}}));
    let shown = format!("{:?}", rules.file_headers.best(b"/a.js").expect("a script"));
    assert_eq!(shown, r#"[Remove("etag"), Set("x-a", "1"), Add("x-b", ["1", "2"])]"#);
    assert!(matches!(rules.file_headers.best(b"/a.js").map(|f| &f[0]), Some(FieldRule::Remove(_))));
}

#[test]
fn c2_6_mime_types() {
    each(
        "mime_types",
        &[
            (
                json!({"foo": "text/x-foo", ".bar": "application/x-bar; version=\"1;\\\"2\" ; a=b"}),
                "",
            ),
            (json!(false), ""),
            (
                json!(["text/html"]),
                "mime_types: expected a table of media types by extension, or `false`, found a list \
                 of 1",
            ),
            (
                json!({
                    "a": "html", "b": "text/", "c": "text/x y", "d": "text/x;", "e": "text/x; a",
                    "f": "text/x; a=\"b", "g": "text/x; a=b c=d", "h": 1,
                }),
                "mime_types.a: expected a media type such as `text/plain`, found `html`\
                 \nmime_types.b: expected a media type such as `text/plain`, found `text/`\
                 \nmime_types.c: expected a media type such as `text/plain`, found `text/x y`\
                 \nmime_types.d: expected a media type such as `text/plain`, found `text/x;`\
                 \nmime_types.e: expected a media type such as `text/plain`, found `text/x; a`\
                 \nmime_types.f: expected a media type such as `text/plain`, found `text/x; a=\"b`\
                 \nmime_types.g: expected a media type such as `text/plain`, found `text/x; a=b c=d`\
                 \nmime_types.h: expected a media type such as `text/plain`, found the number `1`",
            ),
            (
                json!({".Foo": "text/a", "foo": "text/b", "tar.gz": "a/b", "text/html": "htm"}),
                "mime_types.foo: expected every extension once, found `foo`\
                 \nmime_types.\"tar.gz\": expected an extension such as `webmanifest`, found `tar.gz`\
                 \n  hint: what stands behind the last dot decides\
                 \nmime_types.\"text/html\": expected an extension such as `webmanifest`, found \
                 `text/html`\
                 \n  hint: the extension comes first: `{'webmanifest': 'application/manifest+json'}`\
                 \nmime_types.\"text/html\": expected a media type such as `text/plain`, found `htm`",
            ),
        ],
    );
    let types = rules(json!({"mime_types": {".FOO": "text/x-foo", "bar": "a/b"}})).mime_types;
    let shown: Vec<_> = types.iter().map(|(name, kind)| (&**name, kind.as_bytes())).collect();
    assert_eq!(shown, [("bar", &b"a/b"[..]), ("foo", &b"text/x-foo"[..])]);
}

#[test]
fn c2_6_charset() {
    each(
        "charset",
        &[
            (json!("iso-8859-1"), ""),
            (json!(false), ""),
            (
                json!("utf 8"),
                "charset: expected a charset such as `utf-8`, or `false`, found `utf 8`",
            ),
            (json!(true), "charset: expected a charset such as `utf-8`, or `false`, found `true`"),
        ],
    );
    assert_eq!(rules(json!({"charset": false})).charset, None);
}
