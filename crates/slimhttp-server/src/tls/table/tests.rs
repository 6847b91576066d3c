//! Which certificate and which policy a connection begins with, and what a change reads anew.

use serde_json::{Value as Json, json};
use slimhttp_site::config::Config;
use slimhttp_site::value::Value;

use super::*;
use crate::live::{Live, Snapshot, testing};
use crate::tls::presented::Source;
use crate::tls::testing::Issuer;

mod handshakes;

/// What a JSON literal says.
fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(flag) => Value::Bool(*flag),
        Json::Number(number) => Value::Integer(number.as_i64().expect("a whole number")),
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => Value::List(items.iter().map(value).collect()),
        Json::Object(entries) => Value::Table(
            entries.iter().map(|(key, item)| (Arc::from(key.as_str()), value(item))).collect(),
        ),
    }
}

fn config(json: &Json) -> Config {
    Config::new(value(json).as_table().expect("a table").clone())
}

/// A server of TLS.
pub(super) fn live(json: &Json) -> Live {
    testing::live(true, config(json))
}

/// Puts another configuration in force.
pub(super) fn change(live: &Live, json: &Json) -> Arc<Snapshot> {
    live.update(|draft| draft.config = config(json)).expect("it is valid");
    live.current()
}

pub(super) fn table(snapshot: &Snapshot) -> &Arc<TlsTable> {
    snapshot.tls.as_ref().expect("TLS is spoken")
}

/// The table of a site with a store of its own, for which nobody obtains anything yet.
pub(super) fn by_itself(snapshot: &Snapshot) -> Arc<TlsTable> {
    TlsTable::open(&snapshot.site, None, &Arc::new(TlsStore::default())).expect("it is valid")
}

/// What a client gets that asks for a name, at port 1.
pub(super) fn chosen(snapshot: &Snapshot, name: Option<&str>) -> Arc<Entry> {
    table(snapshot).choose(&snapshot.site, name, 1)
}

/// In one word: the file of the first certificate, or the names of an automatic one.
fn shown(entry: &Entry) -> String {
    match &entry.presented.source {
        Source::Files(pairs) => {
            let name = pairs[0].files.certificate.file_name().expect("a file");
            name.to_string_lossy().into_owned()
        }
        Source::Automatic(certificate) => format!("auto {}", certificate.names.join(",")),
    }
}

#[test]
fn c10_2_the_name_that_is_asked_for_picks_the_certificate() {
    let issuer = Issuer::new();
    let pem = |name: &str| issuer.issue(&format!("{name}.pem"), &[name]);
    let tls = |name: &str| json!({"tls": {"cert": pem(name)}});
    let live = live(&json!({
        "cert": pem("global"),
        "vhosts": {
            "a.example": tls("exact"),
            "*.a.example": tls("wildcard"),
            "*.b.a.example": tls("longer"),
            "plain.a.example": {"debug": true},
            "ports.example": tls("any"),
            "ports.example:1": tls("one"),
            "ports.example:2": tls("two"),
            "bücher.example": {"ssl": {"cert": pem("idn")}},
        },
    }));
    let snapshot = live.current();
    for (name, expected) in [
        (None, "global.pem"),
        (Some("other.example"), "global.pem"),
        (Some("a.example"), "exact.pem"),
        (Some("a.example."), "exact.pem"),
        (Some("x.a.example"), "wildcard.pem"),
        (Some("x.y.a.example"), "wildcard.pem"),
        (Some("x.b.a.example"), "longer.pem"),
        (Some("b.a.example"), "wildcard.pem"),
        // It says nothing, and so it has what the global level has.
        (Some("plain.a.example"), "global.pem"),
        (Some("ports.example"), "one.pem"),
        (Some("xn--bcher-kva.example"), "idn.pem"),
        (Some("192.0.2.1"), "global.pem"),
    ] {
        assert_eq!(shown(&chosen(&snapshot, name)), expected, "{name:?}");
    }
    let at = |port| shown(&table(&snapshot).choose(&snapshot.site, Some("ports.example"), port));
    assert_eq!((at(2), at(3)), ("two.pem".to_owned(), "any.pem".to_owned()));
}

#[test]
fn c10_2_what_is_obtained_is_presented_for_what_it_names() {
    let issuer = Issuer::new();
    let live = live(&json!({
        "tls": {"cert": "auto", "names": ["g.example"]},
        "vhosts": {
            "a.example": {"tls": {"cert": "auto", "names": ["www.a.example", "*.m.example"]}},
            "www.a.example": {"tls": {"versions": "1.3"}},
            "x.m.example": {"tls": {"cert": issuer.issue("own.pem", &["x.m.example"])}},
            "y.m.example": {},
            "b.example": {},
            "*.c.example": {},
            "192.0.2.1": {},
        },
    }));
    let snapshot = live.current();
    let a = "auto a.example,www.a.example,*.m.example";
    for (name, expected) in [
        (None, "auto g.example"),
        (Some("g.example"), "auto g.example"),
        (Some("other.example"), "auto g.example"),
        (Some("a.example"), a),
        // What names them comes before what they inherit, and what they say themselves before it.
        (Some("www.a.example"), a),
        (Some("y.m.example"), a),
        (Some("x.m.example"), "own.pem"),
        (Some("b.example"), "auto b.example"),
        (Some("x.c.example"), "auto *.c.example"),
        (Some("192.0.2.1"), "auto g.example"),
    ] {
        assert_eq!(shown(&chosen(&snapshot, name)), expected, "{name:?}");
    }
    // The demands are those of the host, whatever names its certificate.
    let versions = |name| chosen(&snapshot, Some(name)).policy.key.versions;
    assert_ne!(versions("www.a.example"), versions("a.example"));
}

/// The certificates that a table has open, in the order of their files.
fn open(table: &TlsTable) -> Vec<(String, usize, *const Pair)> {
    let mut all: Vec<_> = table
        .pairs
        .iter()
        .map(|(files, (uses, pair))| {
            let name = files.certificate.file_name().expect("a file").to_string_lossy();
            (name.into_owned(), *uses, Arc::as_ptr(pair))
        })
        .collect();
    all.sort();
    all
}

#[test]
fn c10_2_a_change_reads_what_it_names_and_nothing_else() {
    let issuer = Issuer::new();
    let [one, two, three] =
        ["one", "two", "three"].map(|name| issuer.issue(&format!("{name}.pem"), &[name]));
    let mut config = json!({
        "cert": one,
        "vhosts": {
            "a.example": {"tls": {"cert": two}},
            "b.example": {"tls": {"cert": two}},
            "c.example": {"tls": [{"cert": two}, {"cert": three}]},
        },
    });
    let live = live(&config);
    let first = live.current();
    let uses = |snapshot: &Snapshot| {
        let open = open(table(snapshot));
        open.iter().map(|(name, uses, _)| format!("{name} {uses}")).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(uses(&first), "one.pem 1, three.pem 1, two.pem 3");

    // What has nothing to do with TLS: the table itself goes on.
    config["index"] = json!("a.html");
    let second = change(&live, &config);
    assert!(Arc::ptr_eq(table(&first), table(&second)));

    // Whoever read them again would find that they are gone.
    for path in [&one, &two, &three] {
        std::fs::remove_file(path).expect("it is there");
    }
    let four = issuer.issue("four.pem", &["four"]);
    config["vhosts"]["b.example"] = json!({"tls": {"cert": four}});
    let third = change(&live, &config);
    assert_eq!(uses(&third), "four.pem 1, one.pem 1, three.pem 1, two.pem 2");
    for host in ["a.example", "c.example"] {
        let entry = |snapshot| chosen(snapshot, Some(host));
        assert!(Arc::ptr_eq(&entry(&first), &entry(&third)), "{host} is taken over");
    }
    // The global level notices that its own are gone, and goes on with what it has read.
    let read = |snapshot: &Snapshot| match &table(snapshot).global.presented.source {
        Source::Files(pairs) => Arc::as_ptr(pairs[0].read.as_ref().expect("it was read")),
        Source::Automatic(_) => unreachable!("it names files"),
    };
    assert_eq!(read(&first), read(&third));

    // Nobody names them any more.
    config["vhosts"] = json!({"a.example": {"tls": {"cert": two}}});
    let fourth = change(&live, &config);
    assert_eq!(uses(&fourth), "one.pem 1, two.pem 1");
    config["vhosts"] = json!({});
    assert_eq!(uses(&change(&live, &config)), "one.pem 1");
}

#[test]
fn c3_2_what_is_wrong_leaves_the_table_in_force() {
    let issuer = Issuer::new();
    let (one, two) = (issuer.issue("one.pem", &["one"]), issuer.issue("two.pem", &["two"]));
    let bad = issuer.write("bad.pem", "nothing");
    let mut written = json!({"cert": one, "vhosts": {"a.example": {"tls": {"cert": two}}}});
    let live = live(&written);
    let before = live.current();
    written["vhosts"]["a.example"] = json!({"tls": [{"cert": two}, {"cert": bad}]});
    written["vhosts"]["b.example"] = json!({"tls": {"client_auth": {"ca": bad}}});
    let faults = live.update(|draft| draft.config = config(&written)).expect_err("it is wrong");
    let bad = bad.display();
    assert_eq!(
        faults.to_string(),
        format!(
            "vhosts.\"a.example\".tls[1].cert: expected a certificate in PEM form, \
             found `{bad}`, which has none\n\
             vhosts.\"a.example\".tls[1].key: expected a private key in PEM form, \
             found `{bad}`, which has a certificate only\
             \n  hint: name the file of the key by `key`\n\
             vhosts.\"b.example\".tls.client_auth.ca: expected certificates of authorities in \
             PEM form, found `{bad}`, which has none"
        )
    );
    assert!(Arc::ptr_eq(table(&before), table(&live.current())));
}

#[test]
fn c10_2_a_renewal_of_one_leaves_all_others() {
    let issuer = Issuer::new();
    let [one, two] = ["one", "two"].map(|name| issuer.issue(&format!("{name}.pem"), &[name]));
    let ca = issuer.authority();
    let live = live(&json!({
        "cert": one,
        "vhosts": {
            "a.example": {"tls": {"cert": two}},
            "b.example": {"tls": {"client_auth": ca}},
        },
    }));
    let before = live.current();
    let generation = live.generation();
    live.renew_certificates();
    assert_eq!(live.generation(), generation, "nothing has changed for anybody");

    issuer.issue("two.pem", &["renewed"]);
    live.renew_certificates();
    let after = live.current();
    let is_same = |name| Arc::ptr_eq(&chosen(&before, name), &chosen(&after, name));
    assert_eq!(
        [None, Some("a.example"), Some("b.example")].map(is_same),
        [true, false, true],
        "what was renewed is presented, and the rest is as it was"
    );
    assert!(chosen(&after, Some("a.example")).presented.covers("renewed"));
    assert!(Arc::ptr_eq(
        &chosen(&before, Some("a.example")).policy,
        &chosen(&after, Some("a.example")).policy
    ));

    // Other authorities are other demands; the same ones in another file are not.
    issuer.authority();
    live.renew_certificates();
    let policy = |snapshot: &Snapshot| chosen(snapshot, Some("b.example")).policy.clone();
    assert!(Arc::ptr_eq(&policy(&after), &policy(&live.current())));
    std::fs::copy(Issuer::new().authority(), &ca).expect("copied");
    live.renew_certificates();
    let changed = live.current();
    assert_ne!(policy(&after).key, policy(&changed).key);

    // What cannot be used changes nothing.
    std::fs::write(&ca, "nothing").expect("written");
    live.renew_certificates();
    assert!(Arc::ptr_eq(&policy(&changed), &policy(&live.current())));
}

#[test]
fn c10_5_scopes_that_demand_the_same_share_a_policy() {
    let issuer = Issuer::new();
    let ca = issuer.authority();
    let auth = json!({"tls": {"client_auth": {"ca": ca, "mode": "optional"}}});
    let mut config = json!({
        "cert": issuer.issue("one.pem", &["one"]),
        "vhosts": {
            "a.example": {"tls": {"versions": ["1.2", "1.3"]}},
            "b.example": auth,
            "c.example": auth,
            "d.example": {"tls": {"client_auth": ca}},
            "e.example": {"tls": {"versions": "1.3"}},
        },
    });
    let live = live(&config);
    let first = live.current();
    let policy =
        |snapshot: &Snapshot, name: &str| Arc::as_ptr(&chosen(snapshot, Some(name)).policy);
    let of = |letter: &str| policy(&first, &format!("{letter}.example"));
    for (one, other, is_same) in [
        ("a", "none", true),
        ("b", "c", true),
        ("a", "b", false),
        ("a", "d", false),
        ("a", "e", false),
        ("b", "d", false),
        ("d", "e", false),
    ] {
        assert_eq!(of(one) == of(other), is_same, "{one} {other}");
    }
    // A change of something else, of the certificates, and back to what was demanded before.
    config["cert"] = json!(issuer.issue("two.pem", &["two"]));
    let second = change(&live, &config);
    for name in ["a.example", "b.example", "d.example", "e.example"] {
        assert_eq!(policy(&first, name), policy(&second, name), "{name}");
    }
}

#[test]
fn ten_thousand_names_are_opened_once_and_edited_in_one_place() {
    let issuer = Issuer::new();
    let pem = issuer.issue("all.pem", &["*.example"]);
    let vhosts: serde_json::Map<_, _> = (0..10_000)
        .map(|number| (format!("{number}.example"), json!({"tls": {"cert": pem}})))
        .collect();
    let global = issuer.issue("global.pem", &["global"]);
    let mut config = json!({"cert": global, "vhosts": vhosts});
    let live = live(&config);
    let first = live.current();
    let open = open(table(&first));
    let uses: Vec<_> = open.iter().map(|(name, uses, _)| (name.as_str(), *uses)).collect();
    assert_eq!(uses, [("all.pem", 10_000), ("global.pem", 1)], "each is read once");
    let own = issuer.issue("own.pem", &["77.example"]);
    config["vhosts"]["77.example"] = json!({"tls": {"cert": own}});
    std::fs::remove_file(&pem).expect("it is there");
    let second = change(&live, &config);
    for number in [0, 76, 78, 9_999] {
        let name = format!("{number}.example");
        let entry = |snapshot| chosen(snapshot, Some(&name));
        assert!(Arc::ptr_eq(&entry(&first), &entry(&second)), "{name}");
    }
    assert_eq!(shown(&chosen(&second, Some("77.example"))), "own.pem");
}

#[test]
fn a_certificate_that_is_made_stands_in_until_the_usual_files_are_there() {
    let live = live(&json!({}));
    let snapshot = live.current();
    let global = &table(&snapshot).global;
    assert!(global.presented.is_stand_in());
    let reason = table(&snapshot).stand_in_reason(&snapshot.site).expect("it is self-signed");
    assert!(reason.starts_with("no certificate is configured"), "{reason}");
    assert_eq!(global.config().alpn_protocols, [&b"h2"[..], b"http/1.1"]);
}

#[test]
fn nothing_is_said_of_what_stands_in_where_hosts_have_certificates() {
    let live = live(&json!({"vhosts": {"a.example": {"tls": "auto"}}}));
    let snapshot = live.current();
    assert!(table(&snapshot).global.presented.is_stand_in());
    assert_eq!(table(&snapshot).stand_in_reason(&snapshot.site), None);
}

#[test]
fn c10_2_what_is_known_of_each_certificate() {
    let issuer = Issuer::new();
    let (one, two) = (issuer.issue("one.pem", &["one"]), issuer.issue("two.pem", &["two"]));
    let live = live(&json!({
        "cert": one,
        "vhosts": {
            "a.example": {"tls": {"cert": two}},
            "b.example": {"tls": [{"cert": two}, {"cert": one}]},
            "c.example": {"tls": "auto"},
            "d.example": {},
        },
    }));
    std::fs::write(&two, "half").expect("written");
    live.renew_certificates();
    let text: Vec<_> = live
        .certificates()
        .iter()
        .map(|status| {
            let by = status.presented_by.iter().map(|host| host.as_deref().unwrap_or("global"));
            let by = by.collect::<Vec<_>>().join(",");
            let fault = if status.fault.is_some() { " fault" } else { "" };
            format!("{} {} by {by}{fault}", status.names.join(","), status.state.name())
        })
        .collect();
    assert_eq!(
        text,
        [
            "one valid by global,b.example",
            "two valid by a.example,b.example fault",
            "c.example missing by c.example",
        ]
    );
    // They end in an hour, and were valid for two.
    let (snapshot, now) = (live.current(), OffsetDateTime::now_utc());
    for (hours, state) in [(-2, "not yet valid"), (0, "valid"), (2, "expired")] {
        let later = now + time::Duration::hours(hours);
        assert_eq!(table(&snapshot).status(&snapshot.site, later)[0].state.name(), state);
    }
    let facts = live.certificates()[0].facts.clone().expect("there is one");
    assert_eq!((&*facts.issuer, &*facts.key), ("CN=Our CA", "ECDSA on the curve P-256"));
    assert_eq!(facts.fingerprint.len(), 64);
}

#[test]
fn c10_2_certificates_that_are_obtained_and_not_configured() {
    struct Obtains(Arc<TlsStore>, Issuer);
    impl crate::tls::automatic::OnDemand for Obtains {
        fn obtain(&self, name: &str) -> Obtained {
            if name != "no.example" {
                let made = self.1.sign(&[name], crate::tls::certificate::KeyType::P256);
                let names: Arc<[Arc<str>]> = Arc::new([name.into()]);
                let key = crate::tls::testing::certified_key(&made);
                self.0.automatic.install(&names, &key).expect("a certificate");
            }
            Box::pin(std::future::ready(()))
        }
    }
    let live = live(&json!({"tls": "auto", "vhosts": {"a.example": {}}}));
    let snapshot = live.current();
    let (tls, site) = (by_itself(&snapshot), &snapshot.site);
    assert!(tls.awaited(site, Some("x.example"), 1).is_none(), "nobody obtains anything");
    let store = tls.store.clone();
    tls.store.automatic.set_on_demand(Arc::new(Obtains(store, Issuer::new())));

    assert!(tls.awaited(site, Some("a.example"), 1).is_none(), "it is configured");
    assert!(tls.awaited(site, None, 1).is_none());
    assert!(tls.awaited(site, Some("x.example"), 1).is_some());
    assert!(tls.awaited(site, Some("x.example"), 1).is_none(), "it is there by now");
    assert_eq!(shown(&tls.choose(site, Some("x.example"), 1)), "auto x.example");
    assert!(tls.awaited(site, Some("no.example"), 1).is_some());
    assert_eq!(shown(&tls.choose(site, Some("no.example"), 1)), "auto ");

    let names: Arc<[Arc<str>]> = Arc::new(["x.example".into()]);
    tls.store.automatic.forget(&names);
    assert_eq!(shown(&tls.choose(site, Some("x.example"), 1)), "auto ");
}
