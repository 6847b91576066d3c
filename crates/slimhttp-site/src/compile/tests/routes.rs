//! Routes and the scopes that they are attached to (C8.1).

use http::Method;

use super::*;
use crate::protocol::methods::Methods;
use crate::routing::route::{HandlerId, Route, RouteKind, RouteMatch};

fn route(pattern: &str, handler: u64) -> Route {
    Route {
        pattern: pattern.into(),
        methods: Methods::Any,
        prefix: false,
        kind: RouteKind::Whole,
        handler: HandlerId(handler),
    }
}

fn routes(of: &[(Option<&str>, &str, u64)]) -> Routes {
    let mut routes = Routes::default();
    for (vhost, pattern, handler) in of {
        routes.register(*vhost, route(pattern, *handler)).expect("a valid route");
    }
    routes
}

/// The handler that a host's routes have for `path`.
fn handler(site: &Site, name: &str, path: &str) -> Option<u64> {
    match host(site, name).routes.find(path.as_bytes(), &Method::GET) {
        RouteMatch::Handler(HandlerId(handler), ..) => Some(handler),
        _ => None,
    }
}

fn with(json: &Json, routes: &Routes) -> Site {
    compile(&config(json), routes, &env(&everywhere()), None).expect("valid")
}

#[test]
fn c8_1_each_scope_has_its_own_routes() {
    let routes = routes(&[
        (None, "/", 1),
        (Some("a.example"), "/", 2),
        (Some("Only.Routes.Example"), "/", 3),
    ]);
    let site = with(
        &json!({"index": "i", "vhosts": {"A.Example": {"index": "a"}, "b.example": {}}}),
        &routes,
    );
    for (name, index, own) in [
        ("unknown.example", "i", Some(1)),
        ("a.example", "a", Some(2)),
        ("b.example", "i", None),
        ("only.routes.example", "i", Some(3)),
    ] {
        assert_eq!(handler(&site, name, "/"), own, "{name}");
        assert_eq!(host(&site, name).options.index, [index], "{name}");
    }
    assert_eq!(host(&site, "a.example").name.as_deref(), Some("A.Example"));
    assert_eq!(host(&site, "only.routes.example").name.as_deref(), Some("only.routes.example"));
}

#[test]
fn c8_1_the_name_of_a_scope_that_only_routes_make_can_be_written() {
    for (registered, name) in [
        ("*.A.example:81", "*.a.example:81"),
        ("[0::1]:80", "[::1]:80"),
        ("ü.example", "xn--tda.example"),
    ] {
        let site = with(&json!({}), &routes(&[(Some(registered), "/", 1)]));
        let (_, scope) = site.hosts.iter().next().expect("one host");
        assert_eq!(scope.name.as_deref(), Some(name));
        let again = with(&json!({}), &routes(&[(scope.name.as_deref(), "/", 1)]));
        let (key, _) = site.hosts.iter().next().expect("one host");
        assert!(again.hosts.get(key).is_some(), "{name} is the same key");
    }
}

#[test]
fn c8_1_spellings_of_a_host_share_their_routes() {
    let mut routes = routes(&[(Some("A.example"), "/x", 1)]);
    let replaced = routes.register(Some("a.example."), route("/x", 2));
    assert_eq!(replaced, Ok(vec![HandlerId(1)]));
    assert_eq!(routes.iter().count(), 1);
    assert!(!routes.is_empty());
}

#[test]
fn c8_1_a_wrong_route_is_a_fault_and_registers_nothing() {
    let mut routes = Routes::default();
    let fault = routes.register(Some(""), route("/x", 1)).expect_err("no host");
    assert_eq!(fault.to_string(), "route.\"/x\".vhost: expected a host name, found an empty text");
    let fault = routes.register(None, route("no slash", 1)).expect_err("no path");
    assert_eq!(fault.place.to_string(), "route.\"no slash\"");
    assert_eq!(fault.found.as_deref(), Some("`no slash`"));
    assert!(routes.is_empty());
}

#[test]
fn c3_5_a_route_changes_its_own_scope_only() {
    let before = routes(&[(Some("a.example"), "/", 1), (Some("r.example"), "/", 2)]);
    let json = json!({"vhosts": {"a.example": {"index": "a"}, "b.example": {}}});
    let first = with(&json, &before);
    let mut after = before.clone();
    after.register(Some("a.example"), route("/more", 3)).expect("a valid route");
    after.register(Some("new.example"), route("/", 4)).expect("a valid route");
    let second = change((&first, &before), &first.config, &after).expect("valid");
    for (name, same) in [("a.example", false), ("b.example", true), ("r.example", true)] {
        assert_eq!(Arc::ptr_eq(host(&first, name), host(&second, name)), same, "{name}");
    }
    assert!(Arc::ptr_eq(&first.global, &second.global));
    let options = |site| Arc::clone(&host(site, "a.example").options);
    assert!(Arc::ptr_eq(&options(&first), &options(&second)), "its options are the same");
    assert_eq!(handler(&second, "a.example", "/"), Some(1));
    assert_eq!(handler(&second, "a.example", "/more"), Some(3));
    assert_eq!(handler(&second, "new.example", "/"), Some(4));
    assert_eq!(handler(&first, "a.example", "/more"), None, "the site in force is untouched");
}

#[test]
fn c3_5_a_vhost_with_routes_is_configured_and_taken_away_again() {
    let routes = routes(&[(Some("r.example"), "/", 1)]);
    let first = with(&json!({}), &routes);
    let configured = config(&json!({"vhosts": {"R.example": {"index": "r"}}}));
    let second = change((&first, &routes), &configured, &routes).expect("valid");
    let scope = host(&second, "r.example");
    assert_eq!((scope.name.as_deref(), scope.options.index[0].as_str()), (Some("R.example"), "r"));
    assert_eq!(handler(&second, "r.example", "/"), Some(1));
    let third = change((&second, &routes), &config(&json!({})), &routes).expect("valid");
    assert_eq!(host(&third, "r.example").name.as_deref(), Some("r.example"));
    assert_eq!(host(&third, "r.example").options.index, ["index.html"]);
    assert_eq!(handler(&third, "r.example", "/"), Some(1));
    // Global options reach it too.
    let global = config(&json!({"index": "g"}));
    let fourth = change((&third, &routes), &global, &routes).expect("valid");
    assert_eq!(host(&fourth, "r.example").options.index, ["g"]);
    // Without routes there is nothing left.
    let none = Routes::default();
    let fifth = change((&fourth, &routes), &global, &none).expect("valid");
    assert!(fifth.hosts.is_empty());
}
