//! Where an instance listens (C10.1).

use super::*;
use crate::compile::first_listed;
use std::time::Duration;

use crate::site::listener::{Drain, Listener};

/// The listeners of a configuration beside the one of [`everywhere`].
#[track_caller]
fn listeners(written: Json) -> Vec<String> {
    let site = site(json!({ "listen": written }));
    site.service.listeners.iter().map(ToString::to_string).collect()
}

/// The second listener of a site.
#[track_caller]
fn second(written: Json) -> Listener {
    let site = site(json!({ "listen": [written] }));
    Listener::clone(&site.service.listeners[1])
}

#[test]
fn c10_1_the_first_listener_is_one_of_them() {
    let none: [&str; 0] = [];
    assert_eq!(listeners(json!(none)), ["http://:8080"]);
    assert_eq!(
        listeners(json!(["https://:443", "http://127.0.0.1", "unix:run/a.sock", "fd:web"])),
        ["http://:8080", "https://:443", "http://127.0.0.1:80", "unix:/base/run/a.sock", "fd:web",]
    );
    // It may be named, wherever.
    assert_eq!(
        listeners(json!(["https://[0::1]:443/", "http://:8080"])),
        ["http://:8080", "https://[::1]:443"]
    );
    assert_eq!(listeners(json!("http://:81")), ["http://:8080", "http://:81"]);
    // Each free port is another one.
    assert_eq!(
        listeners(json!(["http://127.0.0.1:0", "http://127.0.0.1:0"])),
        ["http://:8080", "http://127.0.0.1:0", "http://127.0.0.1:0"]
    );
}

#[test]
fn c10_1_a_table_says_more() {
    let unix = second(json!({
        "address": "unix:/run/a.sock", "tls": true, "mode": "0600", "owner": "www", "group": "web",
        "proxy_protocol": true,
    }));
    assert!(unix.tls);
    assert_eq!(unix.socket_file.mode, 0o600);
    assert_eq!(unix.socket_file.owner.as_deref(), Some("www"));
    assert_eq!(unix.socket_file.group.as_deref(), Some("web"));
    let proxies = unix.proxy_protocol.expect("it is on");
    assert!(proxies.contain(Ipv4Addr::LOCALHOST.into()));

    let tcp = second(json!({
        "address": "http://:81", "h2c": true, "reuse_port": true, "proxy_protocol": ["10.0.0.0/8"],
    }));
    assert!(tcp.h2c && tcp.reuse_port && !tcp.tls);
    let proxies = tcp.proxy_protocol.expect("it is on");
    assert!(proxies.contain(Ipv4Addr::new(10, 1, 1, 1).into()));
    assert!(!proxies.contain(Ipv4Addr::LOCALHOST.into()));

    let trusted = site(json!({
        "trusted_proxies": ["192.0.2.7"],
        "listen": [{"address": "http://:8080", "proxy_protocol": true}],
    }));
    let first = &trusted.service.listeners[0];
    let proxies = first.proxy_protocol.as_ref().expect("it is on");
    assert!(proxies.contain(Ipv4Addr::new(192, 0, 2, 7).into()));
    assert_eq!(second(json!("unix:/a")).socket_file.mode, 0o660);
}

#[test]
fn c10_1_a_listener_says_what_becomes_of_its_connections() {
    for (written, drain) in [
        (json!({}), Drain::Finish),
        (json!({"drain": true}), Drain::Finish),
        (json!({"drain": false}), Drain::Leave),
        (json!({"drain": 1.5}), Drain::Within(Duration::from_millis(1500))),
    ] {
        let mut written = written;
        written["address"] = json!("http://:81");
        assert_eq!(second(written).drain, drain);
    }
    check(
        json!({"listen": [{"address": "http://:81", "drain": "never"}]}),
        "listen[0].drain: expected a number of seconds from 0 to 31536000, found the string `never`",
    );
}

#[test]
fn c10_1_every_fault_of_a_listener_has_its_place() {
    const EXPECTED: &str = "`http://ADDR:PORT`, `https://ADDR:PORT`, `unix:PATH` or `fd:NAME`";
    for (written, expected) in [
        (
            json!(":80"),
            format!(
                "expected {EXPECTED}, found `:80`\
            \n  hint: write `http://:80` or `https://:80`"
            ),
        ),
        (json!("ftp://:80"), format!("expected {EXPECTED}, found `ftp://:80`")),
        (
            json!("http://::1:80"),
            format!(
                "expected {EXPECTED}, found `http://::1:80`\
            \n  hint: an IPv6 address stands in brackets: `http://[::1]:80`"
            ),
        ),
        (
            json!("http://*:80"),
            format!(
                "expected {EXPECTED}, found `http://*:80`\
            \n  hint: every interface is `http://:80`"
            ),
        ),
        (
            json!("http://:80/a"),
            format!(
                "expected {EXPECTED}, found `http://:80/a`\
            \n  hint: a listener has no path: `mounts` and `vhosts` say what answers there"
            ),
        ),
        (json!("http://:99999"), format!("expected {EXPECTED}, found `http://:99999`")),
        (json!("http://a b:80"), format!("expected {EXPECTED}, found `http://a b:80`")),
        (json!("unix:"), "expected a path, found an empty text".into()),
        (
            json!("unix:@a"),
            "expected a path behind `unix:`, found `unix:@a`\
            \n  hint: sockets without a file cannot be protected; name a path"
                .into(),
        ),
        (
            json!("fd:"),
            "expected the name of a socket behind `fd:`, as its unit has it, \
            found `fd:`"
                .into(),
        ),
        (json!(80), format!("expected {EXPECTED}, or a table, found the number `80`")),
    ] {
        check(json!({"listen": [written]}), &format!("listen[0]: {expected}"));
    }
    for (written, place, expected) in [
        (json!({}), "address", format!("expected {EXPECTED}")),
        (
            json!({"address": "http://:1", "tls": true}),
            "tls",
            "expected `false`, as the scheme of `address` says, found `true`\
            \n  hint: write `https://` and leave `tls` out"
                .into(),
        ),
        (
            json!({"address": "http://:1", "mode": "600"}),
            "mode",
            "expected `unix:PATH` as `address`, whose file it is about, found `:1`".into(),
        ),
        (
            json!({"address": "unix:/a", "mode": 0o660}),
            "mode",
            "expected a text of octal digits, such as `660`, found the number `432`\
            \n  hint: write the digits in quotes: `'660'`"
                .into(),
        ),
        (
            json!({"address": "unix:/a", "mode": "7777"}),
            "mode",
            "expected a text of octal digits, such as `660`, found the string `7777`".into(),
        ),
        (
            json!({"address": "unix:/a", "owner": 1}),
            "owner",
            "expected a name of the system's accounts, found the number `1`".into(),
        ),
        (
            json!({"address": "unix:/a", "reuse_port": true}),
            "reuse_port",
            "expected an address and a port, which several processes may share, found `unix:/a`"
                .into(),
        ),
        (
            json!({"address": "https://:1", "h2c": true}),
            "h2c",
            "expected a listener without TLS, found `:1`\
            \n  hint: with TLS, HTTP/2 is agreed on by ALPN"
                .into(),
        ),
        (
            json!({"address": "http://:1", "proxy_protocol": true}),
            "proxy_protocol",
            "expected addresses from which it may come, found `true`, and no `trusted_proxies`\
            \n  hint: name them in `trusted_proxies`, or here: `proxy_protocol = [\"10.0.0.0/8\"]`"
                .into(),
        ),
        (
            json!({"address": "http://:1", "proxy_protocol": ["x"]}),
            "proxy_protocol[0]",
            "expected an address or a network such as `10.0.0.0/8`, found `x`".into(),
        ),
        (
            json!({"address": "http://:1", "h2cc": true}),
            "h2cc",
            "expected `address` or `tls` or `proxy_protocol` or `h2c` or `reuse_port` or `drain` or `mode` \
            or `owner` or `group`, found `h2cc`\n  hint: did you mean `h2c`?"
                .into(),
        ),
    ] {
        check(json!({"listen": [written]}), &format!("listen[0].{place}: {expected}"));
    }
    check(
        json!({"listen": ["unix:/a", "unix:/b/../a"]}),
        "listen[1]: expected every listener once, found `unix:/a` twice",
    );
}

#[test]
fn c3_4_the_first_listener_is_fixed() {
    check(
        json!({"listen": ["https://:8080"]}),
        "listen[0]: expected `http://:8080`, as it was started, found `https://:8080`\
         \n  hint: the first listener is fixed at start: start the server anew to change it",
    );
    let listed = FirstListener { is_listed: true, ..everywhere() };
    let compiled = |written: Json| {
        let config = config(&json!({ "listen": written }));
        compile(&config, &Routes::default(), &env(&listed), None)
    };
    assert!(compiled(json!(["unix:/a", "http://:8080"])).is_ok());
    assert_eq!(
        compiled(json!(["unix:/a"])).expect_err("it lacks the first").to_string(),
        "listen: expected `http://:8080` among them, which it was started with, found a list of 1 \
         without it\n  hint: the first listener is fixed at start: start the server anew to change \
         it"
    );
}

#[test]
fn c10_1_the_first_entry_names_the_first_listener() {
    let first = |written: Json| {
        let listed = first_listed(&config(&json!({ "listen": written })), Path::new("/base"));
        listed.map(|listener| listener.to_string())
    };
    assert_eq!(first(json!(["https://:443", "http://:80"])).as_deref(), Some("https://:443"));
    assert_eq!(first(json!("unix:a.sock")).as_deref(), Some("unix:/base/a.sock"));
    assert_eq!(first(json!([{"address": "http://:80"}])).as_deref(), Some("http://:80"));
    // What is wrong is told when it is compiled.
    for wrong in [json!([]), json!(["nonsense"]), json!(null), json!([80])] {
        assert_eq!(first(wrong.clone()), None, "{wrong}");
    }
}
