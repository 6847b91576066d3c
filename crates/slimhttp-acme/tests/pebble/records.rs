//! dns-01: wildcards, by each way to set records.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64;
use parking_lot::Mutex;
use slimhttp_acme::{DnsFuture, DnsProvider};
use slimhttp_site::acme::{
    AcmeOptions, ChallengeType, DnsOptions, DnsUpdate, DnsWay, Secret, TsigAlgorithm, TsigKey,
};

use crate::is_skipped;
use crate::support::dns::KEY;
use crate::support::site::{World, names};
use crate::support::wait_until;

/// A wildcard and its name: two records at one place.
const WILDCARD: &str = "example.com *.example.com";

/// Options that have records set so.
fn options(world: &World, way: Option<DnsWay>) -> AcmeOptions {
    AcmeOptions {
        challenges: vec![ChallengeType::Dns01],
        dns: DnsOptions {
            way,
            timeout: Duration::from_secs(10),
            propagation_timeout: Duration::from_secs(10),
            resolvers: vec![world.dns.address],
        },
        ..world.options()
    }
}

fn update(world: &World, key: &[u8], zone: Option<&str>) -> DnsWay {
    DnsWay::Update(DnsUpdate {
        host: "127.0.0.1".into(),
        port: world.dns.address.port(),
        zone: zone.map(Into::into),
        key: Some(TsigKey {
            name: "acme-update".into(),
            algorithm: TsigAlgorithm::HmacSha256,
            secret: Secret(BASE64.encode(key).into()),
        }),
        ttl: 1,
    })
}

#[test]
fn c10_4_a_wildcard_by_updates_of_its_zone() {
    if is_skipped() {
        return;
    }
    let world = World::new();
    let way = update(&world, KEY, None);
    let site = world.site_with(options(&world, Some(way)));
    site.acme.want([names(WILDCARD)]);
    site.certificate(WILDCARD);
    let seen = world.dns.seen.lock().clone();
    let at = |(name, _): &(String, String)| name == "_acme-challenge.example.com.";
    assert!(seen.len() == 2 && seen.iter().all(at), "{seen:?}");
    // They were taken away.
    assert_eq!(*world.dns.texts.lock(), BTreeSet::new());
    world.front.assert_no_violations();
}

#[test]
fn c10_4_an_update_that_is_refused_says_why() {
    if is_skipped() {
        return;
    }
    for (key, zone, expected) in [
        (&b"another key"[..], None, "the update is refused: Not authorized"),
        (KEY, Some("com"), "the update is refused: Name not in zone"),
        (
            KEY,
            Some("other.test"),
            "`_acme-challenge.a.example.com.` is not in the zone `other.test.`",
        ),
    ] {
        let world = World::new();
        let way = update(&world, key, zone);
        let site = world.site_with(options(&world, Some(way)));
        site.acme.want([names("a.example.com")]);
        let failure = site.failure("a.example.com").last_error.unwrap();
        let start = "dns-01 of a.example.com cannot be answered: ";
        assert!(failure.starts_with(start) && failure.contains(expected), "{failure}");
    }
}

/// A program that writes what it is told into a file.
fn script(folder: &Path, text: &str) -> DnsWay {
    let path = folder.join("set-record");
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    DnsWay::Program(path)
}

#[test]
fn c10_4_a_wildcard_by_a_program() {
    if is_skipped() {
        return;
    }
    let world = World::new();
    let folder = world.folder.path().to_owned();
    let (records, calls) = (folder.join("records"), folder.join("calls"));
    *world.dns.file.lock() = Some(records.clone());
    let text = format!(
        "echo \"$@\" >> {calls}\n\
         test $1 = cleanup || echo \"$2 $3\" >> {records}\n",
        calls = calls.display(),
        records = records.display(),
    );
    let site = world.site_with(options(&world, Some(script(&folder, &text))));
    site.acme.want([names(WILDCARD)]);
    site.certificate(WILDCARD);
    let calls = std::fs::read_to_string(&calls).unwrap();
    let verbs: Vec<_> = calls.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(verbs, ["present", "present", "cleanup", "cleanup"]);
    let all_of_the_name = calls.lines().all(|line| line.contains(" _acme-challenge.example.com "));
    assert!(all_of_the_name, "{calls}");
}

#[test]
fn c10_4_a_program_that_fails_says_why() {
    if is_skipped() {
        return;
    }
    for (text, expected) in [
        ("echo one >&2; echo no such zone >&2; exit 3", "ended with exit status: 3: no such zone"),
        ("exit 4", "ended with exit status: 4"),
        ("exec sleep 600", "not done in 1 s"),
    ] {
        let world = World::new();
        let way = script(world.folder.path(), text);
        let mut options = options(&world, Some(way));
        options.dns.timeout = Duration::from_secs(1);
        let site = world.site_with(options);
        site.acme.want([names("a.example.com")]);
        let failure = site.failure("a.example.com").last_error.unwrap();
        assert!(failure.contains(expected), "{failure}");
    }
}

#[test]
fn c10_4_a_record_that_nobody_sees_is_waited_for_and_then_told() {
    if is_skipped() {
        return;
    }
    let world = World::new();
    let mut options = options(&world, Some(script(world.folder.path(), "exit 0")));
    options.dns.propagation_timeout = Duration::from_secs(1);
    let site = world.site_with(options);
    site.acme.want([names("a.example.com")]);
    let failure = site.failure("a.example.com").last_error.unwrap();
    let expected = "the record of `_acme-challenge.a.example.com` is not seen within 1 s: not at ";
    assert!(failure.contains(expected), "{failure}");
    // The authority was not told to look.
    assert_eq!(world.front.state.lock().requests.get("challenge"), None);
}

/// Records that a function of the program sets.
#[derive(Default)]
struct Function {
    calls: Mutex<Vec<String>>,
    texts: Arc<Mutex<BTreeSet<(String, String)>>>,
}

impl DnsProvider for Function {
    fn present<'a>(&'a self, name: &'a str, value: &'a str) -> DnsFuture<'a> {
        self.calls.lock().push(format!("present {name}"));
        self.texts.lock().insert((format!("{name}."), value.to_owned()));
        Box::pin(async { Ok(()) })
    }

    fn cleanup<'a>(&'a self, name: &'a str, value: &'a str) -> DnsFuture<'a> {
        self.calls.lock().push(format!("cleanup {name}"));
        self.texts.lock().remove(&(format!("{name}."), value.to_owned()));
        Box::pin(async { Ok(()) })
    }
}

#[test]
fn c10_4_records_by_a_function_of_the_program() {
    if is_skipped() {
        return;
    }
    let world = World::new();
    let site = world.site_with(options(&world, None));
    site.acme.want([names("*.example.com")]);
    let failure = site.failure("*.example.com").last_error.unwrap();
    assert!(failure.contains("nobody sets records"), "{failure}");
    let function =
        Arc::new(Function { texts: Arc::clone(&world.dns.texts), ..Function::default() });
    site.acme.set_dns_provider(Some(Arc::clone(&function) as Arc<dyn DnsProvider>));
    site.certificate("*.example.com");
    let name = "_acme-challenge.example.com";
    assert_eq!(*function.calls.lock(), [format!("present {name}"), format!("cleanup {name}")]);
}

#[test]
fn c10_4_a_wildcard_needs_records() {
    if is_skipped() {
        return;
    }
    let world = World::new();
    let site = world.site();
    site.acme.want([names("*.example.com")]);
    let failure = site.failure("*.example.com").last_error.unwrap();
    assert_eq!(
        failure,
        "no way to prove *.example.com: the authority offers dns-01; `acme.challenge` says http-01, \
         tls-alpn-01, and a wildcard may be proven by dns-01"
    );
}

#[test]
fn c10_4_records_that_a_kill_leaves_behind_are_taken_away() {
    if is_skipped() {
        return;
    }
    let world = World::new();
    let way = update(&world, KEY, None);
    let mut options = options(&world, Some(way));
    // Asked of nobody who answers: the order stays where the record is waited for.
    options.dns.resolvers = vec!["127.0.0.1:1".parse().unwrap()];
    let site = world.site_with(options.clone());
    site.acme.want([names("a.example.com")]);
    wait_until("a record", || !world.dns.texts.lock().is_empty());
    // It ends as if it were killed: nothing is taken away.
    drop(site);
    assert_eq!(world.dns.texts.lock().len(), 1);
    options.dns.resolvers = vec![world.dns.address];
    let site = world.site_with(options);
    site.acme.want([names("a.example.com")]);
    site.certificate("a.example.com");
    wait_until("the record to go", || world.dns.texts.lock().is_empty());
    assert_eq!(world.front.orders_for(&["a.example.com"]), 1);
}
