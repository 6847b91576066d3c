//! Endpoints as they are compared and shown, and what leads to them.

use super::*;

#[test]
fn c10_1_an_endpoint_has_one_spelling() {
    for (address, port, shown) in [
        ("", 80, ":80"),
        ("127.0.0.1", 8080, "127.0.0.1:8080"),
        ("[::1]", 443, "[::1]:443"),
        ("0:0:0:0:0:0:0:1", 443, "[::1]:443"),
        ("Server.Example.", 80, "server.example:80"),
    ] {
        assert_eq!(Endpoint::tcp(address, port).to_string(), shown, "{address}");
    }
    assert_eq!(Endpoint::tcp("[::1]", 1), Endpoint::tcp("0::1", 1));
    assert_eq!(Endpoint::Unix(Path::new("/run/a.sock").into()).to_string(), "unix:/run/a.sock");
    assert_eq!(Endpoint::Inherited("web".into()).to_string(), "fd:web");
}

#[test]
fn c10_1_a_listener_is_shown_as_a_url() {
    assert_eq!(Listener::new(Endpoint::tcp("", 443), true).to_string(), "https://:443");
    assert_eq!(Listener::new(Endpoint::tcp("::1", 80), false).to_string(), "http://[::1]:80");
    let unix = Listener::new(Endpoint::Unix(Path::new("/a").into()), true);
    assert_eq!(unix.to_string(), "unix:/a");
}

#[test]
fn c10_1_the_first_listener_is_known_by_the_port_that_was_free_too() {
    let first = FirstListener {
        endpoint: Endpoint::tcp("127.0.0.1", 0),
        tls: false,
        is_listed: true,
        bound: vec![Ipv4Addr::LOCALHOST.into()],
        port: 4711,
    };
    let named = FirstListener { is_listed: false, ..first.clone() };
    assert!(!named.is(&Endpoint::tcp("127.0.0.1", 0)), "it is another free port");
    assert!(named.is(&Endpoint::tcp("127.0.0.1", 4711)));
    for (address, port, is_it) in [
        ("127.0.0.1", 0, true),
        ("127.0.0.1", 4711, true),
        ("127.0.0.1", 80, false),
        ("", 0, false),
    ] {
        assert_eq!(first.is(&Endpoint::tcp(address, port)), is_it, "{address}:{port}");
    }
}

#[test]
fn c7_4_what_leads_to_a_listener() {
    let reached = |listener: &Listener| {
        ["127.0.0.1", "::1", "localhost", "10.1.2.3", "a.example"]
            .into_iter()
            .filter(|host| listener.is_reached_by(host, 80))
            .collect::<Vec<_>>()
    };
    let at = |address: &str| Listener::new(Endpoint::tcp(address, 80), false);
    assert_eq!(reached(&at("")), ["127.0.0.1", "::1", "localhost"]);
    assert_eq!(reached(&at("127.0.0.1")), ["127.0.0.1", "localhost"]);
    assert_eq!(reached(&at("::")), ["::1", "localhost"]);
    assert_eq!(reached(&at("10.1.2.3")), ["10.1.2.3"]);
    assert_eq!(reached(&at("a.example")), ["a.example"]);
    assert!(!at("").is_reached_by("127.0.0.1", 81));
    let unix = Listener::new(Endpoint::Unix(Path::new("/a").into()), false);
    assert!(reached(&unix).is_empty());
}
