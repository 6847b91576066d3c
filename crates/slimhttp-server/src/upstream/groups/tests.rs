//! Which groups outlast a change of the site.

use slimhttp_site::config::Config;
use slimhttp_site::value::{Table, Value};

use super::*;
use crate::live::snapshot::Snapshot;
use crate::live::{Live, testing};

/// A server whose hosts forward: `a.example` to one upstream, `b.example` to another.
fn live() -> Live {
    let forward = |upstream: &str| Value::from(Table::unit("proxy".into(), upstream.into()));
    let hosts = Table::from_iter([
        (Arc::from("a.example"), forward("127.0.0.1:11")),
        (Arc::from("b.example"), forward("127.0.0.1:12")),
    ]);
    testing::live(false, Config::new(Table::unit("vhosts".into(), hosts.into())))
}

fn set(live: &Live, keys: &[&str], value: impl Into<Value>) {
    let keys: Vec<Arc<str>> = keys.iter().map(|&key| key.into()).collect();
    let set = live.update(|draft| draft.config.set(&keys, value.into()));
    assert!(set.expect("is valid"), "{keys:?}");
}

fn proxy_of<'s>(snapshot: &'s Snapshot, host: &str) -> Option<&'s Arc<Proxy>> {
    snapshot.site.scope_for(host, 1).options.proxy.as_ref()
}

fn group_of(live: &Live, host: &str) -> Arc<UpstreamGroup> {
    let snapshot = live.current();
    let proxy = proxy_of(&snapshot, host).expect("the host forwards");
    snapshot.upstreams.of(proxy).clone()
}

#[test]
fn a_scope_keeps_its_group_as_long_as_it_has_these_upstreams() {
    let live = live();
    let group = group_of(&live, "a.example");
    assert!(!Arc::ptr_eq(&group, &group_of(&live, "b.example")));
    for (keys, value) in [
        (&["vhosts", "b.example", "proxy"][..], Value::from("127.0.0.1:13")),
        (&["vhosts", "a.example", "max_body"], Value::from(7)),
        (&["vhosts", "a.example", "proxy_max_requests"], Value::from(7)),
        (&["proxy_read_timeout"], Value::from(7)),
    ] {
        set(&live, keys, value);
        assert!(Arc::ptr_eq(&group, &group_of(&live, "a.example")), "{keys:?}");
    }
    // The group of the same servers in another scope is another one.
    set(&live, &["vhosts", "b.example", "proxy"], "127.0.0.1:11");
    assert!(!Arc::ptr_eq(&group, &group_of(&live, "b.example")));
}

#[test]
fn a_group_goes_with_its_scope_and_the_requests_that_it_carries() {
    let live = live();
    let idle = Arc::downgrade(&group_of(&live, "a.example"));
    let busy = group_of(&live, "b.example");
    for (host, port) in [("a.example", 21), ("b.example", 22)] {
        set(&live, &["vhosts", host, "proxy"], &*format!("127.0.0.1:{port}"));
    }
    assert_eq!(idle.strong_count(), 0, "no snapshot has it");
    // What it carries counts when its servers come back.
    set(&live, &["vhosts", "b.example", "proxy"], "127.0.0.1:12");
    assert!(Arc::ptr_eq(&busy, &group_of(&live, "b.example")));
    let removed = live.update(|draft| draft.config.remove(&["vhosts".into(), "b.example".into()]));
    assert!(removed.expect("is valid").is_some());
    assert_eq!(Arc::strong_count(&busy), 1, "its scope went");
}

#[test]
fn the_table_forgets_what_nobody_holds() {
    let live = live();
    let site = |port: i64| {
        set(&live, &["vhosts", "a.example", "proxy"], &*format!("127.0.0.1:{port}"));
        live.current().site.clone()
    };
    let table = GroupTable::default();
    for port in 1000..1100 {
        UpstreamGroups::open(&site(port), &table, None);
    }
    let known = table.all.lock().len();
    assert!(known <= 8, "{known}");
}
