//! `redirect_https` and `hsts`: what they take, where they stand, and what is odd about them.

use super::files::each;
use super::*;
use crate::protocol::https::{Hsts, HttpsRedirect};

/// A server of TLS at port 8443.
fn over_tls() -> FirstListener {
    FirstListener { endpoint: Endpoint::tcp("", 8443), tls: true, port: 8443, ..everywhere() }
}

/// What a scope says of https, as text.
fn said(scope: &Scope) -> String {
    let answers = &scope.options.answers;
    let hsts = match &answers.hsts {
        Hsts::Unsaid => "-",
        Hsts::Off => "off",
        Hsts::On(value) => value.to_str().expect("a text"),
    };
    format!("{:?} {hsts}", answers.redirect_https)
}

#[test]
fn c2_6_redirect_https() {
    let port = "redirect_https: expected `true`, `false`, or a port from 1 to 65535, found";
    each(
        "redirect_https",
        &[
            (json!(true), ""),
            (json!(false), ""),
            (json!(null), ""),
            (json!(8443), ""),
            (json!(65_535), ""),
            (json!(0), &format!("{port} `0`")),
            (json!(65_536), &format!("{port} `65536`")),
            (json!(-443), &format!("{port} `-443`")),
            (json!(443.0), &format!("{port} the number `443.0`")),
            (json!("true"), &format!("{port} the string `true`\n  hint: write it without quotes")),
            (json!("https://a"), &format!("{port} the string `https://a`")),
        ],
    );
    for (value, expected) in [
        (json!(true), HttpsRedirect::ToListener),
        (json!(false), HttpsRedirect::Off),
        (json!(null), HttpsRedirect::Off),
        (json!(8443), HttpsRedirect::ToPort(8443)),
    ] {
        let site = site(json!({"redirect_https": value}));
        assert_eq!(site.global.options.answers.redirect_https, expected, "{value}");
        assert_eq!(site.varies_by_scheme, expected != HttpsRedirect::Off, "{value}");
    }
}

#[test]
fn c2_6_hsts() {
    let shape = "hsts: expected `true`, `false`, a number of seconds from 0 to 3153600000, or a \
                 table of `max_age`, `include_subdomains` and `preload`, found";
    let year = "hsts.max_age: expected at least 31536000 beside `preload`, found";
    let year_hint =
        "\n  hint: the lists that browsers bring along take no host for less than a year";
    let below = "hsts.include_subdomains: expected `true` beside `preload`";
    let below_hint =
        "\n  hint: on the lists that browsers bring along a host stands for every name below it";
    each(
        "hsts",
        &[
            (json!(true), ""),
            (json!(false), ""),
            (json!(-1), &format!("{shape} `-1`")),
            (json!(3_153_600_001_u64), &format!("{shape} `3153600001`")),
            (json!("1y"), &format!("{shape} the string `1y`")),
            (
                json!({"maxage": 5, "preload": 1}),
                "hsts.maxage: expected `max_age` or `include_subdomains` or `preload`, found \
                 `maxage`\n  hint: did you mean `max_age`?\
                 \nhsts.preload: expected `true` or `false`, found the number `1`",
            ),
            (
                json!({"max_age": 0.5}),
                "hsts.max_age: expected a whole number from 0 to 3153600000, found the number `0.5`",
            ),
            (json!({"preload": true}), &format!("{below}{below_hint}")),
            (
                json!({"preload": true, "include_subdomains": false, "max_age": 31_535_999}),
                &format!("{below}, found `false`{below_hint}\n{year} `31535999`{year_hint}"),
            ),
            (
                json!({"preload": true, "include_subdomains": true, "max_age": 0}),
                &format!("{year} `0`{year_hint}"),
            ),
        ],
    );
    for (value, expected) in [
        (json!(true), "max-age=31536000"),
        (json!(0), "max-age=0"),
        (json!(300), "max-age=300"),
        (json!({}), "max-age=31536000"),
        (json!({"max_age": 0, "include_subdomains": true}), "max-age=0; includeSubDomains"),
        (
            json!({"preload": true, "include_subdomains": true}),
            "max-age=31536000; includeSubDomains; preload",
        ),
        (json!(false), "off"),
        (json!(null), "-"),
    ] {
        let site = site(json!({"hsts": value}));
        assert_eq!(said(&site.global), format!("Off {expected}"), "{value}");
        assert_eq!(site.varies_by_scheme, expected.starts_with("max-age"), "{value}");
    }
}

#[test]
fn c10_3_each_scope_says_it_for_itself() {
    let site = site(json!({
        "redirect_https": true,
        "hsts": 60,
        "mounts": {"/health": {"redirect_https": false}},
        "vhosts": {
            "a": {},
            "b": {"redirect_https": 8443, "hsts": false, "mounts": {"/x": {}, "/y": {"redirect_https": 1}}},
            "c": {"redirect_https": false, "hsts": true},
        },
    }));
    assert_eq!(said(&site.global), "ToListener max-age=60");
    for (name, path, expected) in [
        ("a", "/", "ToListener max-age=60"),
        ("a", "/health", "Off max-age=60"),
        ("b", "/", "ToPort(8443) off"),
        ("b", "/x", "ToPort(8443) off"),
        ("b", "/y", "ToPort(1) off"),
        ("b", "/health", "ToPort(8443) off"),
        ("c", "/", "Off max-age=31536000"),
    ] {
        assert_eq!(said(host(&site, name).at(path.as_bytes())), expected, "{name}{path}");
    }
}

#[test]
fn c10_3_hsts_is_of_whole_hosts() {
    let misplaced = "expected this option at the global level or in a virtual host\
                     \n  hint: browsers keep it for a whole host: move it out of `mounts`";
    check(json!({"mounts": {"/a": {"hsts": true}}}), &format!("mounts.\"/a\".hsts: {misplaced}"));
    check(
        json!({"mounts": {"/a": {"strict_transport_security": 5}}}),
        "mounts.\"/a\".strict_transport_security: expected a known option, found \
         `strict_transport_security`\n  hint: did you mean `hsts`? It stands at the global level \
         and in virtual hosts only",
    );
    check(
        json!({"vhosts": {"a": {"hst": true}}}),
        "vhosts.a.hst: expected a known option, found `hst`\n  hint: did you mean `hsts`?",
    );
}

#[test]
fn c10_3_a_change_of_either_reaches_who_inherits_it() {
    let (mut draft, routes) =
        (config(&json!({"hsts": 60, "vhosts": {"a": {}}})), Routes::default());
    let first = compile(&draft, &routes, &env(&everywhere()), None).expect("valid");
    assert!(draft.set(&way(["hsts"]), Value::Integer(70)));
    let second = change((&first, &routes), &draft, &routes).expect("valid");
    assert_eq!(said(host(&second, "a")), "Off max-age=70");
    assert!(draft.set(&way(["redirect_https"]), Value::Bool(true)));
    let third = change((&second, &routes), &draft, &routes).expect("valid");
    assert_eq!(said(host(&third, "a")), "ToListener max-age=70");
    assert!(third.varies_by_scheme);
}

#[test]
fn c10_3_hsts_that_nobody_would_hear_is_odd() {
    let odd = |place: &str| {
        format!(
            "{place}: is said over https only, which this server does not speak; a proxy in front \
             that does is to be named in `trusted_proxies`"
        )
    };
    for (root, tls, expected) in [
        (json!({"hsts": true}), false, vec![odd("hsts")]),
        (json!({"hsts": true}), true, vec![]),
        (json!({"hsts": true, "listen": ["https://:443"]}), false, vec![]),
        (json!({"listen": ["https://:443"], "vhosts": {"a": {"hsts": true}}}), false, vec![]),
        (json!({"hsts": true, "listen": ["http://:81"]}), false, vec![odd("hsts")]),
        (json!({"hsts": false}), false, vec![]),
        (json!({"hsts": true, "trusted_proxies": ["10.0.0.1"]}), false, vec![]),
        (json!({"vhosts": {"a": {"hsts": true}}}), false, vec![odd("vhosts.a.hsts")]),
        (json!({"trusted_proxies": "::1", "vhosts": {"a": {"hsts": 5}}}), false, vec![]),
        // Where it is inherited it was said.
        (json!({"hsts": true, "vhosts": {"a": {}}}), false, vec![odd("hsts")]),
    ] {
        let listener = if tls { over_tls() } else { everywhere() };
        let site = compile(&config(&root), &Routes::default(), &env(&listener), None);
        assert_eq!(site.expect("valid").warnings, expected, "{root} {tls}");
    }
    // Once, and not with each change of something else.
    let (mut draft, routes) = (config(&json!({"hsts": true})), Routes::default());
    let first = compile(&draft, &routes, &env(&everywhere()), None).expect("valid");
    assert!(draft.set(&way(["max_head"]), Value::Integer(2048)));
    let second = change((&first, &routes), &draft, &routes).expect("valid");
    assert_eq!(second.warnings, Vec::<String>::new());
    assert!(draft.set(&way(["hsts"]), Value::Integer(60)));
    let third = change((&second, &routes), &draft, &routes).expect("valid");
    assert_eq!(third.warnings, [odd("hsts")]);
}

#[test]
fn c10_3_the_port_of_https_is_that_of_the_listener() {
    for (listener, port) in [(over_tls(), 8443), (everywhere(), 443)] {
        let site = compile(&config(&json!({})), &Routes::default(), &env(&listener), None);
        assert_eq!(site.expect("valid").https_port, port);
    }
    for (listen, port) in [
        (json!(["https://:444"]), 444),
        (json!(["http://:81", "https://127.0.0.1:445", "https://:446"]), 445),
        // A port that is not known yet, and none.
        (json!(["https://:0", {"address": "unix:/a", "tls": true}]), 443),
    ] {
        assert_eq!(site(json!({ "listen": listen })).https_port, port);
    }
}
