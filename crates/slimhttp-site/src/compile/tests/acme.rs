//! `acme`: what it takes, how it refuses the rest, and what it comes to.

use std::net::SocketAddr;
use std::time::Duration;

use super::files::each;
use super::*;
use crate::site::acme::{
    AcmeOptions, ChallengeType, DnsOptions, DnsUpdate, DnsWay, ExternalAccount, Identifier,
    KeyType, OnDemandOptions, Secret, TsigAlgorithm, TsigKey,
};

#[track_caller]
fn acme(table: Json) -> AcmeOptions {
    AcmeOptions::clone(&site(json!({"acme": table})).service.acme)
}

fn usual() -> AcmeOptions {
    AcmeOptions::new(Path::new("/base"))
}

#[test]
fn c10_4_what_acme_says() {
    let url = "https://acme-v02.api.letsencrypt.org/directory";
    assert_eq!(*site(json!({})).service.acme, usual());
    assert_eq!(acme(json!({})), usual());
    assert_eq!(&*usual().directory, url);
    assert_eq!(usual().storage, Path::new("/base/acme"));
    let whole = json!({
        "directory": "zerossl", "ca": "one.pem", "email": "a@b.example", "storage": "/var/acme",
        "challenge": ["dns-01", "http-01", "dns-01"], "dns": "bin/dns", "profile": "shortlived",
        "eab": {"kid": "kid-1", "key": "a-_9"}, "key_type": "rsa4096", "on_demand": "*.a.example",
    });
    let expected = AcmeOptions {
        directory: "https://acme.zerossl.com/v2/DV90".into(),
        ca: Some("/base/one.pem".into()),
        email: Some("a@b.example".into()),
        storage: "/var/acme".into(),
        challenges: vec![ChallengeType::Dns01, ChallengeType::Http01],
        dns: DnsOptions {
            way: Some(DnsWay::Program("/base/bin/dns".into())),
            ..DnsOptions::default()
        },
        eab: Some(ExternalAccount { kid: "kid-1".into(), key: Secret("a-_9".into()) }),
        profile: Some("shortlived".into()),
        key_type: KeyType::Rsa4096,
        on_demand: Some(OnDemandOptions {
            allow: vec![Identifier::Wildcard("a.example".into())],
            ..OnDemandOptions::default()
        }),
    };
    assert_eq!(acme(whole), expected);
}

#[test]
fn c10_4_how_records_are_set() {
    let update = |table: Json| acme(json!({"dns": table})).dns;
    let server =
        |host: &str, port| DnsUpdate { host: host.into(), port, zone: None, key: None, ttl: 60 };
    let by = |update| DnsOptions { way: Some(DnsWay::Update(update)), ..DnsOptions::default() };
    assert_eq!(update(json!({"server": "::1"})), by(server("::1", 53)));
    assert_eq!(update(json!({"server": "[::1]:5353"})), by(server("::1", 5353)));
    assert_eq!(update(json!({"server": "NS.example"})), by(server("ns.example", 53)));
    let whole = json!({
        "server": "127.0.0.1:53", "zone": "_acme.a.example", "key_name": "acme", "key": "AA+/",
        "algorithm": "hmac-sha512", "ttl": 5, "timeout": 2.5, "propagation_timeout": false,
        "resolvers": ["9.9.9.9", "[2620:fe::fe]:5353"],
    });
    let key = TsigKey {
        name: "acme".into(),
        algorithm: TsigAlgorithm::HmacSha512,
        secret: Secret("AA+/".into()),
    };
    let expected = DnsOptions {
        way: Some(DnsWay::Update(DnsUpdate {
            zone: Some("_acme.a.example".into()),
            key: Some(key),
            ttl: 5,
            ..server("127.0.0.1", 53)
        })),
        timeout: Duration::from_millis(2500),
        propagation_timeout: Duration::ZERO,
        resolvers: ["9.9.9.9:53", "[2620:fe::fe]:5353"]
            .map(|text| text.parse::<SocketAddr>().unwrap())
            .into(),
    };
    assert_eq!(update(whole), expected);
    // A program may set them by a function.
    assert_eq!(acme(json!({"challenge": "dns-01"})).dns, DnsOptions::default());
}

#[test]
fn c10_4_a_faulty_table_is_refused_with_every_fault() {
    let directories = "`letsencrypt`, `letsencrypt-staging`, `zerossl`, or the `https` URL of a \
                       directory";
    let shape = "a table of `directory`, `ca`, `email`, `storage`, `challenge`, `dns`, `eab`, \
                 `profile`, `key_type` and `on_demand`";
    let challenges = "`http-01` or `tls-alpn-01` or `dns-01`";
    each(
        "acme",
        &[
            (json!(true), &format!("acme: expected {shape}, found `true`")),
            (
                json!({"directory": "letsencript"}),
                &format!(
                    "acme.directory: expected {directories}, found `letsencript`\
                     \n  hint: did you mean `letsencrypt`?"
                ),
            ),
            (
                json!({"directory": "http://ca.example/directory"}),
                &format!(
                    "acme.directory: expected {directories}, found `http://ca.example/directory`\
                     \n  hint: an account and its orders are sent over TLS only"
                ),
            ),
            (
                json!({"directory": "https://user@ca.example/"}),
                &format!(
                    "acme.directory: expected {directories}, found `https://user@ca.example/`"
                ),
            ),
            (
                json!({"email": "mailto:a@b.example", "key_type": "ecdsa", "profile": "",
                       "challenge": ["http01", 1], "storage": "", "mail": 1}),
                &format!(
                    "acme.challenge[0]: expected {challenges}, found `http01`\
                     \n  hint: did you mean `http-01`?\
                     \nacme.challenge[1]: expected {challenges}, found the number `1`\
                     \nacme.email: expected an address such as `admin@example.com`, found \
                     `mailto:a@b.example`\n  hint: write it as `a@b.example`\
                     \nacme.key_type: expected `p256` or `p384` or `rsa2048` or `rsa4096`, found \
                     `ecdsa`\
                     \nacme.mail: expected `directory` or `ca` or `email` or `storage` or \
                     `challenge` or `dns` or `eab` or `profile` or `key_type` or `on_demand`, \
                     found `mail`\n  hint: did you mean `email`?\
                     \nacme.profile: expected a profile of the authority, such as `shortlived`, \
                     found an empty text\
                     \nacme.storage: expected a path, found an empty text"
                ),
            ),
            (
                json!({"directory": "zerossl"}),
                "acme.eab: expected `kid` and `key`, without which `zerossl` has no account\
                 \n  hint: they are shown in the account with the authority",
            ),
            (
                json!({"eab": {"kid": "a b"}}),
                "acme.eab.key: expected what the authority has given\
                 \n  hint: `kid` and `key` belong together: the authority shows both\
                 \nacme.eab.kid: expected a text without spaces, as the authority has given it, \
                 found `a b`",
            ),
            // No message shows a key.
            (
                json!({"eab": {"kid": "a", "key": "top secret"}}),
                "acme.eab.key: expected a key in base64url, found a text that is none",
            ),
            (
                json!({"dns": {"server": "127.0.0.1:0", "key": "top secret", "ttl": 0}}),
                "acme.dns.key: expected a key in base64, found a text that is none\
                 \nacme.dns.key_name: expected a key of the server\
                 \n  hint: `key_name` and `key` belong together\
                 \nacme.dns.server: expected a server such as `ns1.example.com` or \
                 `127.0.0.1:53`, found `127.0.0.1:0`\
                 \nacme.dns.ttl: expected a whole number from 1 to 86400, found `0`",
            ),
            (
                json!({"dns": {"key_name": "a", "resolvers": "ns1.example"}}),
                "acme.dns.resolvers: expected an address such as `9.9.9.9` or \
                 `[2620:fe::fe]:53`, found `ns1.example`\
                 \nacme.dns.server: expected a server beside `key_name`",
            ),
            (
                json!({"dns": {"program": "a", "server": "b.example"}}),
                "acme.dns.program: expected `program` or `server`, found both\
                 \n  hint: leave out one of the two",
            ),
            (
                json!({"on_demand": ["127.0.0.1", "a b"]}),
                "acme.on_demand[0]: expected a host name, found `127.0.0.1`\
                 \n  hint: no client names an address in a handshake\
                 \nacme.on_demand[1]: expected a host name without spaces, found `a b`",
            ),
            (
                json!({"on_demand": {"per_hour": 0, "names": []}}),
                "acme.on_demand.names: expected `allow` or `per_hour` or `at_once` or \
                 `max_names` or `timeout` or `negative_ttl`, found `names`\
                 \nacme.on_demand.per_hour: expected a whole number from 1 to 100000, found `0`",
            ),
        ],
    );
}

/// A program's functions may set records and decide about names; a file has none.
#[test]
fn c10_4_without_python_a_configuration_says_it_all() {
    let table = json!({"acme": {"challenge": "dns-01", "on_demand": true}});
    check(table.clone(), "");
    let listener = everywhere();
    let env = CompileEnv { python: false, ..env(&listener) };
    let faults = compile(&config(&table), &Routes::default(), &env, None).unwrap_err();
    assert_eq!(
        faults.to_string(),
        "acme.dns: expected how records of `dns-01` are set\
         \n  hint: name a program (`dns = \"./set-record\"`), or the `server` of the zone\
         \nacme.on_demand.allow: expected the names that may have one\
         \n  hint: a name that anybody makes up would get a certificate otherwise"
    );
}

#[test]
fn c10_4_no_file_is_sent_from_where_keys_lie() {
    let fault = |folder: &str, root: &str, scope: &str| {
        format!(
            "acme.storage: expected a folder that no file is sent from: keys lie there, found \
             `{folder}`, below `{root}`, the folder of {scope}"
        )
    };
    let within = json!({"acme": {"storage": "web/keys"}, "web_root": "web"});
    check(within, &fault("/base/web/keys", "/base/web", "the global level"));
    let usual = json!({"acme": {}, "vhosts": {"a.example": {"web_root": "."}}});
    check(usual, &fault("/base/acme", "/base", "a.example"));
    let beside = json!({"acme": {"storage": "webs"}, "web_root": "web"});
    check(beside, "");
    check(json!({"web_root": "."}), "");
    // By a change of either.
    let before = site(json!({"acme": {}, "web_root": "web"}));
    let change = |json: Json| {
        change((&before, &Routes::default()), &config(&json), &Routes::default())
            .err()
            .map(|faults| faults.to_string())
    };
    let vhosts = json!({"a.example": {"mounts": {"/x": {"web_root": "."}}}});
    assert_eq!(
        change(json!({"acme": {}, "web_root": "web", "vhosts": vhosts})),
        Some(fault("/base/acme", "/base", "/x of a.example"))
    );
    assert_eq!(
        change(json!({"acme": {"storage": "web"}, "web_root": "web"})),
        Some(fault("/base/web", "/base/web", "the global level"))
    );
}

#[test]
fn c3_5_a_path_stays_what_it_was_resolved_to() {
    let listener = everywhere();
    let elsewhere = CompileEnv { base: "/other".into(), ..env(&listener) };
    for (table, storage) in [(json!({}), "/base/acme"), (json!({"acme": {}}), "/base/acme")] {
        let before = site(table.clone());
        let routes = Routes::default();
        let after =
            compile(&config(&table), &routes, &elsewhere, Some((&before, &routes))).unwrap();
        assert_eq!(after.service.acme.storage, Path::new(storage));
    }
}
