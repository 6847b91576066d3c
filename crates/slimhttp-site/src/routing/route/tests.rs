//! Patterns, what they match and in which order, and what replaces what.

use http::Method;

use super::{HandlerId, Methods, Param, Route, RouteKind, RouteMatch, RouteTable};

/// Methods as a test writes them: `*`, or names parted by commas.
fn methods(written: &str) -> Methods {
    if written == "*" {
        return Methods::Any;
    }
    let names = written.split(',').map(|name| name.parse().expect("a method"));
    Methods::Only(names.collect())
}

/// A route as a test writes it: `/path`, `GET,POST /path`, `/path + below` for
/// a prefix route.
fn route(written: &str, handler: u64) -> Route {
    let (named, path) = match written.split_once(" /") {
        Some((named, path)) => (named, format!("/{path}")),
        None => ("*", written.to_owned()),
    };
    let (pattern, prefix) = match path.strip_suffix(" + below") {
        Some(pattern) => (pattern, true),
        None => (&*path, false),
    };
    let kind = RouteKind::Whole;
    let (pattern, methods) = (pattern.into(), methods(named));
    Route { pattern, methods, prefix, kind, handler: HandlerId(handler) }
}

/// Routes with the handlers 0, 1, 2 …; none of them replaces another.
fn table(routes: &[&str]) -> RouteTable {
    let mut table = RouteTable::default();
    for (number, written) in (0..).zip(routes) {
        assert_eq!(table.insert(route(written, number)), Ok(vec![]), "{written}");
    }
    table
}

/// What a table says, on one line: the route's text and its parameters, what
/// is allowed instead, or nothing.
fn found(table: &RouteTable, routes: &[&str], method: &str, path: &[u8]) -> String {
    match table.find(path, &method.parse().expect("a method")) {
        RouteMatch::Nothing => String::new(),
        RouteMatch::OtherMethods(methods) => format!("405 {methods}"),
        RouteMatch::Handler(HandlerId(number), _, params) => {
            let mut line = routes[usize::try_from(number).expect("small")].to_owned();
            for (name, param) in params {
                match param {
                    Param::Text(text) => line += &format!(" {name}={text:?}"),
                    Param::Integer(value) => line += &format!(" {name}={value}"),
                }
            }
            line
        }
    }
}

/// One route and one path: the parameters, or `None` where it does not match.
fn params(written: &str, path: &str) -> Option<String> {
    let line = found(&table(&[written]), &["yes"], "GET", path.as_bytes());
    line.strip_prefix("yes").map(|params| params.trim_start().to_owned())
}

#[test]
fn c8_1_what_a_route_matches() {
    for (written, path, expected) in [
        // Exact paths, and nothing below them.
        ("/", "/", Some("")),
        ("/", "/a", None),
        ("/a", "/a", Some("")),
        ("/a", "/a/", None),
        ("/a", "/a/b", None),
        ("/a", "/ab", None),
        ("/a", "/A", None),
        ("/a", "/", None),
        ("/a/", "/a/", Some("")),
        ("/a/", "/a", None),
        ("/ü b", "/ü b", Some("")),
        ("/a%20b", "/a b", None),
        ("/a%20b", "/a%20b", Some("")),
        ("/*", "/a", None),
        ("/.hidden/a.b", "/.hidden/a.b", Some("")),
        // Text.
        ("/users/<name>", "/users/bob", Some("name=\"bob\"")),
        ("/users/<string:name>", "/users/bob", Some("name=\"bob\"")),
        ("/users/<name>", "/users/ü b", Some("name=\"ü b\"")),
        ("/users/<name>", "/users/", None),
        ("/users/<name>", "/users", None),
        ("/users/<name>", "/users/bob/", None),
        ("/users/<name>", "/users/bob/x", None),
        ("/users/<name>", "/other/bob", None),
        ("/users/<name>/", "/users/bob/", Some("name=\"bob\"")),
        ("/users/<name>/", "/users/bob", None),
        ("/users/<name>/edit", "/users/bob/edit", Some("name=\"bob\"")),
        ("/users/<name>/edit", "/users/bob/view", None),
        ("/users/<name>/edit", "/users/bob/edit/", None),
        ("/<a>/<b>", "/1/2", Some("a=\"1\" b=\"2\"")),
        ("/<a>/<b>/<c>", "/x/y/z", Some("a=\"x\" b=\"y\" c=\"z\"")),
        ("/<name>", "/", None),
        ("/<größe>", "/x", Some("größe=\"x\"")),
        ("/<_a1>", "/x", Some("_a1=\"x\"")),
        // Numbers.
        ("/n/<int:id>", "/n/42", Some("id=42")),
        ("/n/<int:id>", "/n/0", Some("id=0")),
        ("/n/<int:id>", "/n/007", Some("id=7")),
        ("/n/<int:id>", "/n/9223372036854775807", Some("id=9223372036854775807")),
        ("/n/<int:id>", "/n/9223372036854775808", None),
        ("/n/<int:id>", "/n/-1", None),
        ("/n/<int:id>", "/n/+1", None),
        ("/n/<int:id>", "/n/1.5", None),
        ("/n/<int:id>", "/n/x", None),
        ("/n/<int:id>", "/n/1x", None),
        ("/n/<int:id>", "/n/", None),
        ("/n/<int:id>", "/n/٣", None),
        ("/n/<int:id>", "/n/1/2", None),
        // Paths.
        ("/files/<path:rest>", "/files/a", Some("rest=\"a\"")),
        ("/files/<path:rest>", "/files/a/b/c.txt", Some("rest=\"a/b/c.txt\"")),
        ("/files/<path:rest>", "/files/a/", Some("rest=\"a/\"")),
        ("/files/<path:rest>", "/files/", None),
        ("/files/<path:rest>", "/files", None),
        ("/files/<path:rest>", "/filesa", None),
        ("/<path:rest>", "/a/b", Some("rest=\"a/b\"")),
        ("/<path:rest>", "/", None),
        ("/<path:rest>/", "/a/b/", Some("rest=\"a/b\"")),
        ("/<path:rest>/", "/a/b", None),
        ("/f/<path:rest>/edit", "/f/a/b/edit", Some("rest=\"a/b\"")),
        ("/f/<path:rest>/edit", "/f/edit/edit", Some("rest=\"edit\"")),
        ("/f/<path:rest>/edit", "/f/edit", None),
        ("/f/<path:rest>/edit", "/f/a/edit/b", None),
        ("/<a>/<path:b>/<int:c>", "/x/y/z/1", Some("a=\"x\" b=\"y/z\" c=1")),
        ("/<a>/<path:b>/<int:c>", "/x/1", None),
        ("/<path:p>/<a>/<b>", "/1/2/3/4", Some("p=\"1/2\" a=\"3\" b=\"4\"")),
        // Literal text around a variable.
        ("/u-<name>", "/u-bob", Some("name=\"bob\"")),
        ("/u-<name>", "/u-", None),
        ("/u-<name>", "/x-bob", None),
        ("/<name>.json", "/bob.json", Some("name=\"bob\"")),
        ("/<name>.json", "/.json", None),
        ("/<name>.json", "/bob.json.json", Some("name=\"bob.json\"")),
        ("/<name>.json", "/bob.jsonx", None),
        ("/u-<name>.json", "/u-bob.json", Some("name=\"bob\"")),
        ("/u-<int:id>.json", "/u-7.json", Some("id=7")),
        ("/u-<int:id>.json", "/u-x.json", None),
        ("/aba<name>aba", "/ababa", None),
        ("/v<int:v>/<name>.txt", "/v2/x.txt", Some("v=2 name=\"x\"")),
        ("/s/<path:p>.css", "/s/a/b.css", Some("p=\"a/b\"")),
        ("/s/x-<path:p>", "/s/x-a/b", Some("p=\"a/b\"")),
        ("/s/x-<path:p>", "/s/a/x-b", None),
        // Prefix routes: whole segments.
        ("/ + below", "/", Some("")),
        ("/ + below", "/a/b", Some("")),
        ("/a + below", "/a", Some("")),
        ("/a + below", "/a/", Some("")),
        ("/a + below", "/a/b/c", Some("")),
        ("/a + below", "/ab", None),
        ("/a + below", "/", None),
        ("/a/ + below", "/a/", Some("")),
        ("/a/ + below", "/a/b", Some("")),
        ("/a/ + below", "/a", None),
        ("/<name> + below", "/x", Some("name=\"x\"")),
        ("/<name> + below", "/x/y/z", Some("name=\"x\"")),
        ("/<name> + below", "/", None),
        ("/<name>/ + below", "/x/y", Some("name=\"x\"")),
        ("/<name>/ + below", "/x", None),
        ("/<int:id>/b + below", "/1/b/c", Some("id=1")),
    ] {
        assert_eq!(params(written, path).as_deref(), expected, "{written} for {path}");
    }
}

#[test]
fn c8_1_the_most_specific_route_answers() {
    let routes = [
        "/",
        "/users/me",
        "/users/<int:id>",
        "/users/<name>",
        "/users/u-<name>",
        "/users/u-<int:id>",
        "/users/u-x<name>",
        "/users/<name>/posts",
        "/users + below",
        "/files",
        "/files/<path:rest>",
        "/files/<path:rest>/edit",
        "/files/<name>",
        "/files/special/<path:rest>",
        "/api + below",
        "/api/v1 + below",
        "/api/v1/<name>",
        "/api/v1/ + below",
        "/deep/<a>/c",
        "/deep/b/<x>",
        "/deep/b + below",
        "/<path:rest>",
    ];
    let cases = [
        ("/", "/"),
        ("/users/me", "/users/me"),
        ("/users/12", "/users/<int:id> id=12"),
        ("/users/12x", "/users/<name> name=\"12x\""),
        ("/users/99999999999999999999", "/users/<name> name=\"99999999999999999999\""),
        ("/users/u-bob", "/users/u-<name> name=\"bob\""),
        ("/users/u-7", "/users/u-<int:id> id=7"),
        ("/users/u-x7", "/users/u-x<name> name=\"7\""),
        ("/users/u-", "/users/<name> name=\"u-\""),
        ("/users/bob/posts", "/users/<name>/posts name=\"bob\""),
        ("/users/bob/other", "/users + below"),
        ("/users/me/", "/users + below"),
        ("/users", "/users + below"),
        ("/usersx", "/<path:rest> rest=\"usersx\""),
        ("/files", "/files"),
        ("/files/a", "/files/<name> name=\"a\""),
        ("/files/a/b", "/files/<path:rest> rest=\"a/b\""),
        ("/files/a/b/edit", "/files/<path:rest>/edit rest=\"a/b\""),
        ("/files/a/edit", "/files/<path:rest>/edit rest=\"a\""),
        ("/files/special/x", "/files/special/<path:rest> rest=\"x\""),
        ("/files/special", "/files/<name> name=\"special\""),
        ("/api", "/api + below"),
        ("/api/v2", "/api + below"),
        ("/api/v1", "/api/v1 + below"),
        ("/api/v1/", "/api/v1/ + below"),
        ("/api/v1/x", "/api/v1/<name> name=\"x\""),
        ("/api/v1/x/y", "/api/v1/ + below"),
        // The first segment that differs decides: `b` before `<a>`.
        ("/deep/b/c", "/deep/b/<x> x=\"c\""),
        ("/deep/x/c", "/deep/<a>/c a=\"x\""),
        ("/deep/b/c/d", "/deep/b + below"),
        ("/deep/x/d", "/<path:rest> rest=\"deep/x/d\""),
        ("/nothing/at/all", "/<path:rest> rest=\"nothing/at/all\""),
    ];
    // Whatever the order of registration.
    for turned in 0..routes.len() {
        let mut routes = routes;
        routes.rotate_left(turned);
        if turned % 2 == 1 {
            routes.reverse();
        }
        let table = table(&routes);
        for (path, expected) in cases {
            assert_eq!(found(&table, &routes, "GET", path.as_bytes()), expected, "{path}");
        }
    }
}

#[test]
fn c8_1_methods_narrow_a_route() {
    let routes = [
        "GET,POST /a",
        "DELETE /a",
        "PUT /<name>",
        "PATCH,PUT / + below",
        "GET /page",
        "GET /head",
        "HEAD /head",
        "/<name>/any",
        "POST /x/any",
        "PROPFIND /dav",
    ];
    let table = table(&routes);
    for (method, path, expected) in [
        ("GET", "/a", "GET,POST /a"),
        ("HEAD", "/a", "GET,POST /a"),
        ("POST", "/a", "GET,POST /a"),
        ("DELETE", "/a", "DELETE /a"),
        ("PUT", "/a", "PUT /<name> name=\"a\""),
        ("PATCH", "/a", "PATCH,PUT / + below"),
        ("OPTIONS", "/a", "405 GET, POST, DELETE, PUT, PATCH, HEAD"),
        ("get", "/a", "405 GET, POST, DELETE, PUT, PATCH, HEAD"),
        ("GET", "/b", "405 PUT, PATCH"),
        ("GET", "/b/c", "405 PATCH, PUT"),
        ("HEAD", "/page", "GET /page"),
        ("HEAD", "/head", "HEAD /head"),
        ("GET", "/head", "GET /head"),
        // A less specific route answers what the more specific one does not.
        ("POST", "/x/any", "POST /x/any"),
        ("GET", "/x/any", "/<name>/any name=\"x\""),
        ("PROPFIND", "/dav", "PROPFIND /dav"),
        ("PROPFIND", "/a", "405 GET, POST, DELETE, PUT, PATCH, HEAD"),
    ] {
        assert_eq!(found(&table, &routes, method, path.as_bytes()), expected, "{method} {path}");
    }
    assert_eq!(found(&RouteTable::default(), &[], "GET", b"/"), "");
}

#[test]
fn c8_1_bytes_that_are_not_text_match() {
    let routes = ["/a/<name>"];
    assert_eq!(
        found(&table(&routes), &routes, "GET", b"/a/b\xfcc"),
        "/a/<name> name=\"b\u{fffd}c\""
    );
    assert_eq!(found(&table(&routes), &routes, "GET", b"/\xfc/b"), "");
}

#[test]
fn c8_1_the_same_path_again_replaces() {
    for (first, second, replaces) in [
        ("/a", "/a", true),
        ("/a", "/b", false),
        ("/a", "/a/", false),
        ("/a", "/a + below", false),
        ("/a + below", "/a + below", true),
        ("/a + below", "/a/ + below", false),
        ("/<a>", "/<b>", true),
        ("/<a>", "/<string:b>", true),
        ("/<a>", "/<int:a>", false),
        ("/<a>", "/<path:a>", false),
        ("/<a>", "/<a>/", false),
        ("/<a>", "/<a> + below", false),
        ("/<a>/<b>", "/<b>/<a>", true),
        ("/x-<a>", "/x-<b>", true),
        ("/x-<a>", "/<a>-x", false),
        ("GET /a", "POST /a", false),
        ("GET /<a>", "POST /<b>", false),
        ("GET /a", "HEAD /a", false),
        ("GET /a", "GET /a", true),
        ("GET,POST /a", "POST,PUT /a", true),
        ("GET /a", "/a", true),
        ("/a", "GET /a", true),
    ] {
        let mut table = RouteTable::default();
        assert_eq!(table.insert(route(first, 1)), Ok(vec![]));
        let replaced = if replaces { vec![HandlerId(1)] } else { vec![] };
        assert_eq!(table.insert(route(second, 2)), Ok(replaced), "{first}, then {second}");
        let left: Vec<_> = table.iter().map(|route| route.handler.0).collect();
        assert_eq!(left.len(), if replaces { 1 } else { 2 }, "{first}, then {second}");
        assert!(left.contains(&2), "{first}, then {second}");
    }

    let mut table = table(&["GET /a", "POST /a", "PUT /a", "/b"]);
    assert_eq!(table.insert(route("PUT,GET /a", 9)), Ok(vec![HandlerId(0), HandlerId(2)]));
    assert_eq!(table.insert(route("/a", 10)), Ok(vec![HandlerId(1), HandlerId(9)]));
    assert_eq!(table.iter().count(), 2);
    // The new names count.
    table.insert(route("/p/<old>", 11)).expect("a pattern");
    table.insert(route("/p/<new>", 12)).expect("a pattern");
    let RouteMatch::Handler(HandlerId(12), _, params) = table.find(b"/p/x", &Method::GET) else {
        panic!("not the new route");
    };
    assert_eq!((&*params[0].0, &params[0].1), ("new", &Param::Text("x".into())));
}

#[test]
fn c8_1_patterns_that_are_none_say_what_was_expected() {
    let slash = "a path that begins with `/`";
    for (pattern, expected) in [
        ("", slash),
        ("a", slash),
        ("<a>", slash),
        (" /a", slash),
        ("http://a/", slash),
        ("*", slash),
        ("//", "a path without `//`"),
        ("/a//b", "a path without `//`"),
        ("/a//", "a path without `//`"),
        ("//<a>", "a path without `//`"),
        ("/.", "a path without `.` and `..`"),
        ("/a/../b", "a path without `.` and `..`"),
        ("/<a>/./b", "a path without `.` and `..`"),
        ("/<>", "a name of letters, digits and `_` in `<…>`, not ``"),
        ("/<int:>", "a name of letters, digits and `_` in `<…>`, not ``"),
        ("/<1a>", "a name of letters, digits and `_` in `<…>`, not `1a`"),
        ("/<a-b>", "a name of letters, digits and `_` in `<…>`, not `a-b`"),
        ("/<a b>", "a name of letters, digits and `_` in `<…>`, not `a b`"),
        ("/<int: a>", "a name of letters, digits and `_` in `<…>`, not ` a`"),
        ("/<int:a:b>", "a name of letters, digits and `_` in `<…>`, not `a:b`"),
        ("/<a>/<a>", "each name once, not `a` twice"),
        ("/<a>/x/<int:a>", "each name once, not `a` twice"),
        ("/<float:a>", "`int`, `path` or `string` before the colon, not `float`"),
        ("/<INT:a>", "`int`, `path` or `string` before the colon, not `INT`"),
        ("/<:a>", "`int`, `path` or `string` before the colon, not ``"),
        ("/<a", "a `<name>` that is closed before the next `/`, not `<a`"),
        ("/a>", "a `<name>` that is closed before the next `/`, not `a>`"),
        ("/<a/b>", "a `<name>` that is closed before the next `/`, not `<a`"),
        ("/><a>", "a `<name>` that is closed before the next `/`, not `><a>`"),
        ("/<a<b>>", "a `<name>` that is closed before the next `/`, not `<a<b>>`"),
        ("/<a>>", "one variable between two slashes, not `<a>>`"),
        ("/<a><b>", "one variable between two slashes, not `<a><b>`"),
        ("/<a>-<b>", "one variable between two slashes, not `<a>-<b>`"),
        ("/<path:a>/<path:b>", "at most one `<path:…>`"),
    ] {
        let mut table = table(&["/a"]);
        let route = Route { pattern: pattern.into(), ..route("/", 1) };
        assert_eq!(table.insert(route).expect_err(pattern), expected, "{pattern}");
        assert_eq!(table.iter().count(), 1, "{pattern}");
    }
    assert_eq!(
        RouteTable::default().insert(route("/<path:a> + below", 1)),
        Err("a prefix route without `<path:…>`: it answers all below it anyway".into())
    );
}

#[test]
fn every_route_is_listed_in_the_order_in_which_it_is_asked() {
    let routes =
        ["/ + below", "/<path:p>", "/<name>", "/<int:n>", "/x<name>", "/b + below", "/b/<x>", "/a"];
    let listed = table(&routes);
    let listed: Vec<_> = listed.iter().map(|route| &*route.pattern).collect();
    let expected = ["/a", "/b/<x>", "/b", "/x<name>", "/<int:n>", "/<name>", "/<path:p>", "/"];
    assert_eq!(listed, expected);
    assert!(RouteTable::default().is_empty());
    assert!(!table(&["/a"]).is_empty());
    assert!(!table(&["/<a>"]).is_empty());
}

#[test]
fn c3_2_a_change_to_a_clone_leaves_the_table_as_it_was() {
    let routes = ["GET /a", "/<name>"];
    let before = table(&routes);
    let mut after = before.clone();
    after.insert(route("GET /a", 7)).expect("a path");
    after.insert(route("POST /a", 8)).expect("a path");
    after.insert(route("/<other>", 9)).expect("a pattern");
    assert_eq!(found(&before, &routes, "GET", b"/a"), "GET /a");
    assert_eq!(found(&before, &routes, "POST", b"/a"), "/<name> name=\"a\"");
    assert_eq!(before.iter().count(), 2);
    assert_eq!(after.iter().count(), 3);
}
