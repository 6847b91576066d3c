//! `cors`: what it takes, how it refuses the rest, and what excludes it.

use super::files::each;
use super::*;
use crate::protocol::cors::{AllowedOrigins, Cors};

#[track_caller]
fn cors(root: Json) -> Option<Cors> {
    site(root).global.options.answers.cors.as_deref().cloned()
}

#[test]
fn c2_6_cors() {
    let shape = "`true`, `false`, an origin such as `https://example.com`, a list of these, or a \
                 table of `origins`, `methods`, `headers`, `expose`, `credentials` and `max_age`";
    let origin = "expected an origin such as `https://example.com`, found";
    each(
        "cors",
        &[
            (json!(true), ""),
            (json!(false), ""),
            (json!("*"), ""),
            (json!("https://a.example"), ""),
            (json!(["https://a.example", "https://*.b.example:8443", "null"]), ""),
            (json!({}), ""),
            (
                json!({
                    "origins": ["https://a.example"], "methods": ["GET", "PUT"], "headers": "X-A",
                    "expose": ["X-B", "X-C"], "credentials": true, "max_age": 0,
                }),
                "",
            ),
            (json!({"origins": "*", "methods": "*", "headers": "*", "expose": "*"}), ""),
            (json!(1), &format!("cors: expected {shape}, found the number `1`")),
            (
                json!("a.example"),
                &format!(
                    "cors: {origin} `a.example`\n  hint: an origin begins with its scheme: \
                     `https://example.com`"
                ),
            ),
            (json!([]), "cors: expected a list that is not empty, found an empty list"),
            (
                json!(["*", "https://a.example/", 5]),
                &format!(
                    "cors[0]: expected `*` alone, or origins, found `*`\
                     \n  hint: it stands for every origin there is, so none stands beside it\
                     \ncors[1]: {origin} `https://a.example/`\
                     \n  hint: an origin ends with its host or port, without a slash or a path\
                     \ncors[2]: {origin} the number `5`"
                ),
            ),
            (
                json!({"origin": "*", "methods": ["get", "a b"], "headers": ["X A", "*"],
                       "credentials": "yes", "max_age": 100_000}),
                "cors.credentials: expected `true` or `false`, found the string `yes`\
                 \ncors.headers[0]: expected a field name such as `X-Request-Id`, found `X A`\
                 \ncors.headers[1]: expected a field name such as `X-Request-Id`, found `*`\
                 \ncors.max_age: expected a whole number from 0 to 86400, found `100000`\
                 \ncors.methods[0]: expected a method such as `PUT`, found `get`\
                 \n  hint: did you mean `GET`?\
                 \ncors.methods[1]: expected a method such as `PUT`, found `a b`\
                 \ncors.origin: expected `origins` or `methods` or `headers` or `expose` or \
                 `credentials` or `max_age`, found `origin`\n  hint: did you mean `origins`?",
            ),
        ],
    );
}

/// No browser takes `*` with cookies, and to name whoever asks would let every
/// page act as its visitor.
#[test]
fn credentials_are_for_those_who_are_named() {
    let missing = "cors.origins: expected origins beside `credentials`\
                   \n  hint: whoever may come with cookies must be named: \
                   `https://app.example.com`";
    each(
        "cors",
        &[
            (json!({"credentials": true}), missing),
            (json!({"credentials": true, "origins": "*"}), missing),
            (json!({"credentials": true, "origins": ["*"]}), missing),
            (json!({"credentials": false, "origins": ["*"]}), ""),
            (
                json!({"credentials": true, "origins": "https://a.example", "expose": "*"}),
                "cors.expose: expected names of fields, found `*`\
                 \n  hint: with `credentials` a browser takes `*` for a name",
            ),
        ],
    );
}

#[test]
fn what_cors_comes_to() {
    assert_eq!(cors(json!({})), None);
    assert_eq!(cors(json!({"cors": false})), None);
    for open in [json!(true), json!("*"), json!(["*"]), json!({}), json!({"origins": true})] {
        assert_eq!(cors(json!({"cors": open})), Some(Cors::default()), "{open}");
    }
    let whole = cors(json!({"cors": {
        "origins": "https://a.example", "methods": ["GET", "PUT"], "headers": "X-A",
        "expose": ["X-B", "X-C"], "credentials": true, "max_age": 5,
    }}));
    let whole = whole.expect("a rule");
    assert!(matches!(&whole.origins, AllowedOrigins::Listed(origins) if origins.len() == 1));
    assert_eq!(whole.methods.as_ref().expect("methods"), "GET, PUT");
    assert_eq!(whole.headers.as_ref().expect("fields"), "X-A");
    assert_eq!(whole.expose.as_ref().expect("fields"), "X-B, X-C");
    assert_eq!((whole.credentials, whole.max_age), (true, 5));
    let inherited = site(json!({"cors": true, "vhosts": {"a": {}, "b": {"cors": false}}}));
    let of = |name| host(&inherited, name).options.answers.cors.is_some();
    assert_eq!((of("a"), of("b")), (true, false));
}

/// Two places that say the same thing would each say half of it.
#[test]
fn cors_and_fields_of_its_own_exclude_each_other() {
    let field = json!({"Access-Control-Allow-Origin": "*"});
    let globs = json!({"/fonts/*": {"access-control-allow-origin": "*"}});
    let hint = "  hint: `cors` sends these fields itself, and answers preflights; take the others \
                out";
    let fault = |place: &str, other: &str| {
        format!(
            "{place}: expected either `cors` or `Access-Control-` fields in `{other}`, found both\
             \n{hint}"
        )
    };
    for (root, expected) in [
        (json!({"response_headers": field}), String::new()),
        (json!({"cors": false, "response_headers": field}), String::new()),
        (json!({"cors": true, "response_headers": {"X-A": "a"}}), String::new()),
        (json!({"cors": true, "response_headers": field}), fault("cors", "response_headers")),
        (json!({"cors": true, "file_headers": globs}), fault("cors", "file_headers")),
        (
            json!({"file_headers": globs, "vhosts": {"a": {"cors": true}}}),
            fault("vhosts.a.cors", "file_headers"),
        ),
        (
            json!({"cors": true, "vhosts": {"a": {"file_headers": globs}, "b": {}}}),
            fault("vhosts.a.file_headers", "file_headers"),
        ),
        (
            json!({"file_headers": globs, "vhosts": {"a": {"cors": true, "file_headers": false}}}),
            String::new(),
        ),
    ] {
        check(root, &expected);
    }
}

#[test]
fn a_site_says_whether_any_scope_shares_with_other_origins() {
    for (json, shares) in [
        (json!({"web_root": "web"}), false),
        (json!({"web_root": "web", "cors": false}), false),
        (json!({"web_root": "web", "cors": true}), true),
        (json!({"web_root": "web", "vhosts": {"a.example": {"cors": "https://b.example"}}}), true),
    ] {
        assert_eq!(site(json.clone()).shares, shares, "{json}");
    }
}
