//! Which texts name an application, and which a root path; and what no fault shows.

use serde_json::json;

use super::{is_reference, root_path};
use crate::compile::report::{At, Report};
use crate::compile::tests::compiled;

#[test]
fn c11_2_a_reference_names_a_module_and_perhaps_something_in_it() {
    for text in [
        "main",
        "main:app",
        "shop.wsgi:application",
        "shop.wsgi",
        "main:create_app()",
        "main:holder.app",
        "main:holder.create()",
        "caf\u{e9}:app",
        "_a:_b",
        "./main.py",
        "./main.py:app",
        "../my-shop/main.py:create_app()",
        "/srv/shop/main.py",
        "src/main.py:app",
    ] {
        assert!(is_reference(text), "{text}");
    }
    for text in [
        "",
        ":",
        "main:",
        ":app",
        "main:app()()",
        "main:app(1)",
        "main:1",
        "1:app",
        "my-shop:app",
        "main:my app",
        "main..x:app",
        ".main:app",
        "main.:app",
        "./main",
        "./main:app",
        "./",
        "./my-main.py",
        "main.py:",
        "./main.py:",
        "./main.py:app:app",
        "./ma\0in.py",
        "http://localhost:8000",
        "localhost:8000",
    ] {
        assert!(!is_reference(text), "{text}");
    }
}

#[test]
fn c11_2_no_fault_shows_a_variable() {
    for (value, expected) in [
        (json!(31337), "app_env.PIN: expected a text"),
        (json!(["31337"]), "app_env.PIN: expected a text"),
        (json!("31337\0"), "app_env.PIN: expected a text without NUL"),
    ] {
        let faults = compiled(&json!({"app": "a:b", "app_env": {"PIN": value}})).unwrap_err();
        assert_eq!(faults.to_string(), expected);
    }
}

#[test]
fn a_root_path_is_a_plain_path() {
    let read = |text| root_path(text, &At::root(), &mut Report::default());
    for (text, expected) in [("", ""), ("/", ""), ("/shop/", "/shop"), ("/a/.b/..c", "/a/.b/..c")] {
        assert_eq!(read(text).as_deref(), Some(expected), "{text}");
    }
    for text in ["shop", "/a/../b", "/.", "/./a", "/a\r\nX: y", "/a\0", "/a\u{7f}b"] {
        assert_eq!(read(text), None, "{text:?}");
    }
}
