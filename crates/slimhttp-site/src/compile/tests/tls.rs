//! What scopes say of TLS: its shapes, its faults, what is inherited, and what a change carries
//! over.

use super::*;
use crate::routing::host::HostKey;
use crate::site::tls::{
    CertificateFiles, Certificates, ClientAuthMode, TlsPart, TlsRules, TlsVersions, UntilIssued,
};

/// Rules in one line: certificates, versions, clients.
fn shown(rules: &TlsRules) -> String {
    let files = |files: &CertificateFiles| {
        let name = |path: &Path| path.strip_prefix("/base").unwrap_or(path).display().to_string();
        format!("{}+{}", name(&files.certificate), name(&files.key))
    };
    let mut text = match &rules.certificates {
        Certificates::Files(all) => all.iter().map(files).collect::<Vec<_>>().join(" "),
        Certificates::Usual(usual) => format!("usual {}", files(usual)),
        Certificates::Automatic(names) => format!("auto {}", names.join(",")),
    };
    match rules.policy.versions {
        TlsVersions::All => {}
        TlsVersions::Only12 => text += " 1.2",
        TlsVersions::Only13 => text += " 1.3",
    }
    if let Some(auth) = &rules.policy.client_auth {
        let may = if auth.mode == ClientAuthMode::Optional { "may" } else { "must" };
        text += &format!(" {may} {}", auth.authorities.display());
    }
    if rules.until_issued == UntilIssued::Refuse {
        text += " refuse";
    }
    text
}

/// What holds for `a.example`, or where that is no virtual host at the global level.
fn rules(site: &Site) -> String {
    shown(&site.tls_of(host(site, "a.example")))
}

#[test]
fn c10_2_every_way_to_write_it() {
    for (written, expected) in [
        (json!({}), "usual cert.pem+key.pem"),
        (json!({"tls": null}), "usual cert.pem+key.pem"),
        (json!({"tls": "auto"}), "auto "),
        (json!({"tls": {"cert": "auto"}}), "auto "),
        (json!({"tls": {"cert": "auto", "names": "A.example."}}), "auto a.example"),
        (
            json!({"tls": {"cert": "auto", "names": ["b.example", "*.b.example", "::1"]}}),
            "auto b.example,*.b.example,::1",
        ),
        (json!({"tls": {"cert": "auto", "until_issued": "refuse"}}), "auto  refuse"),
        (json!({"tls": {"cert": "auto", "until_issued": "self-signed"}}), "auto "),
        (json!({"tls": {"cert": "one.pem"}}), "one.pem+one.pem"),
        (json!({"tls": {"cert": "one.pem", "key": "./two.pem"}}), "one.pem+two.pem"),
        (
            json!({"tls": [{"cert": "one.pem"}, {"cert": "two.pem", "key": "one.pem"}]}),
            "one.pem+one.pem two.pem+one.pem",
        ),
        (
            json!({"tls": {"certificates": [{"cert": "one.pem"}, {"cert": "two.pem"}]}}),
            "one.pem+one.pem two.pem+two.pem",
        ),
        (json!({"tls": {"versions": "1.3"}}), "usual cert.pem+key.pem 1.3"),
        (json!({"tls": {"versions": ["1.2"]}}), "usual cert.pem+key.pem 1.2"),
        (json!({"tls": {"versions": ["1.3", "1.2"]}}), "usual cert.pem+key.pem"),
        (json!({"tls": {"client_auth": false}}), "usual cert.pem+key.pem"),
        (json!({"tls": {"client_auth": "one.pem"}}), "usual cert.pem+key.pem must /base/one.pem"),
        (
            json!({"tls": {"client_auth": {"ca": "one.pem", "mode": "optional"}}}),
            "usual cert.pem+key.pem may /base/one.pem",
        ),
        (
            json!({"tls": {"client_auth": {"ca": "one.pem"}}, "cert": "two.pem"}),
            "two.pem+two.pem must /base/one.pem",
        ),
        (json!({"tls": {"versions": "1.3"}, "ssl": {"cert": "two.pem"}}), "two.pem+two.pem 1.3"),
    ] {
        assert_eq!(rules(&site(written.clone())), expected, "{written}");
    }
}

#[test]
fn c10_2_what_a_host_leaves_out_it_takes_from_the_global_level() {
    let global = json!({
        "cert": "one.pem", "versions": "1.3", "client_auth": {"ca": "two.pem", "mode": "optional"},
    });
    for (own, expected) in [
        (json!({}), "one.pem+one.pem 1.3 may /base/two.pem"),
        (json!({"tls": {}}), "one.pem+one.pem 1.3 may /base/two.pem"),
        (json!({"tls": {"client_auth": false}}), "one.pem+one.pem 1.3"),
        (json!({"tls": {"client_auth": "two.pem"}}), "one.pem+one.pem 1.3 must /base/two.pem"),
        (json!({"tls": {"versions": ["1.2", "1.3"]}}), "one.pem+one.pem may /base/two.pem"),
        (json!({"tls": [{"cert": "two.pem"}]}), "two.pem+two.pem 1.3 may /base/two.pem"),
        (json!({"ssl": {"cert": "two.pem"}}), "two.pem+two.pem 1.3 may /base/two.pem"),
        (json!({"tls": "auto"}), "auto a.example 1.3 may /base/two.pem"),
    ] {
        let written = json!({"tls": global, "vhosts": {"a.example": own}});
        assert_eq!(rules(&site(written.clone())), expected, "{written}");
    }
}

#[test]
fn c10_2_an_automatic_certificate_is_for_the_host_and_what_it_names() {
    let global = json!({"cert": "auto", "names": ["g.example"], "until_issued": "refuse"});
    for (name, own, expected) in [
        ("a.example", json!({}), "auto a.example refuse"),
        ("*.example", json!({}), "auto *.example refuse"),
        ("A.example.:8080", json!({}), "auto a.example refuse"),
        ("a.example", json!({"tls": {"until_issued": "self-signed"}}), "auto a.example"),
        (
            "a.example",
            json!({"tls": {"cert": "auto", "names": ["*.a.example"]}}),
            "auto a.example,*.a.example refuse",
        ),
        ("a.example", json!({"tls": {"cert": "one.pem"}}), "one.pem+one.pem refuse"),
        ("b.example", json!({}), "auto g.example refuse"),
    ] {
        let site = site(json!({"tls": global, "vhosts": {name: own}}));
        assert_eq!(rules(&site), expected, "{name}");
    }
    // Nobody can ask for an address by its name.
    let site = site(json!({"tls": global, "vhosts": {"192.0.2.1": {}}}));
    assert_eq!(shown(&site.tls_of(host(&site, "192.0.2.1"))), "auto g.example refuse");
}

#[test]
fn c10_2_a_further_name_is_found_by_itself_and_by_its_wildcard() {
    let site = site(json!({
        "tls": {"cert": "auto", "names": "g.example"},
        "vhosts": {
            "a.example": {"tls": {"cert": "auto", "names": ["www.a.example", "*.b.example"]}},
            "b.example": {"web_root": "web"},
        },
    }));
    for (name, owner) in [
        ("www.a.example", Some(Some("a.example"))),
        ("x.b.example", Some(Some("a.example"))),
        ("g.example", Some(None)),
        ("a.example", None),
        ("b.example", None),
        ("x.x.b.example", None),
        ("x.www.a.example", None),
    ] {
        let found = site.names_further(name).map(|scope| scope.name.as_deref());
        assert_eq!(found, owner, "{name}");
    }
}

#[test]
fn c2_6_what_is_wrong_with_it_is_said() {
    let shape = "`auto`, a table, or a list of tables of `cert` and `key`";
    let pair = "\n  hint: a certificate is a table: `{'cert': 'cert.pem', 'key': 'key.pem'}`";
    for (written, fault) in [
        (json!("one.pem"), format!(": expected {shape}, found the string `one.pem`{pair}")),
        (
            json!("Auto"),
            format!(": expected {shape}, found the string `Auto`\n  hint: did you mean `auto`?"),
        ),
        (json!(true), format!(": expected {shape}, found `true`")),
        (json!([]), ": expected a list of 1 to 8 certificates, found a list of 0".to_owned()),
        (
            json!(["one.pem"]),
            "[0]: expected a table of `cert` and `key`, found the string `one.pem`".to_owned(),
        ),
        (
            json!([{"cert": "one.pem"}, {"key": "two.pem"}]),
            "[1].cert: expected a path\n  hint: `cert` and `key` belong together".to_owned(),
        ),
        (
            json!([{"cert": "auto"}]),
            "[0].cert: expected a path, found `auto`\n  hint: `auto` stands alone: `tls` = `auto`"
                .to_owned(),
        ),
        (
            json!([{"cert": "one.pem", "names": []}]),
            "[0].names: expected `cert` or `key`, found `names`".to_owned(),
        ),
        (
            json!({"certs": []}),
            ".certs: expected `cert` or `key` or `certificates` or `names` or `versions` or \
             `client_auth` or `until_issued`, found `certs`\n  hint: did you mean `cert`?"
                .to_owned(),
        ),
        (
            json!({"cert": "one.pem", "certificates": [{"cert": "two.pem"}]}),
            ".certificates: expected the certificates in one place, found them in two\
             \n  hint: leave out `cert` and `key`, or `certificates`"
                .to_owned(),
        ),
        (
            json!({"certificates": {"cert": "two.pem"}}),
            ".certificates: expected a list of tables of `cert` and `key`, found a table of 1"
                .to_owned(),
        ),
        (
            json!({"key": "one.pem"}),
            ".cert: expected a path\n  hint: `cert` and `key` belong together".to_owned(),
        ),
        (
            json!({"cert": "auto", "key": "one.pem"}),
            ".key: expected no `key` beside `auto`\
             \n  hint: the key of a certificate that the server obtains is made by it"
                .to_owned(),
        ),
        (
            json!({"names": ["a.example"]}),
            ".names: expected `cert`: `auto` beside it\
             \n  hint: they are further names of a certificate that the server obtains"
                .to_owned(),
        ),
        (
            json!({"cert": "auto", "names": ["a.example:443", "a b", "x.example", "X.example"]}),
            ".names[0]: expected a host name without a port, found `a.example:443`\
             \ntls.names[1]: expected a host name without spaces, found `a b`"
                .to_owned(),
        ),
        (
            json!({"cert": "auto", "names": ["x.example", "X.example"]}),
            ".names[1]: expected every name once, found `x.example`".to_owned(),
        ),
        (
            json!({"cert": "auto", "names": vec!["x"; 101]}),
            ".names: expected a list of at most 100 names, found a list of 101".to_owned(),
        ),
        (
            json!({"versions": 1.3}),
            ".versions: expected `1.2` or `1.3`, found the number `1.3`\
             \n  hint: write it in quotes"
                .to_owned(),
        ),
        (
            json!({"versions": ["1.3", "1.1"]}),
            ".versions[1]: expected `1.2` or `1.3`, found `1.1`\
             \n  hint: older versions are not spoken"
                .to_owned(),
        ),
        (
            json!({"versions": "TLSv1.3"}),
            ".versions: expected `1.2` or `1.3`, found `TLSv1.3`\n  hint: did you mean `1.3`?"
                .to_owned(),
        ),
        (
            json!({"versions": []}),
            ".versions: expected a list that is not empty, found an empty list".to_owned(),
        ),
        (
            json!({"client_auth": true}),
            ".client_auth: expected a path, a table of `ca` and `mode`, or `false`, found `true`"
                .to_owned(),
        ),
        (
            json!({"client_auth": {"mode": "require"}}),
            ".client_auth.ca: expected a path\
             \n  hint: the certificates of the authorities that sign those of clients"
                .to_owned(),
        ),
        (
            json!({"client_auth": {"ca": "one.pem", "mode": "required"}}),
            ".client_auth.mode: expected `require` or `optional`, found `required`\
             \n  hint: did you mean `require`?"
                .to_owned(),
        ),
        (
            json!({"client_auth": "web"}),
            ".client_auth: expected a PEM file, found `/base/web`, a folder".to_owned(),
        ),
        (
            json!({"until_issued": "self-signd"}),
            ".until_issued: expected `self-signed` or `refuse`, found `self-signd`\
             \n  hint: did you mean `self-signed`?"
                .to_owned(),
        ),
    ] {
        check(json!({"tls": written}), &format!("tls{fault}"));
    }
}

#[test]
fn c2_6_where_it_may_not_stand() {
    let address = "\n  hint: clients that connect to an address name none: what holds for them, and \
                   an automatic certificate for it, stands at the global level";
    for (written, faults) in [
        (
            json!({"vhosts": {"::1": {"tls": "auto"}}}),
            format!(
                "vhosts.\"::1\".tls: expected `tls` of a host name, \
                     found that of the address `::1`{address}"
            ),
        ),
        (
            json!({"vhosts": {"192.0.2.1": {"ssl": {"cert": "one.pem"}}}}),
            format!(
                "vhosts.\"192.0.2.1\".ssl: expected `ssl` of a host name, \
                     found that of the address `192.0.2.1`{address}"
            ),
        ),
        (
            json!({"vhosts": {"a": {"tls": {"cert": "auto", "names": "192.0.2.1"}}}}),
            format!("vhosts.a.tls.names: expected names of hosts, found `192.0.2.1`{address}"),
        ),
        (
            json!({"vhosts": {"a": {"tls": {"cert": "auto", "names": ["b", "a"]}}}}),
            "vhosts.a.tls.names: expected further names, found `a`, the name of the host itself"
                .to_owned(),
        ),
        (
            json!({"vhosts": {
                "a": {"tls": {"cert": "auto", "names": ["c"]}},
                "b": {"tls": {"cert": "auto", "names": ["c"]}},
            }}),
            "vhosts.b.tls.names: expected every name once, found `c`, a name of `a`".to_owned(),
        ),
        (
            json!({"mounts": {"/a": {"tls": "auto"}}}),
            "mounts.\"/a\".tls: expected this option at the global level or in a virtual host\
             \n  hint: what it is about is decided before a path is known: move it out of `mounts`"
                .to_owned(),
        ),
        (
            json!({"tls": {"cert": "one.pem"}, "ssl": {"cert": "two.pem"}}),
            "tls: expected the certificate in one place, found it in two\
             \n  hint: leave out `ssl`, or the certificates of `tls`"
                .to_owned(),
        ),
        (
            json!({"tls": "auto", "cert": "two.pem"}),
            "tls: expected the certificate in one place, found it in two\
             \n  hint: leave out `cert` and `key`, or those of `tls`"
                .to_owned(),
        ),
    ] {
        check(written, &faults);
    }
    check(json!({"tls": {"versions": "1.3"}, "ssl": true, "proxy": "a:1"}), "");
}

/// What a server with TLS says of files that are not there.
#[test]
fn c2_6_every_file_that_is_named_has_to_be_there() {
    let listener = FirstListener { tls: true, ..everywhere() };
    let env = env(&listener);
    for (written, faults) in [
        (
            json!({"tls": [{"cert": "one.pem"}, {"cert": "x.pem", "key": "y.pem"}]}),
            "tls[1].cert: expected a PEM file that exists, found `/base/x.pem`\n\
             tls[1].key: expected a PEM file that exists, found `/base/y.pem`",
        ),
        (
            json!({"certificates": [{"cert": "one.pem", "key": "web"}]}),
            "vhosts.a.tls.certificates[0].key: expected a PEM file, found `/base/web`, a folder",
        ),
        (
            json!({"client_auth": {"ca": "x.pem"}}),
            "vhosts.a.tls.client_auth.ca: expected a PEM file that exists, found `/base/x.pem`",
        ),
        (
            json!({"client_auth": "x.pem"}),
            "vhosts.a.tls.client_auth: expected a PEM file that exists, found `/base/x.pem`",
        ),
    ] {
        let written = match written.get("tls") {
            Some(_) => written,
            None => json!({"vhosts": {"a": {"tls": written}}}),
        };
        let found = compile(&config(&written), &Routes::default(), &env, None);
        let found = found.expect_err("a file is missing").to_string();
        assert_eq!(found.replace("\n  hint: a server that is to make a self-signed one names neither `cert` nor `key`", ""), faults);
    }
}

#[test]
fn c10_2_where_the_configuration_says_it() {
    let site = site(json!({
        "cert": "one.pem",
        "tls": {"client_auth": "one.pem"},
        "vhosts": {
            "none": {"tls": {"versions": "1.3"}},
            "table": {"tls": {"cert": "one.pem", "client_auth": {"ca": "two.pem"}}},
            "list": {"tls": [{"cert": "one.pem"}, {"cert": "two.pem"}]},
            "long": {"tls": {"certificates": [{"cert": "one.pem"}, {"cert": "two.pem"}]}},
            "old": {"ssl": {"cert": "one.pem"}},
        },
    }));
    for (host, part, place) in [
        (None, TlsPart::Certificate(0), "cert"),
        (None, TlsPart::Key(0), "key"),
        (None, TlsPart::Authorities, "tls.client_auth"),
        (Some("none"), TlsPart::Key(0), "key"),
        (Some("none"), TlsPart::Authorities, "tls.client_auth"),
        (Some("table"), TlsPart::Certificate(0), "vhosts.table.tls.cert"),
        (Some("table"), TlsPart::Authorities, "vhosts.table.tls.client_auth.ca"),
        (Some("list"), TlsPart::Key(1), "vhosts.list.tls[1].key"),
        (Some("long"), TlsPart::Certificate(1), "vhosts.long.tls.certificates[1].cert"),
        (Some("old"), TlsPart::Key(0), "vhosts.old.ssl.key"),
    ] {
        assert_eq!(site.place_of_tls(host, part).to_string(), place);
    }
}

#[test]
fn c3_5_a_change_of_one_host_leaves_what_the_others_say() {
    let written = json!({"vhosts": {
        "a.example": {"tls": {"cert": "auto", "names": ["www.a.example"]}},
        "b.example": {"tls": {"cert": "one.pem"}},
        "c.example": {"web_root": "web"},
    }});
    let routes = Routes::default();
    let mut config = config(&written);
    let first = site(written);
    let said = |site: &Site| {
        let hosts = site.tls.hosts.keys().map(|name| name.to_string()).collect::<Vec<_>>();
        let names = site.tls.further_names.keys().map(|name| name.to_string());
        (hosts.join(" "), names.collect::<Vec<_>>().join(" "))
    };
    assert_eq!(said(&first), ("a.example b.example".into(), "www.a.example".into()));

    // What has nothing to do with TLS.
    config.set(&way(["vhosts", "c.example", "debug"]), true.into());
    let second = change((&first, &routes), &config, &routes).expect("valid");
    assert_eq!(first.tls.hosts.diff(&second.tls.hosts).count(), 0);
    assert_eq!(first.tls.further_names.diff(&second.tls.further_names).count(), 0);

    // Other names, and a host that begins and one that ends to say something.
    let names = value(&json!({"cert": "auto", "names": ["www.a.example", "m.a.example"]}));
    config.set(&way(["vhosts", "a.example", "tls"]), names);
    config.set(&way(["vhosts", "c.example", "tls"]), "auto".into());
    config.remove(&way(["vhosts", "b.example"]));
    let third = change((&second, &routes), &config, &routes).expect("valid");
    let expected = ("a.example c.example", "m.a.example www.a.example");
    assert_eq!(said(&third), (expected.0.into(), expected.1.into()));

    // The same host in another spelling.
    let own = config.remove(&way(["vhosts", "a.example"])).expect("it is there");
    config.set(&way(["vhosts", "A.example"]), own);
    let fourth = change((&third, &routes), &config, &routes).expect("valid");
    assert_eq!(said(&fourth).0, "A.example c.example");
    assert_eq!(rules(&fourth), "auto a.example,www.a.example,m.a.example");

    // A name that another host has by now.
    let names = value(&json!({"cert": "auto", "names": ["m.a.example"]}));
    config.set(&way(["vhosts", "c.example", "tls"]), names);
    let refused = change((&fourth, &routes), &config, &routes).expect_err("it is named twice");
    assert_eq!(
        refused.to_string(),
        "vhosts.\"c.example\".tls.names: expected every name once, \
         found `m.a.example`, a name of `A.example`"
    );
}

#[test]
fn c2_3_files_that_stand_as_they_stood_are_resolved_as_they_were() {
    let written = json!({
        "tls": {"certificates": [{"cert": "one.pem"}], "client_auth": "two.pem"},
        "vhosts": {"a.example": {"tls": {"cert": "one.pem", "client_auth": {"ca": "two.pem"}}}},
    });
    let first = site(written.clone());
    let mut draft = config(&written);
    draft.set(&way(["debug"]), true.into());
    draft.set(&way(["vhosts", "a.example", "debug"]), true.into());
    let (routes, listener) = (Routes::default(), everywhere());
    let env = CompileEnv { base: "/other".into(), ..env(&listener) };
    let second = compile(&draft, &routes, &env, Some((&first, &routes))).expect("valid");
    assert_eq!(rules(&second), rules(&first));
    assert_eq!(second.tls_of(&second.global), first.tls_of(&first.global));

    let env = CompileEnv { resolve_anew: true, ..env };
    let third = compile(&draft, &routes, &env, Some((&second, &routes))).expect("valid");
    let expected = "/other/one.pem+/other/one.pem must /other/two.pem";
    assert_eq!(rules(&third), expected);
    assert_eq!(shown(&third.tls_of(&third.global)), expected);
    let a = HostKey::parse("a.example").expect("a key");
    assert!(third.hosts.get(&a).is_some());
}

#[test]
fn c10_4_each_certificate_is_asked_for_once() {
    let site = site(json!({
        "tls": "auto",
        "vhosts": {
            "a.example": {},
            "b.example": {"tls": {"cert": "auto", "names": ["www.b.example"]}},
            "www.b.example": {},
        },
    }));
    let mut asked: Vec<_> =
        site.automatic_certificates().iter().map(|names| names.join(" ")).collect();
    asked.sort();
    assert_eq!(asked, ["a.example", "b.example www.b.example"]);
}
