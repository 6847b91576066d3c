//! What the connection of a request decides: in which port a host is looked up.

use serde_json::json;

use super::*;
use crate::compile::tests::site;

#[test]
fn c4_1_a_host_without_a_port_is_looked_up_in_that_of_its_connection() {
    let site = site(json!({
        "vhosts": {"a:80": {}, "a:8443": {}, "b": {}, "*.c:80": {}},
    }));
    for (uri, host, port, expected) in [
        ("/", "a", 80, "a:80"),
        ("/", "a", 8443, "a:8443"),
        ("/", "a", 8080, "-"),
        ("/", "a:80", 8443, "a:80"),
        ("/", "a:8080", 80, "-"),
        ("/", "b", 1, "b"),
        ("/", "x.c", 80, "*.c:80"),
        ("/", "x.c", 81, "-"),
        ("http://a/", "a", 8443, "a:8443"),
        ("http://a:80/", "a", 8443, "a:80"),
    ] {
        let uri: Uri = uri.parse().unwrap();
        let headers = HeaderMap::from_iter([(HOST, host.parse().unwrap())]);
        let (method, version) = (&Method::GET, Version::HTTP_11);
        let transport = Transport { port, ..TRANSPORT };
        let plan = site.plan(&Head { method, uri: &uri, version, headers: &headers, transport });
        assert_eq!(plan.host.name.as_deref().unwrap_or("-"), expected, "{uri} {host} {port}");
    }
}
