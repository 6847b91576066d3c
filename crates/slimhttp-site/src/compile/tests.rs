//! A configuration as a literal, and what it comes to: faults as their text, or
//! a site to look at.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::{CompileEnv, PathKind, Routes, compile};
use crate::config::Config;
use crate::config::fault::Faults;
use crate::config::value::{Table, Value};
use crate::site::listener::{Endpoint, FirstListener};
use crate::site::{Scope, Site};

mod acme;
mod answers;
mod carry;
mod cors;
mod fields;
mod files;
mod fixed;
mod https;
mod keys;
mod listen;
mod mounts;
mod proxy_loop;
mod routes;
mod scopes;
mod shapes;
mod tls;

/// What a JSON literal says.
pub(crate) fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(flag) => Value::Bool(*flag),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Value::Integer(whole),
            None => Value::Float(number.as_f64().expect("a JSON number is one")),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => Value::List(items.iter().map(value).collect()),
        Json::Object(entries) => Value::Table(
            entries.iter().map(|(key, item)| (Arc::from(key.as_str()), value(item))).collect(),
        ),
    }
}

/// The configuration that a JSON object says.
pub(crate) fn config(json: &Json) -> Config {
    Config::new(value(json).as_table().expect("a configuration is an object").clone())
}

/// A disk for tests: `/srv/http`, and a folder `/base` with a few of each kind.
pub(super) fn look(path: &Path) -> PathKind {
    match path.to_str().expect("test paths are UTF-8") {
        "/" | "/srv/http" | "/base" | "/base/web" | "/base/logs" | "/base/pkg.py" | "/other"
        | "/other/web" | "/other/logs" => PathKind::Folder,
        "/base/app.py" | "/other/app.py" | "/base/notes.txt" | "/base/one.pem"
        | "/other/one.pem" | "/other/two.pem" | "/base/two.pem" => PathKind::File,
        "/dev/null" => PathKind::Other,
        _ => PathKind::Missing,
    }
}

/// A plain HTTP server on every interface, port 8080.
pub(super) fn everywhere() -> FirstListener {
    FirstListener {
        endpoint: Endpoint::tcp("", 8080),
        tls: false,
        is_listed: false,
        bound: vec![IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::V4(Ipv4Addr::UNSPECIFIED)],
        port: 8080,
    }
}

/// An environment of [`everywhere`] and [`look`], with Python and no other server.
pub(super) fn env(listener: &FirstListener) -> CompileEnv<'_> {
    CompileEnv {
        base: "/base".into(),
        resolve_anew: false,
        listener,
        python: true,
        look: &look,
        local_site: &|_, _| None,
        processors: 4,
        memory: Some(4 << 30),
    }
}

/// Compiles a configuration alone.
pub(crate) fn compiled(json: &Json) -> Result<Site, Faults> {
    compiled_with(json, &Routes::default())
}

/// Compiles a configuration with routes.
pub(crate) fn compiled_with(json: &Json, routes: &Routes) -> Result<Site, Faults> {
    compile(&config(json), routes, &env(&everywhere()), None)
}

/// The site of a configuration that has no fault.
#[track_caller]
pub(crate) fn site(json: Json) -> Site {
    compiled(&json).unwrap_or_else(|faults| panic!("{json}\n{faults}"))
}

/// Checks that a configuration has exactly these faults; an empty text is none.
#[track_caller]
pub(super) fn check(json: Json, expected: &str) {
    let found = compiled(&json).err().map(|faults| faults.to_string()).unwrap_or_default();
    assert_eq!(found, expected, "\nfor {json}");
}

/// Compiles on top of what is in force.
pub(super) fn change(
    before: (&Site, &Routes),
    config: &Config,
    routes: &Routes,
) -> Result<Site, Faults> {
    compile(config, routes, &env(&everywhere()), Some(before))
}

/// A key of a configuration.
pub(super) fn way<const N: usize>(keys: [&str; N]) -> [Arc<str>; N] {
    keys.map(Arc::from)
}

/// The scope of a host at port 8080.
pub(super) fn host<'s>(site: &'s Site, name: &str) -> &'s Arc<Scope> {
    site.scope_for(name, 8080)
}

#[test]
fn c1_7_nothing_configured_serves_srv_http() {
    let site = site(json!({}));
    assert_eq!(site.global.options.web_root.as_deref(), Some(Path::new("/srv/http")));
    assert_eq!(site.global.options.index, ["index.html"]);
    assert!(site.hosts.is_empty());
    assert_eq!(site.warnings, Vec::<String>::new());
}

#[test]
fn c2_6_every_fault_is_reported_at_once_in_document_order() {
    check(
        json!({
            "web_rot": "x",
            "io_threads": 0,
            "index": ["a", "b/c", 3],
            "vhosts": {
                "b.example": {"module": "nothing.py", "debug": 1},
                "a.example": {"proxy": "10.0.0.1"},
                "": {"web_root": 7},
                "c.example": [],
            },
        }),
        "\
index[1]: expected a plain file name, without a folder, found `b/c`
index[2]: expected a file name, found the number `3`
io_threads: expected a whole number from 1 to 1024, found `0`
vhosts.\"\": expected a host name, found an empty name
vhosts.\"\".web_root: expected a path, found the number `7`
vhosts.\"a.example\".proxy: expected `host:port`, found `10.0.0.1`
vhosts.\"b.example\".debug: expected `true` or `false`, found the number `1`
vhosts.\"b.example\".module: expected a `.py` file that exists, found `/base/nothing.py`
vhosts.\"c.example\": expected a table of options, found a list of 0
web_rot: expected a known option, found `web_rot`
  hint: did you mean `web_root`?",
    );
}

#[test]
fn a_table_of_ten_thousand_is_compiled_once_and_edited_in_one_place() {
    // The costs stand in the benchmarks; here, that the shape scales at all.
    let vhosts: Table = (0..10_000)
        .map(|number| {
            let options: Table =
                [(Arc::from("web_root"), Value::from("web"))].into_iter().collect();
            (Arc::from(format!("host-{number}.example")), Value::Table(options))
        })
        .collect();
    let root: Table = [(Arc::from("vhosts"), Value::Table(vhosts))].into_iter().collect();
    let mut config = Config::new(root);
    let routes = Routes::default();
    let first = compile(&config, &routes, &env(&everywhere()), None).expect("valid");
    assert_eq!(first.hosts.len(), 10_000);
    assert!(config.set(&way(["vhosts", "host-77.example", "debug"]), true.into()));
    let looks = std::cell::Cell::new(0);
    let listener = everywhere();
    let counting = |path: &Path| {
        looks.set(looks.get() + 1);
        look(path)
    };
    let env = CompileEnv { look: &counting, ..env(&listener) };
    let second = compile(&config, &routes, &env, Some((&first, &routes))).expect("valid");
    assert_eq!(looks.get(), 0, "the edit names no path, so nothing is looked at");
    for (key, scope) in second.hosts.iter() {
        let same = first.hosts.get(key).is_some_and(|before| Arc::ptr_eq(before, scope));
        assert_eq!(same, &*key.name != "host-77.example", "{}", key.name);
    }
}
