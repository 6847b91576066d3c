//! The table is whole, and true to what is compiled.

use std::collections::HashSet;

use serde_json::{Value as Json, json};

use super::*;
use crate::compile::tests::{compiled, site};

#[test]
fn every_option_is_described_once() {
    let mut seen = HashSet::new();
    for option in all() {
        assert!(seen.insert(option.key), "`{}` stands there twice", option.key);
        assert!(!option.doc.is_empty() && !option.default.is_empty(), "`{}`", option.key);
        assert!(option.doc.ends_with('.'), "`{}` is described in sentences", option.key);
        assert!(!option.doc.contains('\n'), "`{}` takes one line", option.key);
        assert_eq!(find(option.key).map(|found| found.key), Some(option.key));
    }
    let mut aliases = HashSet::new();
    for option in all() {
        for name in option.aliases {
            assert!(find(name).is_none(), "`{name}` is a key of ours");
            assert!(aliases.insert(name), "`{name}` means two options");
        }
    }
}

/// The reference in the docs says what the table says, in the table's order.
#[test]
fn the_docs_list_every_option() {
    let docs = include_str!("../../../../../docs/configuration.md");
    let rows: Vec<&str> = docs.lines().filter(|line| line.starts_with("| `")).collect();
    let keys: Vec<&str> = rows.iter().filter_map(|row| row.split('`').nth(1)).collect();
    assert_eq!(keys, all().map(|option| option.key).collect::<Vec<_>>());
    for (option, row) in all().zip(rows) {
        let end = format!(" | {} | {} |", option.default, option.doc);
        assert!(row.ends_with(&end), "{row}\nshould end with\n{end}");
    }
}

/// A default is a literal in backticks: giving it is the same as giving nothing.
#[test]
fn c2_1_the_defaults_are_what_holds_without_them() {
    let nothing = site(json!({}));
    for option in all() {
        let Some(literal) = option.default.strip_prefix('`') else { continue };
        let literal = literal.trim_end_matches('`');
        // `ssl` may be given beside a proxy only.
        if option.key == "ssl" {
            continue;
        }
        let written = literal.parse::<Json>().unwrap_or_else(|_| json!(literal));
        let mut root = json!({});
        root[option.key] = written;
        let given = site(root);
        assert_eq!(given.service, nothing.service, "`{}`", option.key);
        assert_eq!(given.global.options, nothing.global.options, "`{}`", option.key);
        assert_eq!(given.global.tls, nothing.global.tls, "`{}`", option.key);
    }
}

/// Every option is read: another value than the default makes another site.
#[test]
fn c2_1_every_option_has_an_effect() {
    let proxied = |mut root: Json| {
        root["proxy"] = json!("a:1");
        root
    };
    let moduled = |mut root: Json| {
        root["module"] = json!("app.py");
        root
    };
    let mounted = |mut root: Json| {
        root["app"] = json!("shop:app");
        root
    };
    let debugged = |mut root: Json| {
        root["debug"] = json!(true);
        root
    };
    let plain = |root: Json| root;
    for option in all() {
        let (value, beside): (Json, &dyn Fn(Json) -> Json) = match option.key {
            // Fixed by the listener, or no option of this scope; they have tests of their own.
            "addr" | "port" | "vhosts" | "mounts" => continue,
            "web_root" => (json!("web"), &plain),
            "private_root" => (json!("files"), &plain),
            "index" => (json!("home.html"), &plain),
            "module" => (json!("app.py"), &plain),
            "proxy" => (json!("b:1"), &plain),
            "module_reload" => (json!("never"), &moduled),
            "app" => (json!("shop:app"), &plain),
            "interface" => (json!("wsgi"), &mounted),
            "app_dir" => (json!("web"), &mounted),
            "app_env" => (json!({"A": "b"}), &mounted),
            "lifespan" => (json!("off"), &mounted),
            "app_start_timeout" => (json!(1777), &mounted),
            "root_path" => (json!("/shop"), &mounted),
            "event_loop" => (json!("uvloop"), &plain),
            "live_reload" => (json!(false), &debugged),
            "trusted_proxies" | "allow" => (json!("::1"), &plain),
            "ssl" => (json!(true), &proxied),
            "listen" => (json!(["unix:a.sock"]), &plain),
            "tls" => (json!("auto"), &plain),
            "strip_prefix" | "add_prefix" => (json!("/a"), &proxied),
            key if key.starts_with("proxy_") => (json!(1777), &proxied),
            "acme" => (json!({"key_type": "p384"}), &plain),
            "persist" => (json!("state.db"), &plain),
            "log" => (json!("json"), &plain),
            "user" => (json!("nobody"), &plain),
            "group" => (json!("nogroup"), &|mut root: Json| {
                root["user"] = json!("nobody");
                root
            }),
            "cert" | "key" => (json!("one.pem"), &|mut root: Json| {
                let other = if root["cert"].is_null() { "cert" } else { "key" };
                root[other] = json!("two.pem");
                root
            }),
            _ => match option.takes {
                Shape::Bool => (json!(true), &plain),
                Shape::Switch(_) | Shape::Compress | Shape::FileCache => (json!(false), &plain),
                Shape::AccessLog => (json!(true), &plain),
                Shape::Globs | Shape::Charset | Shape::CacheControl => (json!("private"), &plain),
                Shape::PathBelow | Shape::TryFiles => (json!("/a.html"), &plain),
                Shape::ErrorPages => (json!({"404": "/a.html"}), &plain),
                Shape::Fields => (json!({"X-A": "a"}), &plain),
                Shape::FieldsByGlob => (json!({"*": {"X-A": "a"}}), &plain),
                Shape::MediaTypes => (json!({"a": "text/plain"}), &plain),
                Shape::Cors => (json!(true), &plain),
                Shape::Redirects | Shape::Rewrites => (json!({"/a": "/b"}), &plain),
                _ => (json!(1777), &plain),
            },
        };
        // 1777 is out of range for these.
        let value = match option.key {
            "io_threads" | "python_threads" => json!(17),
            _ => value,
        };
        let mut root = json!({});
        root[option.key] = value;
        let base = match option.key {
            "ssl" | "strip_prefix" | "add_prefix" => proxied(json!({})),
            key if key.starts_with("proxy_") => proxied(json!({})),
            "module_reload" => moduled(json!({})),
            "interface" | "app_dir" | "app_env" | "lifespan" | "app_start_timeout"
            | "root_path" => mounted(json!({})),
            "live_reload" => debugged(json!({})),
            _ => json!({}),
        };
        let (given, nothing) = (site(beside(root)), site(base));
        assert!(
            given.service != nothing.service
                || given.global.options != nothing.global.options
                || given.global.tls != nothing.global.tls,
            "`{}` changes nothing",
            option.key
        );
    }
}

/// What may stand anywhere is known in a virtual host, the rest is misplaced.
#[test]
fn c2_1_where_each_option_may_stand() {
    for option in all() {
        let mut scope = json!({});
        // A value that no option takes: the fault shows that it was read.
        scope[option.key] = json!({"no such key": 1});
        let faults = compiled(&json!({"vhosts": {"a": scope.clone()}})).expect_err(option.key);
        let misplaced = faults.to_string().contains("at the global level only");
        assert_eq!(misplaced, option.stands == Stands::GlobalOnly, "{faults}");
        let faults = compiled(&json!({"mounts": {"/a": scope}})).expect_err(option.key);
        let misplaced = faults.to_string().contains("at the global level ");
        assert_eq!(misplaced, option.stands != Stands::Everywhere, "{faults}");
    }
}

#[test]
fn shapes_say_what_they_take() {
    for (shape, text) in [
        (Shape::OneOf(&["a"]), "`a`"),
        (Shape::OneOf(&["a", "b"]), "`a` or `b`"),
        (Shape::OneOf(&["a", "b", "c"]), "`a`, `b` or `c`"),
        (Shape::Switch(&["a"]), "`true`, `false` or `a`"),
        (Shape::WholeNumber { least: 1, most: 9 }, "a whole number from 1 to 9"),
        (Shape::Address, "a host name or an address"),
        (Shape::Account, "a name of the system's accounts"),
    ] {
        assert_eq!(shape.to_string(), text);
    }
}
