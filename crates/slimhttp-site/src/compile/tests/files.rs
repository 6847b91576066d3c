//! The options about files: what each takes, how it refuses the rest, what it
//! comes to, and that scopes with the same rules share them.

use std::time::Duration;

use super::*;
use crate::files::file_rules::{FileCache, FileRules, FollowSymlinks, TryFile};
use crate::protocol::coding::Coding;

/// Cases of one key: a value and its faults, or "" for none.
#[track_caller]
pub(super) fn each(key: &str, cases: &[(Json, &str)]) {
    for (value, faults) in cases {
        let mut root = json!({});
        root[key] = value.clone();
        check(root, faults);
    }
}

/// The rules that the global level comes to.
#[track_caller]
pub(super) fn rules(root: Json) -> FileRules {
    (*site(root).global.options.files).clone()
}

#[test]
fn nothing_said_is_the_default() {
    assert_eq!(rules(json!({})), FileRules::default());
    let compress = rules(json!({})).compress.expect("compression is on");
    for (kind, compressed) in [
        ("text/html", true),
        ("text/css", true),
        ("image/svg+xml", true),
        ("application/json", true),
        ("application/manifest+json", true),
        ("font/ttf", true),
        ("font/woff2", false),
        ("image/png", false),
        ("video/mp4", false),
        ("application/zip", false),
        ("application/octet-stream", false),
    ] {
        assert_eq!(compress.types.matches(kind.as_bytes()), compressed, "{kind}");
    }
}

#[test]
fn c2_6_bools_of_files() {
    for key in ["dotfiles", "listing", "clean_urls", "immutable"] {
        each(
            key,
            &[
                (json!(true), ""),
                (json!(null), ""),
                (json!(1), &format!("{key}: expected `true` or `false`, found the number `1`")),
            ],
        );
    }
    let rules =
        rules(json!({"dotfiles": true, "listing": true, "clean_urls": true, "immutable": true}));
    assert!(rules.dotfiles && rules.listing && rules.clean_urls && rules.immutable);
}

#[test]
fn c2_6_exclude() {
    each(
        "exclude",
        &[
            (json!("*.bak"), ""),
            (json!(["*.bak", "/drafts/**", "notes/"]), ""),
            (json!(false), ""),
            (json!(true), "exclude: expected a glob, a list of globs, or `false`, found `true`"),
            (json!([]), "exclude: expected a list that is not empty, found an empty list"),
            (
                json!(["a", "[b", 3, ""]),
                "exclude[1]: expected a glob such as `*.js` or `/assets/**`, found `[b`\
                 \n  hint: unclosed character class; missing ']'\
                 \nexclude[2]: expected a glob such as `*.bak` or `/drafts/**`, found the number `3`\
                 \nexclude[3]: expected a glob such as `*.js` or `/assets/**`, found an empty text\
                 \n  hint: it is empty",
            ),
        ],
    );
    let exclude = rules(json!({"exclude": ["*.bak", "drafts/"]})).exclude;
    assert!(exclude.take(b"/x/a.bak") && exclude.take(b"/drafts/x") && !exclude.take(b"/a"));
}

#[test]
fn c2_6_follow_symlinks() {
    each(
        "follow_symlinks",
        &[(
            json!("nevr"),
            "follow_symlinks: expected `true`, `false`, `inside` or `never`, found `nevr`\
             \n  hint: did you mean `never`?",
        )],
    );
    for (written, followed) in [
        (json!(true), FollowSymlinks::Inside),
        (json!("inside"), FollowSymlinks::Inside),
        (json!(false), FollowSymlinks::Never),
        (json!("never"), FollowSymlinks::Never),
    ] {
        assert_eq!(rules(json!({ "follow_symlinks": written })).follow_symlinks, followed);
    }
}

#[test]
fn c2_6_content_encoding() {
    let rules = rules(json!({"content_encoding": ["*.wasm.gz", "/Build/"]}));
    assert!(rules.content_encoding.take(b"Build/a.js.br") && rules.exclude.is_empty());
    each(
        "content_encoding",
        &[
            (json!(false), ""),
            (
                json!(true),
                "content_encoding: expected a glob, a list of globs, or `false`, found `true`",
            ),
        ],
    );
}

/// A folder is looked up once for each of these, by whoever asks.
#[test]
fn c2_6_index() {
    each(
        "index",
        &[
            (json!(vec!["a"; 16]), ""),
            (json!(vec!["a"; 17]), "index: expected a list of at most 16, found a list of 17"),
        ],
    );
}

#[test]
fn c2_6_try_files() {
    let one = "a path such as `{path}.html`, or `=404`";
    each(
        "try_files",
        &[
            (json!("{path}.html"), ""),
            (json!(["{path}", "{path}/", "/index.html", "=404"]), ""),
            (json!(false), ""),
            (
                json!(5),
                "try_files: expected a path such as `{path}.html`, a list of these, or `false`, \
                 found the number `5`",
            ),
            (json!("my page.html"), ""),
            (
                json!("$uri $uri/ /index.html"),
                &format!(
                    "try_files: expected {one}, found `$uri $uri/ /index.html`\
                     \n  hint: several are a list: `['{{path}}', '/index.html']`"
                ),
            ),
            (json!(vec!["/a"; 17]), "try_files: expected a list of at most 16, found a list of 17"),
            (
                json!(["=404", "/a"]),
                "try_files[0]: expected `=404` at the end only, found `=404`\
                 \n  hint: what stands behind it would never be tried",
            ),
            (
                json!(["=500", "@app", "/i.html?$args", "$document_root/a", "{pat}", "/../a", 7]),
                &([
                    ("0", "`=500`", "the only status there is `=404`; see `error_pages`"),
                    (
                        "1",
                        "`@app`",
                        "there are no named locations; `module` and `proxy` answer as a whole",
                    ),
                    ("2", "`/i.html?$args`", "the query is kept; leave it out"),
                    ("3", "`$document_root/a`", "the only variable is `{path}`"),
                    ("4", "`{pat}`", "the only variable is `{path}`"),
                    ("5", "`/../a`", "it lies below `web_root`, without `.` and `..`"),
                ]
                .map(|(at, found, hint)| {
                    format!("try_files[{at}]: expected {one}, found {found}\n  hint: {hint}\n")
                })
                .concat()
                    + &format!("try_files[6]: expected {one}, found the number `7`")),
            ),
        ],
    );
    let path = |text: &str| TryFile::Path(text.into());
    for (written, tried) in [
        (json!("$uri"), vec![path("{path}")]),
        (
            json!(["$uri", "$uri/", "$uri.html"]),
            vec![path("{path}"), path("{path}/"), path("{path}.html")],
        ),
        (
            json!(["/app/{path}", "a.html", "=404"]),
            vec![path("/app{path}"), path("/a.html"), TryFile::NotFound],
        ),
    ] {
        assert_eq!(*rules(json!({ "try_files": written })).try_files, *tried);
    }
}

#[test]
fn c2_6_fallback() {
    let fault = "fallback: expected a path such as `/index.html`, found";
    each(
        "fallback",
        &[
            (json!("/index.html"), ""),
            (json!("app/index.html"), ""),
            (json!(false), ""),
            (
                json!(true),
                "fallback: expected a path such as `/index.html`, or `false`, found `true`",
            ),
            (json!(""), &format!("{fault} an empty text\n  hint: it is empty")),
            (json!("/"), &format!("{fault} `/`\n  hint: it names a file, not a folder")),
            (
                json!("/../secret"),
                &format!(
                    "{fault} `/../secret`\n  hint: it lies below `web_root`, without `.` and `..`"
                ),
            ),
            (
                json!("https://a.example/x"),
                &format!(
                    "{fault} `https://a.example/x`\
                     \n  hint: it is a path below `web_root`, without `//`"
                ),
            ),
            (
                json!("/index.html?a=1"),
                &format!(
                    "{fault} `/index.html?a=1`\
                     \n  hint: it is the path of a file, without a query"
                ),
            ),
        ],
    );
    assert_eq!(rules(json!({"fallback": "app.html"})).fallback.as_deref(), Some("/app.html"));
}

#[test]
fn c2_6_compress() {
    let keys = "`encodings`, `precompressed`, `on_the_fly`, `dynamic`, `max_encoders`, `min_size`, \
                `max_size` and `types`";
    each(
        "compress",
        &[
            (json!(true), ""),
            (json!({}), ""),
            (json!({"encodings": ["gzip", "br"], "min_size": "2KiB", "types": ["Text/*"]}), ""),
            (json!({"types": ["*+json", "css", "*", "application/vnd.x"]}), ""),
            (
                json!({"types": [".js", "text", "*.css"]}),
                "compress.types[0]: expected a media type such as `text/*`, found `.js`\
                 \n  hint: it is by media type; `mime_types` says which extension has which\
                 \ncompress.types[1]: expected a media type such as `text/*`, found `text`\
                 \n  hint: did you mean `text/*`?\
                 \ncompress.types[2]: expected a media type such as `text/*`, found `*.css`\
                 \n  hint: it is by media type; `mime_types` says which extension has which",
            ),
            (
                json!(7),
                &format!(
                    "compress: expected `true`, `false`, or a table of {keys}, found the number `7`"
                ),
            ),
            (
                json!("false"),
                &format!(
                    "compress: expected `true`, `false`, or a table of {keys}, found the string `false`\
                     \n  hint: write it without quotes"
                ),
            ),
            (
                json!({"encoding": "br"}),
                &format!(
                    "compress.encoding: expected {}, found `encoding`\
                     \n  hint: did you mean `encodings`?",
                    keys.replace(", ", " or ").replace(" and ", " or ")
                ),
            ),
            (
                json!({
                    "encodings": ["brotli", 1], "min_size": "x", "on_the_fly": "no", "types": "[",
                }),
                "compress.encodings[0]: expected `br`, `zstd` or `gzip`, found `brotli`\
                 \n  hint: did you mean `br`?\
                 \ncompress.encodings[1]: expected `br`, `zstd` or `gzip`, found the number `1`\
                 \ncompress.min_size: expected a number of bytes from 0 to 1073741824, or a text \
                 such as `64KiB`, found `x`\
                 \ncompress.on_the_fly: expected `true` or `false`, found the string `no`\
                 \ncompress.types: expected a glob such as `*.js` or `/assets/**`, found `[`\
                 \n  hint: unclosed character class; missing ']'",
            ),
            (
                json!({"dynamic": 1, "max_encoders": -1}),
                "compress.dynamic: expected `true` or `false`, found the number `1`\
                 \ncompress.max_encoders: expected a whole number from 0 to 1048576, found `-1`",
            ),
            (
                json!({"encodings": ["br", "br"]}),
                "compress.encodings[1]: expected every encoding once, found `br`",
            ),
            (
                json!({"max_size": 500}),
                "compress.max_size: expected at least `min_size`, found `500`",
            ),
            (
                json!({"min_size": 9, "max_size": 5}),
                "compress.min_size: expected at most `max_size`, found `9`",
            ),
        ],
    );
    assert_eq!(rules(json!({"compress": false})).compress, None);
    let compress = rules(json!({"compress": {"encodings": "gzip", "types": "Text/*"}}));
    let compress = compress.compress.expect("on");
    assert_eq!(*compress.codings, [Coding::Gzip]);
    assert!(compress.types.matches(b"text/html") && !compress.types.matches(b"font/ttf"));
    assert_eq!((compress.precompressed, compress.on_the_fly), (true, true));
    assert_eq!((compress.min_size, compress.max_size), (1024, 8 << 20));
    assert_eq!((compress.dynamic, compress.max_encoders), (true, 128));
    for (table, on_the_fly, dynamic, max_encoders) in [
        (json!({"on_the_fly": false}), false, false, 128),
        (json!({"on_the_fly": false, "dynamic": true, "max_encoders": 3}), false, true, 3),
        (json!({"dynamic": false, "max_encoders": 0}), true, false, 0),
    ] {
        let compress = rules(json!({"compress": table})).compress.expect("on");
        let said = (compress.on_the_fly, compress.dynamic, compress.max_encoders);
        assert_eq!(said, (on_the_fly, dynamic, max_encoders), "{table}");
    }
}

#[test]
fn c2_6_file_cache() {
    each(
        "file_cache",
        &[
            (json!(false), ""),
            (json!({"size": "1GiB", "entry": "1MiB", "revalidate": 0}), ""),
            (
                json!("64MiB"),
                "file_cache: expected `true`, `false`, or a table of `size`, `entry` and \
                 `revalidate`, found the string `64MiB`",
            ),
            (
                json!({"revalidte": 1}),
                "file_cache.revalidte: expected `size` or `entry` or `revalidate`, found `revalidte`\
                 \n  hint: did you mean `revalidate`?",
            ),
            (
                json!({"revalidate": 86_401}),
                "file_cache.revalidate: expected a number of seconds from 0 to 86400, found `86401`",
            ),
            (
                json!({"size": 5, "entry": 6}),
                "file_cache.entry: expected at most `size`, found `6`",
            ),
        ],
    );
    assert_eq!(rules(json!({"file_cache": false})).cache, None);
    let cache = FileCache { size: 1 << 30, ..FileCache::default() };
    assert_eq!(rules(json!({"file_cache": {"size": "1GiB"}})).cache, Some(cache));
    // There is one cache: a virtual host says what of its files goes into it.
    check(
        json!({"vhosts": {"a": {"file_cache": {"size": 5}}}}),
        "vhosts.a.file_cache.size: expected `entry` or `revalidate`\
         \n  hint: the whole server has one cache; `file_cache.size` stands at the global level",
    );
    let site = site(json!({
        "file_cache": {"size": "1GiB", "entry": 9},
        "vhosts": {"a": {"file_cache": {"revalidate": 1}}, "b": {"file_cache": true}},
    }));
    let of = |name| host(&site, name).options.files.cache;
    assert_eq!(of("a"), Some(FileCache { revalidate: Duration::from_secs(1), ..cache }));
    assert_eq!(of("b"), Some(cache));
}

#[test]
fn c2_6_pin_releases() {
    let fault = "pin_releases: expected `false`, or a number of seconds from 0 to 604800, found";
    each(
        "pin_releases",
        &[
            (json!(false), ""),
            (json!(0.5), ""),
            (json!(604_800), ""),
            (json!(604_801), &format!("{fault} `604801`")),
            (json!(-1), &format!("{fault} `-1`")),
            (json!(true), &format!("{fault} `true`")),
            (json!("60"), &format!("{fault} the string `60`\n  hint: write it without quotes")),
        ],
    );
    assert_eq!(rules(json!({"pin_releases": 1.5})).pin_releases, Duration::from_millis(1500));
    assert_eq!(rules(json!({"pin_releases": false})).pin_releases, Duration::ZERO);
}

#[test]
fn c2_2_each_option_is_inherited_on_its_own_and_a_table_as_a_whole() {
    let site = site(json!({
        "dotfiles": true,
        "fallback": "/index.html",
        "exclude": "*.bak",
        "compress": {"encodings": "gzip", "min_size": 5},
        "vhosts": {
            "a": {"listing": true},
            "b": {"dotfiles": false, "fallback": false, "exclude": false},
            "c": {"compress": {"min_size": 7}},
            "d": {"fallback": null},
        },
    }));
    let of = |name| &host(&site, name).options.files;
    assert!(of("a").dotfiles && of("a").listing && of("a").fallback.is_some());
    assert!(!of("b").dotfiles && of("b").fallback.is_none() && of("b").exclude.is_empty());
    let compress = of("c").compress.as_ref().expect("on");
    assert_eq!((compress.min_size, compress.codings.len()), (7, 3), "the table is another one");
    assert!(Arc::ptr_eq(of("d"), &site.global.options.files));
}

#[test]
fn scopes_with_the_same_rules_share_them() {
    let site = site(json!({
        "file_headers": {"*.js": {"X-A": "1"}},
        "response_headers": {"X-B": "2"},
        "vhosts": {
            "a": {"web_root": "web"},
            "b": {"file_headers": {"*.js": {"X-A": "1"}}, "response_headers": {"X-B": "2"}},
            "c": {"file_headers": {"*.js": {"X-A": "2"}}, "security_headers": true},
        },
    }));
    let global = &site.global.options;
    for (name, shared) in [("a", true), ("b", true), ("c", false)] {
        let options = &host(&site, name).options;
        assert_eq!(Arc::ptr_eq(&options.files, &global.files), shared, "{name}");
        assert_eq!(Arc::ptr_eq(&options.answers, &global.answers), shared, "{name}");
    }
}

#[test]
fn c3_5_rules_that_stay_the_same_are_kept_by_reference() {
    let written = |debug: bool, own: &str| {
        json!({
            "debug": debug,
            "exclude": "*.bak",
            "redirects": {"/a": "/b"},
            "vhosts": {"a": {"exclude": own, "redirects": {"/c": "/d"}}},
        })
    };
    let routes = Routes::default();
    let first = site(written(false, "*.old"));
    let again = |debug, own| {
        change((&first, &routes), &config(&written(debug, own)), &routes).expect("valid")
    };
    // The global level changed, so every scope is compiled anew.
    let second = again(true, "*.old");
    for (before, after) in
        [(&first.global, &second.global), (host(&first, "a"), host(&second, "a"))]
    {
        assert!(!Arc::ptr_eq(&before.options, &after.options));
        assert!(Arc::ptr_eq(&before.options.files, &after.options.files));
        assert!(Arc::ptr_eq(&before.options.answers, &after.options.answers));
    }
    let third = again(false, "*.older");
    assert!(Arc::ptr_eq(&first.global, &third.global));
    let (before, after) = (&host(&first, "a").options, &host(&third, "a").options);
    assert!(!Arc::ptr_eq(&before.files, &after.files));
    assert!(Arc::ptr_eq(&before.answers, &after.answers));
}
