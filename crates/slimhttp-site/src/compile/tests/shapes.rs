//! What each shape takes and how it refuses the rest (C2.6).

use super::*;
use std::time::Duration;

/// Cases of one key: a value and the fault without its place, or "" for none.
#[track_caller]
fn each(key: &str, cases: &[(Json, &str)]) {
    for (value, fault) in cases {
        let mut root = json!({});
        root[key] = value.clone();
        let expected =
            if fault.is_empty() { String::new() } else { format!("{key}: expected {fault}") };
        check(root, &expected);
    }
}

/// Cases of one key: a value and the fault with its place, or "" for none.
#[track_caller]
fn placed(key: &str, cases: &[(Json, &str)]) {
    for (value, fault) in cases {
        let mut root = json!({});
        root[key] = value.clone();
        check(root, fault);
    }
}

#[test]
fn c2_6_bools() {
    each(
        "debug",
        &[
            (json!(true), ""),
            (json!(false), ""),
            (json!(null), ""),
            (json!(1), "`true` or `false`, found the number `1`"),
            (
                json!("true"),
                "`true` or `false`, found the string `true`\n  hint: write it without quotes",
            ),
            (
                json!("False"),
                "`true` or `false`, found the string `False`\n  hint: write it without quotes",
            ),
            (json!("yes"), "`true` or `false`, found the string `yes`"),
            (json!([true]), "`true` or `false`, found a list of 1"),
            (json!({"a": 1}), "`true` or `false`, found a table of 1"),
        ],
    );
}

#[test]
fn c2_6_whole_numbers() {
    each(
        "io_threads",
        &[
            (json!(1), ""),
            (json!(1024), ""),
            (json!(0), "a whole number from 1 to 1024, found `0`"),
            (json!(-1), "a whole number from 1 to 1024, found `-1`"),
            (json!(1025), "a whole number from 1 to 1024, found `1025`"),
            (json!(2.5), "a whole number from 1 to 1024, found the number `2.5`"),
            (json!(true), "a whole number from 1 to 1024, found `true`"),
            (json!("many"), "a whole number from 1 to 1024, found the string `many`"),
            (
                json!("4"),
                "a whole number from 1 to 1024, found the string `4`\n  hint: write it without quotes",
            ),
        ],
    );
    each(
        "port",
        &[
            (json!(8080), ""),
            (json!(65536), "a whole number from 0 to 65535, found `65536`"),
            (json!(-80), "a whole number from 0 to 65535, found `-80`"),
        ],
    );
}

#[test]
fn c2_6_seconds() {
    each(
        "idle_timeout",
        &[
            (json!(1), ""),
            (json!(0.5), ""),
            (json!(0), "a number of seconds from 0.001 to 31536000, found `0`"),
            (json!(-1.5), "a number of seconds from 0.001 to 31536000, found `-1.5`"),
            (json!(1e300), "a number of seconds from 0.001 to 31536000, found `1e300`"),
            (
                json!("75"),
                "a number of seconds from 0.001 to 31536000, found the string `75`\
                 \n  hint: write it without quotes",
            ),
            (
                json!("75s"),
                "a number of seconds from 0.001 to 31536000, found the string `75s`\
                 \n  hint: write it in seconds, without a unit: `75`",
            ),
            (
                json!("5m"),
                "a number of seconds from 0.001 to 31536000, found the string `5m`\
                 \n  hint: write it in seconds, without a unit: `300`",
            ),
            (json!("s"), "a number of seconds from 0.001 to 31536000, found the string `s`"),
        ],
    );
    each("grace_period", &[(json!(0), "")]);
    let nan =
        Config::new([(Arc::from("idle_timeout"), Value::Float(f64::NAN))].into_iter().collect());
    let faults = compile(&nan, &Routes::default(), &env(&everywhere()), None);
    assert!(faults.is_err(), "not a number is no number of seconds");
}

#[test]
fn c2_6_bytes() {
    let range = "a number of bytes from 64 to 65534, or a text such as `64KiB`";
    let fault = |found: &str| format!("{range}, found {found}");
    each(
        "max_uri",
        &[
            (json!(64), ""),
            (json!("4KiB"), ""),
            (json!("63"), &fault("`63`")),
            (json!(63), &fault("`63`")),
            (json!("64KiB"), &fault("`64KiB`")),
            (json!("8 kilos"), &fault("`8 kilos`")),
            (json!("8k"), &fault("`8k`\n  hint: did you mean `8KiB`?")),
            (json!("50 M"), &fault("`50 M`\n  hint: did you mean `50MiB`?")),
            (json!("M"), &fault("`M`")),
            (json!("KB"), &fault("`KB`")),
            (json!(""), &fault("``")),
            (json!("1.2.3KB"), &fault("`1.2.3KB`")),
            (json!(1.5), &fault("the number `1.5`")),
            (json!(true), &fault("`true`")),
        ],
    );
    for (written, bytes) in [
        (json!(0), 0),
        (json!(1000), 1000),
        (json!("10MB"), 10_000_000),
        (json!("10 mb"), 10_000_000),
        (json!("64KiB"), 65_536),
        (json!("1.5 GiB"), 1_610_612_736),
        (json!("2TB"), 2_000_000_000_000),
        (json!("7B"), 7),
    ] {
        let site = site(json!({ "max_body": written }));
        assert_eq!(site.global.options.max_body, bytes, "{written}");
    }
    check(
        json!({"max_body": "99999999999999TiB"}),
        "max_body: expected a number of bytes from 0 to 9223372036854775807, or a text such as \
         `64KiB`, found `99999999999999TiB`",
    );
}

#[test]
fn c2_6_words() {
    let fault = "`always`, `changed` or `never`, found";
    each(
        "module_reload",
        &[
            (json!("always"), ""),
            (json!("changed"), ""),
            (json!("never"), ""),
            (json!("sometimes"), &format!("{fault} `sometimes`")),
            (json!("change"), &format!("{fault} `change`\n  hint: did you mean `changed`?")),
            (json!("Never"), &format!("{fault} `Never`\n  hint: did you mean `never`?")),
            (json!(false), &format!("{fault} `false`")),
        ],
    );
    let fault = "`true`, `false` or `executable`, found";
    each(
        "scripts",
        &[
            (json!(true), ""),
            (json!(false), ""),
            (json!("executable"), ""),
            (
                json!("executeable"),
                &format!("{fault} `executeable`\n  hint: did you mean `executable`?"),
            ),
            (json!("false"), &format!("{fault} `false`\n  hint: write it without quotes")),
            (json!(0), &format!("{fault} the number `0`")),
        ],
    );
}

#[test]
fn c2_4_index_is_a_name_or_a_list_of_names() {
    let fault = "a plain file name, without a folder, found";
    each(
        "index",
        &[
            (json!("index.html"), ""),
            (json!(["index.html", "index.py"]), ""),
            (json!("häß lich.htm"), ""),
            (json!(""), &format!("{fault} an empty text")),
            (json!("a/index.html"), &format!("{fault} `a/index.html`")),
            (json!("..\\index.html"), &format!("{fault} `..\\index.html`")),
            (json!(".."), &format!("{fault} `..`")),
            (json!("a\u{0}b"), &format!("{fault} `a\\x00b`")),
            (json!(5), "a file name or a list of file names, found the number `5`"),
            (json!([]), "a list that is not empty, found an empty list"),
        ],
    );
    assert_eq!(site(json!({"index": ["b", "a"]})).global.options.index, ["b", "a"]);
}

#[test]
fn c2_3_paths_are_texts() {
    each(
        "web_root",
        &[
            (json!("web"), ""),
            (json!(""), "a path, found an empty text"),
            (json!("  "), "a path, found an empty text"),
            (json!("a\u{0}b"), "a path, found `a\\x00b`"),
            (json!(5), "a path, found the number `5`"),
            (json!(["web"]), "a path, found a list of 1"),
        ],
    );
}

#[test]
fn c7_1_upstreams() {
    let plain = |fault: &str| format!("proxy: expected {fault}");
    placed(
        "proxy",
        &[
            (json!("10.0.0.1:80"), ""),
            (json!("backend:8000"), ""),
            (json!("my_app:8000"), ""),
            (json!("[::1]:80"), ""),
            (json!("http://backend"), ""),
            (json!("https://backend/"), ""),
            (json!("HTTPS://Backend:8443"), ""),
            (json!(["10.0.0.1:80", "http://10.0.0.2"]), ""),
            (json!("10.0.0.1"), &plain("`host:port`, found `10.0.0.1`")),
            (json!("backend"), &plain("`host:port`, found `backend`")),
            (json!(""), &plain("`host:port`, found an empty text")),
            (json!(":80"), &plain("`host:port`, found `:80`")),
            (json!("two words:80"), &plain("`host:port`, found `two words:80`")),
            (json!("*.example.com:80"), &plain("`host:port`, found `*.example.com:80`")),
            (json!("[::1]80"), &plain("`host:port`, found `[::1]80`")),
            (json!("[::1]"), &plain("`host:port`, found `[::1]`")),
            (json!("[nonsense]:80"), &plain("`host:port`, found `[nonsense]:80`")),
            (
                json!("::1:80"),
                &plain(
                    "`host:port`, found `::1:80`\
                     \n  hint: an IPv6 address stands in brackets: `[::1]:80`",
                ),
            ),
            (
                json!("unix:/run/app.sock"),
                &plain(
                    "`host:port`, found `unix:/run/app.sock`\
                     \n  hint: a Unix socket cannot be an upstream; let it listen on a port of 127.0.0.1",
                ),
            ),
            (json!("backend:0"), &plain("a port from 1 to 65535, found `backend:0`")),
            (json!("backend:"), &plain("a port from 1 to 65535, found `backend:`")),
            (json!("backend:65536"), &plain("a port from 1 to 65535, found `backend:65536`")),
            (json!("backend:+80"), &plain("a port from 1 to 65535, found `backend:+80`")),
            (json!("backend:http"), &plain("a port from 1 to 65535, found `backend:http`")),
            (json!("ftp://backend"), &plain("`http://` or `https://`, found `ftp://backend`")),
            (
                json!("http://backend/api"),
                &plain(
                    "an upstream without a path, found `http://backend/api`\
                     \n  hint: a request goes on with the path that it came with, and \
                     `add_prefix` before it",
                ),
            ),
            (
                json!("backend:80/"),
                &plain(
                    "an upstream without a path, found `backend:80/`\
                     \n  hint: a request goes on with the path that it came with, and \
                     `add_prefix` before it",
                ),
            ),
            (
                json!("http://me:secret@backend"),
                &plain("an upstream without a user name, found `http://me:secret@backend`"),
            ),
            (json!(8000), &plain("`host:port`, found the number `8000`")),
            (json!({}), &plain("`host:port`, found a table of 0")),
            (json!([]), &plain("a list that is not empty, found an empty list")),
            (
                json!(["a:80", "b", 3]),
                "proxy[1]: expected `host:port`, found `b`\
                 \nproxy[2]: expected `host:port`, found the number `3`",
            ),
        ],
    );
}

#[test]
fn c7_1_the_port_and_tls_of_an_upstream() {
    for (written, ssl, tls, host, port) in [
        ("a:8000", json!(null), false, "a", 8000),
        ("a:8000", json!(false), false, "a", 8000),
        ("a:8000", json!(true), true, "a", 8000),
        ("http://a", json!(null), false, "a", 80),
        ("https://a", json!(null), true, "a", 443),
        ("https://a", json!(false), true, "a", 443),
        ("https://a:8443/", json!(true), true, "a", 8443),
        ("Bücher.Example.:1", json!(null), false, "xn--bcher-kva.example", 1),
        ("[2001:DB8::0:1]:65535", json!(null), false, "2001:db8::1", 65_535),
    ] {
        let site = site(json!({"proxy": written, "ssl": ssl}));
        let proxy = site.global.options.proxy.clone().expect("a proxy");
        let found = &proxy.upstreams[0];
        assert_eq!((found.tls, &*found.host, found.port), (tls, host, port), "{written} {ssl}");
    }
}

#[test]
fn c2_6_networks() {
    let one = "an address or a network such as `10.0.0.0/8`, found";
    placed(
        "trusted_proxies",
        &[
            (json!([]), ""),
            (json!("10.0.0.1"), ""),
            (
                json!("*"),
                &format!(
                    "trusted_proxies: expected {one} `*`\n  hint: everybody is \
                     `[\"0.0.0.0/0\", \"::/0\"]`"
                ),
            ),
            (json!(["10.0.0.0/8", "::1", "fd00::/8"]), ""),
            (json!("10.0.0"), &format!("trusted_proxies: expected {one} `10.0.0`")),
            (json!(["10.0.0.0/33"]), &format!("trusted_proxies[0]: expected {one} `10.0.0.0/33`")),
            (json!([1]), &format!("trusted_proxies[0]: expected {one} the number `1`")),
            (
                json!(true),
                "trusted_proxies: expected an address, a network, or a list of these, found `true`",
            ),
        ],
    );
    let site = site(json!({"trusted_proxies": ["10.1.2.3/8", " ::1"]}));
    let networks: Vec<String> =
        site.global.options.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(networks, ["10.0.0.0/8", "::1/128"]);
}

#[test]
fn c2_6_what_is_logged() {
    let words = crate::config::logging::Unknown::EXPECTED;
    each(
        "log",
        &[
            (json!("debug"), ""),
            (json!("json,slimhttp_server=trace"), ""),
            (json!("jsn"), &format!("{words}, found `jsn`\n  hint: did you mean `json`?")),
            (json!("access.log"), &format!("{words}, found `access.log`")),
            (json!(true), &format!("{words}, found `true`")),
        ],
    );
}

#[test]
fn c2_6_access_logs() {
    let any = "`true`, `false`, `common`, `combined` or `json`, or a table of `format` and `file`";
    placed(
        "access_log",
        &[
            (json!("common"), ""),
            (json!({"format": "json", "file": "logs/access.log"}), ""),
            (json!({}), ""),
            (
                json!("commn"),
                &format!(
                    "access_log: expected {any}, found `commn`\n  hint: did you mean `common`?"
                ),
            ),
            (
                json!("logs/access.log"),
                &format!("access_log: expected {any}, found `logs/access.log`"),
            ),
            (json!(1), &format!("access_log: expected {any}, found the number `1`")),
            (
                json!({"formt": "json"}),
                "access_log.formt: expected `format` or `file`, found `formt`\n  hint: did you mean `format`?",
            ),
            (
                json!({"port": 8080}),
                "access_log.port: expected `format` or `file`, found `port`\
                 \n  hint: `port` is an option of its own: in TOML it stands before the first `[table]`",
            ),
            (
                json!({"format": "xml", "file": 1}),
                "access_log.file: expected a path, found the number `1`\
                 \naccess_log.format: expected `common`, `combined` or `json`, found `xml`",
            ),
            (
                json!({"file": "logs"}),
                "access_log.file: expected a file, found `/base/logs`, a folder",
            ),
            (
                json!({"file": "nowhere/access.log"}),
                "access_log.file: expected a file in a folder that exists, found `/base/nowhere/access.log`",
            ),
        ],
    );
    for (written, shown) in [
        (json!(false), "None"),
        (json!(null), "None"),
        (json!(true), "Some(AccessLog { format: Combined, file: Stderr })"),
        (json!("json"), "Some(AccessLog { format: Json, file: Stderr })"),
        (json!({"file": "-"}), "Some(AccessLog { format: Combined, file: Stdout })"),
        (
            json!({"file": "logs/a.log"}),
            "Some(AccessLog { format: Combined, file: Path(\"/base/logs/a.log\") })",
        ),
    ] {
        let site = site(json!({ "access_log": written }));
        assert_eq!(format!("{:?}", site.global.options.access_log), shown, "{written}");
    }
}

#[test]
fn c2_6_a_long_or_strange_text_is_shown_on_one_line() {
    let long = "x".repeat(500);
    check(
        json!({ "module_reload": long }),
        &format!(
            "module_reload: expected `always`, `changed` or `never`, found `{}…`",
            "x".repeat(80)
        ),
    );
    check(
        json!({"module_reload": "a\nb\u{1b}"}),
        "module_reload: expected `always`, `changed` or `never`, found `a\\nb\\x1b`",
    );
}

#[test]
fn times_keep_their_fractions() {
    let site = site(json!({"idle_timeout": 0.25, "proxy": "a:1", "proxy_read_timeout": 1.5}));
    assert_eq!(site.service.idle_timeout, Duration::from_millis(250));
    let proxy = site.global.options.proxy.clone().expect("a proxy");
    assert_eq!(proxy.read_timeout, Duration::from_millis(1500));
    assert_eq!(proxy.connect_timeout, Duration::from_secs(5));
}

#[test]
fn what_a_client_may_take_of_a_server_has_a_bound_by_default() {
    let service = site(json!({})).service.clone();
    assert_eq!(service.header_timeout, Duration::from_secs(20));
    assert_eq!((service.max_streams, service.max_unsent), (128, 512 << 10));
    let service = site(json!({"max_streams": 3, "max_unsent": "1MiB"})).service.clone();
    assert_eq!((service.max_streams, service.max_unsent), (3, 1 << 20));
}
