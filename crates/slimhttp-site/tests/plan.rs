//! What is done about a request: configurations, requests, and the plan of each.
//! A new case is a line.
//!
//! A request is `METHOD target [version] [Field: value]…`; its plan is the scope
//! (`-` for the global level), then the actions in turn.

#![expect(clippy::unwrap_used, reason = "a case that cannot be read is a broken test")]
#![expect(clippy::too_many_lines, reason = "a test may be a table of any length")]

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version};
use slimhttp_site::compile::{CompileEnv, PathKind, Routes, compile};
use slimhttp_site::config::Config;
use slimhttp_site::listener::{Endpoint, FirstListener};
use slimhttp_site::methods::Methods;
use slimhttp_site::plan::{Action, Head, Security, Transport};
use slimhttp_site::refusal::Refusal;
use slimhttp_site::route::{HandlerId, Param, Route, RouteKind};
use slimhttp_site::site::Site;
use slimhttp_site::value::{Table, Value};

/// JSON text → what a Python dict would give.
fn value(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(bool) => Value::Bool(*bool),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(integer) => Value::Integer(integer),
            None => Value::Float(number.as_f64().unwrap()),
        },
        serde_json::Value::String(text) => Value::String(text.as_str().into()),
        serde_json::Value::Array(items) => Value::List(items.iter().map(value).collect()),
        serde_json::Value::Object(table) => Value::Table(
            table.iter().map(|(key, item)| (Arc::from(key.as_str()), value(item))).collect(),
        ),
    }
}

fn table(json: &str) -> Table {
    value(&serde_json::from_str(json).unwrap()).as_table().unwrap().clone()
}

/// Compiles a configuration; each route is `[host] METHODS path [prefix]` and
/// gets its position, from 1, as its handler.
fn site(config: &str, routes: &[&str]) -> Site {
    let mut registered = Routes::default();
    for (position, line) in routes.iter().enumerate() {
        let mut words: Vec<&str> = line.split(' ').collect();
        let prefix = words.last() == Some(&"prefix");
        if prefix {
            words.pop();
        }
        let [vhost, methods, pattern] = words[..] else { panic!("expected three words: {line}") };
        let methods = match methods {
            "*" => Methods::Any,
            named => Methods::Only(named.split(',').map(|name| name.parse().unwrap()).collect()),
        };
        let route = Route {
            pattern: pattern.into(),
            methods,
            prefix,
            kind: RouteKind::Whole,
            handler: HandlerId(position as u64 + 1),
        };
        registered.register((vhost != "-").then_some(vhost), route).unwrap();
    }
    let listener = FirstListener {
        endpoint: Endpoint::tcp("", 8080),
        tls: false,
        is_listed: false,
        bound: vec![IpAddr::V4(Ipv4Addr::UNSPECIFIED)],
        port: 8080,
    };
    let look = |path: &Path| match path.extension() {
        Some(extension) if extension == "py" => PathKind::File,
        _ => PathKind::Folder,
    };
    let world = CompileEnv {
        base: "/base".into(),
        resolve_anew: false,
        listener: &listener,
        python: true,
        look: &look,
        local_site: &|_, _| None,
        processors: 2,
        memory: None,
    };
    compile(&Config::new(table(config)), &registered, &world, None)
        .unwrap_or_else(|faults| panic!("{faults}"))
}

/// The plan of a request, as text.
fn planned(site: &Site, request: &str) -> String {
    let mut words = request.splitn(3, ' ');
    let method: Method = words.next().unwrap().parse().unwrap();
    let uri: Uri =
        words.next().unwrap().parse().unwrap_or_else(|error| panic!("{request}: {error}"));
    let mut rest = words.next().unwrap_or_default();
    let mut version = Version::HTTP_11;
    for (name, meant) in [("HTTP/1.0", Version::HTTP_10), ("HTTP/2", Version::HTTP_2)] {
        if let Some(fields) = rest.strip_prefix(name) {
            version = meant;
            rest = fields.trim_start();
        }
    }
    let mut headers = HeaderMap::new();
    for field in rest.split("; ").filter(|field| !field.is_empty()) {
        let (name, value) = field.split_once(": ").or(field.split_once(':')).unwrap();
        headers.append(
            HeaderName::try_from(name).unwrap(),
            HeaderValue::from_bytes(value.as_bytes()).unwrap(),
        );
    }
    let (peer, security) = (IpAddr::V4(Ipv4Addr::LOCALHOST), Security::Plain);
    let transport = Transport { port: 8080, peer, security };
    let head = Head { method: &method, uri: &uri, version, headers: &headers, transport };
    let plan = site.plan(&head);
    let mut text = plan.scope.name.as_deref().unwrap_or("-").to_string();
    for action in &plan.actions {
        text.push_str(" | ");
        match action {
            Action::Call(HandlerId(id), _, params) => {
                let _ = write!(text, "call {id}");
                for (name, param) in params {
                    let _ = match param {
                        Param::Text(value) => write!(text, " {name}={value}"),
                        Param::Integer(value) => write!(text, " {name}={value}i"),
                    };
                }
            }
            Action::WebSocket(..) | Action::Application(..) | Action::RegularFile(_) => {
                text.push_str("elsewhere")
            }
            Action::Module(module) => {
                let _ = write!(text, "module {}", module.path.display());
            }
            Action::Proxy(proxy) => {
                let _ =
                    write!(text, "proxy {}:{}", proxy.upstreams[0].host, proxy.upstreams[0].port);
            }
            Action::File(path) => {
                let _ = write!(text, "file {}", path.as_path().display());
            }
            Action::Redirect { location, status } => {
                let _ = write!(text, "{} {}", status.as_u16(), location.to_str().unwrap());
            }
            Action::Preflight(fields) => {
                let _ = write!(text, "preflight {fields:?}");
            }
            Action::Options(_) => text.push_str("options"),
            Action::Refuse(Refusal::MethodNotAllowed(methods)) => {
                let _ = write!(text, "405 {methods}");
            }
            Action::Refuse(refusal) => {
                let _ = write!(text, "{}", refusal.status().as_u16());
            }
        }
    }
    text.trim_end().to_string()
}

/// One configuration, its routes, and what is planned for each request.
fn check(config: &str, routes: &[&str], cases: &[(&str, &str)]) {
    let site = site(config, routes);
    for (request, expected) in cases {
        assert_eq!(planned(&site, request), *expected, "{request}");
    }
}

const HOSTS: &str = r#"{
    "web_root": "www",
    "vhosts": {
        "a.example": {"web_root": "a"},
        "B.Example.": {"web_root": "b"},
        "a.example:8443": {"web_root": "a-tls"},
        "*.example": {"web_root": "any"},
        "*.deep.example": {"web_root": "deep"},
        "bücher.example": {"web_root": "books"},
        "[::1]": {"web_root": "six"},
        "127.0.0.1": {"web_root": "four"},
        "p.example": {"proxy": "10.0.0.1:80"},
        "m.example": {"module": "m.py"},
        "n.example": {"module": "n.py", "web_root": "n"}
    }
}"#;

#[test]
fn c4_1_the_host_picks_the_scope() {
    let scopes: &[(&str, &str)] = &[
        ("a.example", "a.example"),
        ("A.EXAMPLE", "a.example"),
        ("a.example.", "a.example"),
        ("a.example:80", "a.example"),
        ("a.example:", "a.example"),
        ("a.example:8080", "a.example"),
        ("a.example:8443", "a.example:8443"),
        ("A.Example.:8443", "a.example:8443"),
        ("b.example", "B.Example."),
        ("b.example.", "B.Example."),
        ("c.example", "*.example"),
        ("x.c.example", "*.example"),
        ("deep.example", "*.example"),
        ("x.deep.example", "*.deep.example"),
        ("y.x.deep.example:1", "*.deep.example"),
        ("bücher.example", "bücher.example"),
        ("BÜCHER.example", "bücher.example"),
        ("xn--bcher-kva.example", "bücher.example"),
        ("XN--BCHER-KVA.EXAMPLE:99", "bücher.example"),
        ("[::1]", "[::1]"),
        ("[0:0:0:0:0:0:0:1]:8080", "[::1]"),
        ("127.0.0.1:8080", "127.0.0.1"),
        ("127.0.0.2", "-"),
        ("example", "-"),
        ("other", "-"),
        ("a.example.org", "-"),
        ("xa.example.org", "-"),
        ("localhost:8080", "-"),
        ("a_b.example", "*.example"),
    ];
    let site = site(HOSTS, &[]);
    for (host, scope) in scopes {
        for version in ["", "HTTP/1.0 ", "HTTP/2 "] {
            let found = planned(&site, &format!("GET /x {version}Host: {host}"));
            assert_eq!(found.split(" | ").next(), Some(*scope), "{version}{host}");
        }
    }
}

#[test]
fn c4_2_a_request_names_one_well_formed_host() {
    check(
        HOSTS,
        &[],
        &[
            ("GET /x", "- | 400"),
            ("GET /x HTTP/1.0", "- | file x"),
            ("GET /x HTTP/2", "- | 400"),
            ("GET /x Host: a.example; Host: a.example", "- | 400"),
            ("GET /x Host: a.example; Host: b.example", "- | 400"),
            ("GET /x HTTP/1.0 Host: a.example; Host: b.example", "- | 400"),
            ("GET /x Host:", "- | 400"),
            ("GET /x Host: a b", "- | 400"),
            ("GET /x Host: a/b", "- | 400"),
            ("GET /x Host: a:b", "- | 400"),
            ("GET /x Host: a:80:80", "- | 400"),
            ("GET /x Host: a:99999", "- | 400"),
            ("GET /x Host: user@a.example", "- | 400"),
            ("GET /x Host: [::1", "- | 400"),
            ("GET /x Host: [::1]x", "- | 400"),
            ("GET /x Host: [zz]", "- | 400"),
            ("GET /x Host: ::1", "- | 400"),
            ("GET /x Host: a,b", "- | file x"),
            ("GET /x Host: a..b", "- | file x"),
            ("GET /x Host: .", "- | 400"),
            ("GET /x Host: a%2eexample", "a.example | file x"),
            ("GET http://a.example/x Host: a.example", "a.example | file x"),
            ("GET http://a.example:80/x Host: a.example", "a.example | file x"),
            ("GET http://a.example/x Host: A.EXAMPLE:80", "a.example | file x"),
            ("GET http://a.example?q Host: a.example", "a.example | file"),
            ("GET http://a.example/x Host: b.example", "- | 400"),
            ("GET http://a.example/x Host: a.example:81", "- | 400"),
            ("GET http://a.example/x", "- | 400"),
            ("GET http://a.example/x HTTP/1.0", "a.example | file x"),
            ("GET http://a.example/x HTTP/2", "a.example | file x"),
            ("GET https://a.example:8443/x HTTP/2", "a.example:8443 | file x"),
            ("GET https://a.example/x HTTP/2 Host: b.example", "- | 400"),
        ],
    );
}

#[test]
fn c2_2_a_scope_answers_in_its_own_way() {
    check(
        HOSTS,
        &[],
        &[
            ("GET / Host: p.example", "p.example | proxy 10.0.0.1:80"),
            ("POST /x?y Host: p.example", "p.example | proxy 10.0.0.1:80"),
            ("OPTIONS /x Host: p.example", "p.example | proxy 10.0.0.1:80"),
            ("OPTIONS * Host: p.example", "p.example | proxy 10.0.0.1:80"),
            ("OPTIONS * Host: n.example", "n.example | options"),
            ("OPTIONS /x Host: n.example", "n.example | module /base/n.py | file x"),
            ("BREW /a%2fb%5c Host: p.example", "p.example | proxy 10.0.0.1:80"),
            ("GET /x Host: n.example", "n.example | module /base/n.py | file x"),
            ("POST /x Host: n.example", "n.example | module /base/n.py | 405 GET, HEAD, OPTIONS"),
            ("GET /%2f Host: n.example", "n.example | module /base/n.py | 404"),
        ],
    );
}

#[test]
fn c5_1_files_answer_get_and_head() {
    check(
        r#"{"web_root": "www"}"#,
        &[],
        &[
            ("GET / Host: h", "- | file"),
            ("HEAD / Host: h", "- | file"),
            ("GET /a Host: h", "- | file a"),
            ("GET /a/ Host: h", "- | file a"),
            ("GET /a/b.txt?q=1 Host: h", "- | file a/b.txt"),
            ("GET /a%20b Host: h", "- | file a b"),
            ("GET /%C3%BC.html Host: h", "- | file ü.html"),
            ("GET /a+b Host: h", "- | file a+b"),
            ("GET //a///b Host: h", "- | file a/b"),
            ("GET /a/./b Host: h", "- | file a/b"),
            ("GET /a/../b Host: h", "- | file b"),
            ("GET /a/%2e%2e/b Host: h", "- | file b"),
            ("GET /%2561 Host: h", "- | file %61"),
            ("GET /.hidden Host: h", "- | file .hidden"),
            ("GET /... Host: h", "- | file ..."),
            ("GET /a%5Cb Host: h", "- | file a\\b"),
            ("POST / Host: h", "- | 405 GET, HEAD, OPTIONS"),
            ("PUT /a Host: h", "- | 405 GET, HEAD, OPTIONS"),
            ("PATCH /a Host: h", "- | 405 GET, HEAD, OPTIONS"),
            ("DELETE /a Host: h", "- | 405 GET, HEAD, OPTIONS"),
            ("OPTIONS /a Host: h", "- | file a"),
            ("OPTIONS * Host: h", "- | options"),
            ("GET * Host: h", "- | 400"),
            ("TRACE / Host: h", "- | 405 GET, HEAD, OPTIONS"),
            ("PROPFIND / Host: h", "- | 405 GET, HEAD, OPTIONS"),
            ("get / Host: h", "- | 405 GET, HEAD, OPTIONS"),
            ("CONNECT h:80 Host: h:80", "- | 405 GET, HEAD, OPTIONS"),
        ],
    );
}

#[test]
fn c5_2_no_path_leaves_the_root() {
    check(
        r#"{"web_root": "www"}"#,
        &[],
        &[
            ("GET /.. Host: h", "- | 400"),
            ("GET /../ Host: h", "- | 400"),
            ("GET /../etc/passwd Host: h", "- | 400"),
            ("GET /a/../../etc/passwd Host: h", "- | 400"),
            ("GET /%2e%2e/etc/passwd Host: h", "- | 400"),
            ("GET /%2E%2E/etc/passwd Host: h", "- | 400"),
            ("GET /.%2e/etc/passwd Host: h", "- | 400"),
            ("GET /%2e./etc/passwd Host: h", "- | 400"),
            ("GET //../etc/passwd Host: h", "- | 400"),
            ("GET /./../etc/passwd Host: h", "- | 400"),
            ("GET /%252e%252e/etc/passwd Host: h", "- | file %2e%2e/etc/passwd"),
            ("GET /..%2fetc/passwd Host: h", "- | 404"),
            ("GET /..%2f..%2fetc%2fpasswd Host: h", "- | 404"),
            ("GET /%2e%2e%2fetc Host: h", "- | 404"),
            ("GET /a%2f..%2f..%2fetc Host: h", "- | 404"),
            ("GET /..%5c..%5cetc Host: h", "- | file ..\\..\\etc"),
            ("GET /a%00.html Host: h", "- | 400"),
            ("GET /%00 Host: h", "- | 400"),
            ("GET /%zz Host: h", "- | 400"),
            ("GET /% Host: h", "- | 400"),
            ("GET /%2 Host: h", "- | 400"),
            ("GET /%2fetc/passwd Host: h", "- | 404"),
            ("GET /..;/etc Host: h", "- | file ..;/etc"),
        ],
    );
}

#[test]
fn c6_7_scripts_answer_every_method_where_they_run() {
    let cases = |script: &'static str, index: &'static str| {
        [
            ("GET /x.py Host: h", "- | file x.py"),
            ("POST /x.py Host: h", script),
            (
                "PUT /a/x.py Host: h",
                if script.contains("405") { script } else { "- | file a/x.py" },
            ),
            ("POST / Host: h", index),
            ("POST /x.txt Host: h", "- | 405 GET, HEAD, OPTIONS"),
        ]
    };
    let plain = "- | 405 GET, HEAD, OPTIONS";
    check(r#"{"web_root": "w"}"#, &[], &cases("- | file x.py", plain));
    check(r#"{"web_root": "w", "scripts": "executable"}"#, &[], &cases("- | file x.py", plain));
    check(r#"{"web_root": "w", "scripts": false}"#, &[], &cases(plain, plain));
    let index = r#"{"web_root": "w", "index": ["index.html", "index.py"]}"#;
    check(index, &[], &cases("- | file x.py", "- | file"));
    check(r#"{"web_root": "w", "index": "index.py", "scripts": false}"#, &[], &cases(plain, plain));
}

#[test]
fn c8_1_routes_decide_before_everything() {
    let routes = [
        "- * /",                  // 1
        "- GET /only-get",        // 2
        "- GET,POST /two",        // 3
        "- * /users/<name>",      // 4
        "- * /users/me",          // 5
        "- * /users/<int:id>",    // 6
        "- * /files/<path:rest>", // 7
        "- * /files/<name>/info", // 8
        "- * /api prefix",        // 9
        "- * /api/v2 prefix",     // 10
        "p.example * /",          // 11
        "m.example * /on",        // 12
        "new.example * /hi",      // 13
        "- PUT /only-get",        // 14
        "- * /sp%20ace",          // 15: a pattern is the decoded path
        "- * /caf\u{e9}",         // 16
        "- * /replaced",          // 17
        "- * /replaced",          // 18
        "n.example POST /form",   // 19
    ];
    check(
        HOSTS,
        &routes,
        &[
            ("GET / Host: h", "- | call 1 | file"),
            ("BREW / Host: h", "- | call 1 | 405 GET, HEAD, OPTIONS"),
            ("GET /?a=b Host: h", "- | call 1 | file"),
            ("GET /x Host: h", "- | file x"),
            ("GET /only-get Host: h", "- | call 2 | file only-get"),
            ("HEAD /only-get Host: h", "- | call 2 | file only-get"),
            ("PUT /only-get Host: h", "- | call 14 | 405 GET, HEAD, OPTIONS"),
            ("POST /only-get Host: h", "- | 405 GET, PUT, HEAD"),
            ("POST /two Host: h", "- | call 3 | 405 GET, HEAD, OPTIONS"),
            ("PUT /two Host: h", "- | 405 GET, POST, HEAD"),
            ("OPTIONS /two Host: h", "- | 405 GET, POST, HEAD"),
            ("GET /two/ Host: h", "- | file two"),
            ("GET /two/below Host: h", "- | file two/below"),
            ("GET /Two Host: h", "- | file Two"),
            ("GET /tw%6F Host: h", "- | call 3 | file two"),
            ("GET /a/../two Host: h", "- | call 3 | file two"),
            ("GET /users/ann Host: h", "- | call 4 name=ann | file users/ann"),
            ("GET /users/a%20b Host: h", "- | call 4 name=a b | file users/a b"),
            ("GET /users/me Host: h", "- | call 5 | file users/me"),
            ("GET /users/7 Host: h", "- | call 6 id=7i | file users/7"),
            ("GET /users/7a Host: h", "- | call 4 name=7a | file users/7a"),
            ("GET /users/-7 Host: h", "- | call 4 name=-7 | file users/-7"),
            ("GET /users/ Host: h", "- | file users"),
            ("GET /users/a/b Host: h", "- | file users/a/b"),
            ("GET /files/a Host: h", "- | call 7 rest=a | file files/a"),
            ("GET /files/a/b/c Host: h", "- | call 7 rest=a/b/c | file files/a/b/c"),
            ("GET /files/a/info Host: h", "- | call 8 name=a | file files/a/info"),
            ("GET /files/ Host: h", "- | file files"),
            ("GET /api Host: h", "- | call 9 | file api"),
            ("GET /api/ Host: h", "- | call 9 | file api"),
            ("GET /api/v1/x Host: h", "- | call 9 | file api/v1/x"),
            ("GET /api/v2 Host: h", "- | call 10 | file api/v2"),
            ("GET /api/v2/x Host: h", "- | call 10 | file api/v2/x"),
            ("GET /apis Host: h", "- | file apis"),
            ("GET / Host: p.example", "p.example | call 11 | proxy 10.0.0.1:80"),
            ("GET /x Host: p.example", "p.example | proxy 10.0.0.1:80"),
            ("GET / Host: a.example", "a.example | file"),
            ("GET /on Host: m.example", "m.example | call 12 | module /base/m.py | file on"),
            ("GET /hi Host: new.example", "new.example | call 13 | file hi"),
            ("GET /other Host: new.example", "new.example | file other"),
            ("GET /hi Host: h", "- | file hi"),
            ("GET /sp%20ace Host: h", "- | file sp ace"),
            ("GET /caf%C3%A9 Host: h", "- | call 16 | file café"),
            ("GET /replaced Host: h", "- | call 18 | file replaced"),
            (
                "POST /form Host: n.example",
                "n.example | call 19 | module /base/n.py | 405 GET, HEAD, OPTIONS",
            ),
            ("GET /form Host: n.example", "n.example | 405 POST"),
        ],
    );
}

#[test]
fn c6_1_a_module_has_its_files_where_it_has_a_root() {
    let global_module = r#"{"module": "g.py", "vhosts": {"f.example": {"web_root": "f"}, "i.example": {"index": "x"}}}"#;
    check(
        global_module,
        &[],
        &[
            ("GET /x Host: h", "- | module /base/g.py"),
            ("POST /x Host: h", "- | module /base/g.py"),
            ("GET /x Host: f.example", "f.example | file x"),
            ("GET /x Host: i.example", "i.example | module /base/g.py"),
        ],
    );
    let global_proxy = r#"{"proxy": "10.0.0.1:80", "web_root": "w",
        "vhosts": {"m.example": {"module": "m.py"}, "i.example": {"index": "x"}}}"#;
    check(
        global_proxy,
        &[],
        &[
            ("GET /x Host: h", "- | proxy 10.0.0.1:80"),
            ("GET /x Host: m.example", "m.example | module /base/m.py | file x"),
            ("GET /x Host: i.example", "i.example | proxy 10.0.0.1:80"),
        ],
    );
}

#[test]
fn c1_7_without_configuration_the_usual_folder_is_served() {
    let site = site("{}", &[]);
    assert_eq!(site.global.options.web_root.as_deref(), Some(Path::new("/srv/http")));
    assert_eq!(site.global.options.index, ["index.html"]);
    assert_eq!(planned(&site, "GET / Host: anything"), "- | file");
}
