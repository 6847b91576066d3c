//! What a program says of its server: who answers, who may connect.

use std::net::Ipv4Addr;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, Version};
use serde_json::json;

use super::{Instance, MethodTable};
use crate::compile::tests::site;
use crate::plan::{Action, Head, Security, Transport};
use crate::routing::route::HandlerId;
use crate::site::access::Networks;

#[test]
fn c9_who_answers_a_method() {
    let table = |rows: &[(&str, u64)]| {
        let mut table = MethodTable::default();
        for (method, id) in rows {
            let method = (*method != "*").then(|| method.parse().expect("a method"));
            table.set(method, HandlerId(*id));
        }
        table
    };
    for (rows, method, answers) in [
        (&[][..], "GET", None),
        (&[("GET", 1)], "GET", Some(1)),
        (&[("GET", 1)], "HEAD", Some(1)),
        (&[("GET", 1)], "PUT", None),
        (&[("GET", 1), ("HEAD", 2)], "HEAD", Some(2)),
        (&[("GET", 1), ("GET", 3)], "GET", Some(3)),
        (&[("*", 1)], "PUT", Some(1)),
        (&[("*", 1), ("PUT", 2)], "PUT", Some(2)),
        (&[("*", 1), ("GET", 2)], "HEAD", Some(2)),
        (&[("PURGE", 1)], "PURGE", Some(1)),
        (&[("PURGE", 1)], "purge", None),
    ] {
        let method: Method = method.parse().expect("a method");
        let found = table(rows).find(&method).map(|id| id.0);
        assert_eq!(found, answers, "{method} of {rows:?}");
    }
}

#[test]
fn c9_a_method_is_given_back() {
    let mut table = MethodTable::default();
    assert_eq!(table.set(Some(Method::GET), HandlerId(1)), None);
    assert_eq!(table.set(Some(Method::GET), HandlerId(2)), Some(HandlerId(1)));
    assert_eq!(table.remove(Some(&Method::PUT)), None);
    assert_eq!(table.remove(Some(&Method::GET)), Some(HandlerId(2)));
    assert_eq!(table, MethodTable::default());
}

#[test]
fn c9_debugged_paths_are_whole_paths() {
    let mut instance = Instance::default();
    assert!(!instance.is_debugged(b"/a"));
    instance.debugged.insert("/a".into());
    for (path, is) in [(&b"/a"[..], true), (b"/a/", false), (b"/", false), (b"/\xff", false)] {
        assert_eq!(instance.is_debugged(path), is, "{path:?}");
    }
}

/// The actions of a plan in short, with a program that answers `GET` (1) and
/// every other method (2).
#[track_caller]
fn check_plan(config: serde_json::Value, request: &str, expect: &str) {
    let mut site = site(config);
    let mut instance = Instance::default();
    instance.methods.set(Some(Method::GET), HandlerId(1));
    instance.methods.set(None, HandlerId(2));
    site.instance = Arc::new(instance);
    let (method, uri) = request.split_once(' ').expect("a method and a target");
    let (method, uri) = (method.parse().expect("a method"), uri.parse().expect("a target"));
    let headers = HeaderMap::from_iter([(http::header::HOST, HeaderValue::from_static("a"))]);
    let security = Security::Plain;
    let transport = Transport { port: 80, peer: Ipv4Addr::LOCALHOST.into(), security };
    let head = Head {
        method: &method,
        uri: &uri,
        version: Version::HTTP_11,
        headers: &headers,
        transport,
    };
    let in_short = |action: &Action<'_>| match action {
        Action::Call(HandlerId(id), ..) => format!("call {id}"),
        Action::Module(_) => "module".to_owned(),
        Action::Proxy(_) => "proxy".to_owned(),
        Action::File(_) => "file".to_owned(),
        Action::Refuse(refusal) => refusal.status().as_u16().to_string(),
        other => format!("{other:?}"),
    };
    let plan = site.plan(&head);
    let actions = plan.actions.iter().map(in_short).collect::<Vec<_>>().join(" ");
    assert_eq!(actions, expect, "{request}");
}

#[test]
fn c9_a_method_s_handler_is_asked_before_files_and_after_all_else() {
    check_plan(json!({"web_root": "w"}), "GET /x", "call 1 file");
    check_plan(json!({"web_root": "w"}), "HEAD /x", "call 1 file");
    check_plan(json!({"web_root": "w"}), "PUT /x", "call 2 405");
    check_plan(json!({"module": "app.py"}), "GET /x", "module call 1");
    check_plan(json!({"module": "app.py", "web_root": "w"}), "GET /x", "module call 1 file");
    check_plan(json!({"proxy": "b:1"}), "GET /x", "proxy");
    check_plan(json!({"vhosts": {"a": {"web_root": "w"}}}), "GET /x", "call 1 file");
    check_plan(json!({"web_root": "w"}), "GET /%zz", "400");
}

#[test]
fn c9_who_may_connect_is_said_by_the_configuration_and_by_the_program() {
    let networks = |text: &str| Networks::parse(text.split(' ').filter(|word| !word.is_empty()));
    for (config, program, address, admitted) in [
        (json!({}), None, "203.0.113.9", true),
        (json!({"allow": []}), None, "127.0.0.1", false),
        (json!({"allow": "10.0.0.0/8"}), None, "10.1.1.1", true),
        (json!({"allow": ["10.0.0.0/8", "::1"]}), None, "11.1.1.1", false),
        (json!({"allow": ["10.0.0.0/8", "::1"]}), None, "::1", true),
        (json!({}), Some("127.0.0.1"), "127.0.0.1", true),
        (json!({}), Some("127.0.0.1"), "127.0.0.2", false),
        (json!({}), Some(""), "127.0.0.1", false),
        (json!({"allow": "10.0.0.0/8"}), Some("10.1.0.0/16"), "10.1.9.9", true),
        (json!({"allow": "10.0.0.0/8"}), Some("10.1.0.0/16"), "10.2.9.9", false),
        (json!({"allow": "10.0.0.0/8"}), Some("11.0.0.0/8"), "11.0.0.1", false),
    ] {
        let mut site = site(config.clone());
        let allowed = program.map(|text| networks(text).expect("networks"));
        site.instance = Arc::new(Instance { allowed, ..Instance::default() });
        let client = address.parse().expect("an address");
        assert_eq!(site.admits(client), admitted, "{address}: {config} and {program:?}");
    }
}

#[test]
fn c9_which_methods_are_answered() {
    for (methods, expected) in [
        (&[][..], None),
        (&["PURGE", "BREW"], Some("PURGE, BREW")),
        (&["GET"], Some("GET, HEAD")),
        (&["PURGE", "*"], Some("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")),
    ] {
        let mut table = MethodTable::default();
        for method in methods {
            let method = (*method != "*").then(|| method.parse().expect("a method"));
            table.set(method, HandlerId(1));
        }
        let told = table.methods().map(|methods| methods.to_string());
        assert_eq!(told.as_deref(), expected, "{methods:?}");
    }
}
