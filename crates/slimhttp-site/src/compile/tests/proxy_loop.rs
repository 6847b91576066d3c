//! Proxy loops (C7.4).

use super::*;

const EXPECTED: &str = "expected an upstream that does not lead back here";
const HINT: &str =
    "\n  hint: a request keeps its host name on the way, so it would go round for ever";

#[test]
fn c7_4_an_upstream_that_is_this_very_server() {
    let every = everywhere().bound;
    let v4: Vec<IpAddr> = vec![Ipv4Addr::LOCALHOST.into()];
    let v6: Vec<IpAddr> = vec![Ipv6Addr::LOCALHOST.into()];
    let outside: Vec<IpAddr> = vec![Ipv4Addr::new(192, 168, 1, 5).into()];
    for (address, bound, upstream, is_loop) in [
        ("", &every, "127.0.0.1:8080", true),
        ("", &every, "127.9.9.9:8080", true),
        ("", &every, "localhost:8080", true),
        ("", &every, "LOCALHOST.:8080", true),
        ("", &every, "app.localhost:8080", true),
        ("", &every, "[::1]:8080", true),
        ("", &every, "0.0.0.0:8080", true),
        ("", &every, "[::]:8080", true),
        ("", &every, "[::ffff:127.0.0.1]:8080", true),
        ("", &every, "http://localhost:8080/", true),
        ("", &every, "127.0.0.1:8081", false),
        ("", &every, "http://127.0.0.1", false),
        ("", &every, "192.168.1.5:8080", false),
        ("", &every, "somewhere.example:8080", false),
        ("127.0.0.1", &v4, "127.0.0.1:8080", true),
        ("127.0.0.1", &v4, "localhost:8080", true),
        ("127.0.0.1", &v4, "0.0.0.0:8080", true),
        ("127.0.0.1", &v4, "127.0.0.2:8080", false),
        ("127.0.0.1", &v4, "[::1]:8080", false),
        ("::1", &v6, "[0::1]:8080", true),
        ("::1", &v6, "127.0.0.1:8080", false),
        ("192.168.1.5", &outside, "192.168.1.5:8080", true),
        ("192.168.1.5", &outside, "127.0.0.1:8080", false),
        ("192.168.1.5", &outside, "localhost:8080", false),
        ("server.example", &outside, "Server.Example:8080", true),
    ] {
        let endpoint = Endpoint::tcp(address, 8080);
        let listener = FirstListener { endpoint, bound: bound.clone(), ..everywhere() };
        let config = config(&json!({"vhosts": {"a": {"proxy": upstream}}}));
        let site = compile(&config, &Routes::default(), &env(&listener), None);
        assert_eq!(site.is_err(), is_loop, "{address} {upstream}");
    }
}

#[test]
fn c7_4_the_fault_stands_where_the_upstream_is_written() {
    let way = "`127.0.0.1:8080` → this server";
    for (written, place) in [
        (json!({"proxy": "127.0.0.1:8080"}), "proxy"),
        (json!({"vhosts": {"a.b": {"proxy": "127.0.0.1:8080"}}}), "vhosts.\"a.b\".proxy"),
        (json!({"vhosts": {"*.a.b": {"proxy": "127.0.0.1:8080"}}}), "vhosts.\"*.a.b\".proxy"),
        (json!({"vhosts": {"a": {"proxy": ["b:1", "127.0.0.1:8080"]}}}), "vhosts.a.proxy[1]"),
        // Inherited: said once, where it stands.
        (json!({"proxy": ["127.0.0.1:8080"], "vhosts": {"a": {}, "b": {}}}), "proxy[0]"),
    ] {
        check(written, &format!("{place}: {EXPECTED}, found {way}{HINT}"));
    }
}

/// Sites of one process by port; all listen on every interface.
type Others = Vec<(u16, Arc<Site>)>;

fn compile_among(json: &Json, port: u16, others: &Others) -> Result<Site, Faults> {
    let listener = FirstListener { endpoint: Endpoint::tcp("", port), port, ..everywhere() };
    let local_site = |host: &str, port: u16| {
        let (_, site) = others.iter().find(|(own, _)| host == "127.0.0.1" && *own == port)?;
        Some(Arc::clone(site))
    };
    let env = CompileEnv { local_site: &local_site, ..env(&listener) };
    compile(&config(json), &Routes::default(), &env, None)
}

/// Checks the site at 8080 among others by port, compiled one after the other.
#[track_caller]
fn among(others: &[(u16, Json)], ours: Json, fault: &str) {
    let mut sites = Others::new();
    for (port, json) in others {
        let site = compile_among(json, *port, &Others::new()).expect("no loop of its own");
        sites.push((*port, Arc::new(site)));
    }
    let found = compile_among(&ours, 8080, &sites).err().map(|faults| faults.to_string());
    let fault = if fault.is_empty() { None } else { Some(format!("{fault}{HINT}")) };
    assert_eq!(found, fault, "\n{ours} among {others:?}");
}

#[test]
fn c7_4_a_circle_through_other_servers_of_the_process() {
    let (here, b, c) = ("127.0.0.1:8080", "127.0.0.1:9001", "127.0.0.1:9002");
    // Through one other, all hosts.
    among(
        &[(9001, json!({"proxy": here}))],
        json!({"proxy": b}),
        &format!("proxy: {EXPECTED}, found `{b}` → `{here}` → this server"),
    );
    // Through two others.
    among(
        &[(9001, json!({"proxy": c})), (9002, json!({"proxy": here}))],
        json!({"vhosts": {"a": {"proxy": b}}}),
        &format!("vhosts.a.proxy: {EXPECTED}, found `{b}` → `{c}` → `{here}` → this server"),
    );
    // The host picks the other's scope: only `a` goes round.
    among(
        &[(9001, json!({"vhosts": {"a": {"proxy": here}}}))],
        json!({"vhosts": {"a": {"proxy": b}, "b": {"proxy": b}}}),
        &format!("vhosts.a.proxy: {EXPECTED}, found `{b}` → `{here}` → this server"),
    );
    // A straight way out is no loop, nor is one that ends in files.
    among(&[(9001, json!({"proxy": "10.0.0.1:80"}))], json!({"proxy": b}), "");
    among(
        &[(9001, json!({"proxy": here, "vhosts": {"a": {"web_root": "web"}}}))],
        json!({"vhosts": {"a": {"proxy": b}}}),
        "",
    );
    // One of several upstreams is enough, here and there.
    among(
        &[(9001, json!({"proxy": ["10.0.0.1:80", here]}))],
        json!({"proxy": ["10.0.0.2:80", b]}),
        &format!("proxy[1]: {EXPECTED}, found `{b}` → `{here}` → this server"),
    );
    // A loop among the others, which this site only leads into, is not ours.
    among(&[(9001, json!({"proxy": c})), (9002, json!({"proxy": b}))], json!({"proxy": b}), "");
}

#[test]
fn c7_4_a_host_that_only_the_other_server_names() {
    let (here, b) = ("127.0.0.1:8080", "127.0.0.1:9001");
    let fault = |place: &str| format!("{place}: {EXPECTED}, found `{b}` → `{here}` → this server");
    // Any host comes here and goes on; `b.example` is sent back.
    let other = json!({"vhosts": {"b.example": {"proxy": here}}});
    among(&[(9001, other.clone())], json!({"proxy": b}), &fault("proxy"));
    // Here it is a host of its own, and does not go on.
    among(
        &[(9001, other.clone())],
        json!({"proxy": b, "vhosts": {"b.example": {"web_root": "web"}}}),
        "",
    );
    // Below a wildcard, or not below it.
    among(
        &[(9001, other.clone())],
        json!({"vhosts": {"*.example": {"proxy": b}}}),
        &fault("vhosts.\"*.example\".proxy"),
    );
    among(&[(9001, other)], json!({"vhosts": {"*.test": {"proxy": b}}}), "");
    let other = json!({"vhosts": {"*.b.example": {"proxy": here}}});
    among(
        &[(9001, other)],
        json!({"vhosts": {"*.example": {"proxy": b}}}),
        &fault("vhosts.\"*.example\".proxy"),
    );
    // A client names our port, and with it picks the other's scope.
    among(
        &[(9001, json!({"vhosts": {"a:8080": {"proxy": here}, "a:9001": {"web_root": "web"}}}))],
        json!({"vhosts": {"a": {"proxy": b}}}),
        &fault("vhosts.a.proxy"),
    );
    among(
        &[(9001, json!({"vhosts": {"a:9001": {"proxy": here}}}))],
        json!({"vhosts": {"a": {"proxy": b}}}),
        "",
    );
}

#[test]
fn c7_4_a_host_without_a_port_is_looked_up_in_that_of_the_upstream() {
    // The other server listens on both 9001 and 9002; a client leaves out port 80, which is ours.
    let other = json!({"vhosts": {"a:9002": {"proxy": "127.0.0.1:80"}}});
    let other = Arc::new(compile_among(&other, 9001, &Others::new()).expect("no loop of its own"));
    let others = vec![(9001, Arc::clone(&other)), (9002, other)];
    let ours = |port| json!({"vhosts": {"a": {"proxy": format!("127.0.0.1:{port}")}}});
    assert!(compile_among(&ours(9001), 80, &others).is_ok());
    let faults = compile_among(&ours(9002), 80, &others).expect_err("a loop");
    assert_eq!(
        faults.to_string(),
        format!(
            "vhosts.a.proxy: {EXPECTED}, found `127.0.0.1:9002` → `127.0.0.1:80` → this server{HINT}"
        )
    );
}

#[test]
fn c7_4_a_circle_by_a_name_that_only_the_process_knows() {
    let listener = everywhere();
    let routes = Routes::default();
    let first = compile(&config(&json!({})), &routes, &env(&listener), None).expect("valid");
    let in_force = Arc::new(first.clone());
    let local_site = |host: &str, _: u16| (host == "our.example").then(|| Arc::clone(&in_force));
    let env = CompileEnv { local_site: &local_site, ..env(&listener) };
    let config = config(&json!({"proxy": "our.example:80"}));
    let faults = compile(&config, &routes, &env, Some((&first, &routes))).expect_err("a loop");
    assert_eq!(
        faults.to_string(),
        format!("proxy: {EXPECTED}, found `our.example:80` → this server{HINT}")
    );
}

#[test]
fn c7_4_a_vhost_taken_away_can_close_a_circle() {
    let other = compile_among(
        &json!({"vhosts": {"b.example": {"proxy": "127.0.0.1:8080"}}}),
        9001,
        &Others::new(),
    )
    .expect("valid");
    let other = Arc::new(other);
    let listener = everywhere();
    let local_site =
        |host: &str, port: u16| (host == "127.0.0.1" && port == 9001).then(|| Arc::clone(&other));
    let env = CompileEnv { local_site: &local_site, ..env(&listener) };
    let routes = Routes::default();
    let mut config = config(&json!({
        "proxy": "127.0.0.1:9001",
        "vhosts": {"b.example": {"web_root": "web"}, "c.example": {"web_root": "web"}},
    }));
    let first = compile(&config, &routes, &env, None).expect("valid");
    config.remove(&way(["vhosts", "c.example"]));
    assert!(compile(&config, &routes, &env, Some((&first, &routes))).is_ok());
    config.remove(&way(["vhosts", "b.example"]));
    let faults = compile(&config, &routes, &env, Some((&first, &routes))).expect_err("a loop");
    assert_eq!(
        faults.to_string(),
        format!("proxy: {EXPECTED}, found `127.0.0.1:9001` → `127.0.0.1:8080` → this server{HINT}")
    );
}
