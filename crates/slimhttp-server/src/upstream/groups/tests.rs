//! Which groups outlast a change of the site.

use slimhttp_site::config::Config;
use slimhttp_site::value::{Table, Value};

use super::*;
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

/// As an I/O thread finds it that has looked up nothing before.
fn group_of(groups: &UpstreamGroups, live: &Live, host: &str) -> Arc<UpstreamGroup> {
    let snapshot = live.current();
    let scope = snapshot.site.scope_for(host, 1);
    let proxy = scope.options.proxy.as_ref().expect("the host forwards");
    let look_up = || groups.of(scope, proxy);
    std::thread::scope(|threads| threads.spawn(look_up).join()).expect("no panic")
}

#[test]
fn a_scope_keeps_its_group_as_long_as_it_has_these_upstreams() {
    let (live, groups) = (live(), UpstreamGroups::default());
    let group = group_of(&groups, &live, "a.example");
    assert!(!Arc::ptr_eq(&group, &group_of(&groups, &live, "b.example")));
    for (keys, value) in [
        (&["vhosts", "b.example", "proxy"][..], Value::from("127.0.0.1:13")),
        (&["vhosts", "a.example", "max_body"], Value::from(7)),
        (&["vhosts", "a.example", "proxy_max_requests"], Value::from(7)),
        (&["proxy_read_timeout"], Value::from(7)),
    ] {
        set(&live, keys, value);
        assert!(Arc::ptr_eq(&group, &group_of(&groups, &live, "a.example")), "{keys:?}");
    }
    // The group of the same servers in another scope is another one.
    set(&live, &["vhosts", "b.example", "proxy"], "127.0.0.1:11");
    assert!(!Arc::ptr_eq(&group, &group_of(&groups, &live, "b.example")));
}

#[test]
fn a_host_that_inherits_its_proxy_has_a_group_of_its_own() {
    let nothing = |name: &str| (Arc::from(name), Value::from(Table::new()));
    let vhosts = Table::from_iter(["a.example", "b.example"].map(nothing));
    let root = Table::from_iter([
        (Arc::from("proxy"), Value::from("127.0.0.1:11")),
        (Arc::from("vhosts"), Value::from(vhosts)),
    ]);
    let (live, groups) = (testing::live(false, Config::new(root)), UpstreamGroups::default());
    let hosts = ["a.example", "b.example", "other"];
    let found = || {
        // On one thread, which keeps what it has found.
        let snapshot = live.current();
        let look_up = |host| {
            let scope = snapshot.site.scope_for(host, 1);
            groups.of(scope, scope.options.proxy.as_ref().expect("it forwards"))
        };
        hosts.map(look_up)
    };
    let before = found();
    for (at, one) in before.iter().enumerate() {
        for other in &before[at + 1..] {
            assert!(!Arc::ptr_eq(one, other));
        }
    }
    // An edit of the one, and of what all inherit.
    for keys in [&["vhosts", "a.example", "max_body"][..], &["max_body"]] {
        set(&live, keys, 7);
        for (before, now) in before.iter().zip(found()) {
            assert!(Arc::ptr_eq(before, &now), "{keys:?}");
        }
    }
}

#[test]
fn a_group_goes_with_its_scope_and_the_requests_that_it_carries() {
    let (live, groups) = (live(), UpstreamGroups::default());
    let idle = Arc::downgrade(&group_of(&groups, &live, "a.example"));
    let busy = group_of(&groups, &live, "b.example");
    for (host, port) in [("a.example", 21), ("b.example", 22)] {
        set(&live, &["vhosts", host, "proxy"], &*format!("127.0.0.1:{port}"));
    }
    assert_eq!(idle.strong_count(), 0, "no thread has it");
    // What it carries counts when its servers come back.
    set(&live, &["vhosts", "b.example", "proxy"], "127.0.0.1:12");
    assert!(Arc::ptr_eq(&busy, &group_of(&groups, &live, "b.example")));
    let removed = live.update(|draft| draft.config.remove(&["vhosts".into(), "b.example".into()]));
    assert!(removed.expect("is valid").is_some());
    assert_eq!(Arc::strong_count(&busy), 1, "nobody else has it");
}

#[test]
fn what_nobody_holds_is_forgotten() {
    let (live, groups) = (live(), UpstreamGroups::default());
    for port in 1000..1100 {
        set(&live, &["vhosts", "a.example", "proxy"], &*format!("127.0.0.1:{port}"));
        group_of(&groups, &live, "a.example");
    }
    let known = groups.all.lock().len();
    assert!(known <= 8, "{known}");
}

#[test]
fn an_io_thread_looks_a_proxy_up_once() {
    let (live, groups) = (live(), UpstreamGroups::default());
    let first = group_of_here(&groups, &live);
    let _held = groups.all.lock();
    assert!(Arc::ptr_eq(&first, &group_of_here(&groups, &live)), "without the lock");
}

/// What was logged of its upstreams a moment ago is not logged again.
#[test]
fn a_scope_that_comes_back_has_its_group_on_threads_that_looked_it_up() {
    let (live, groups) = (live(), UpstreamGroups::default());
    let first = Arc::downgrade(&group_of_here(&groups, &live));
    let removed = live.update(|draft| draft.config.remove(&["vhosts".into(), "a.example".into()]));
    assert!(removed.expect("is valid").is_some());
    set(&live, &["vhosts", "a.example"], Table::unit("proxy".into(), "127.0.0.1:11".into()));
    let second = group_of_here(&groups, &live);
    assert!(first.upgrade().is_some_and(|first| Arc::ptr_eq(&first, &second)));
}

fn group_of_here(groups: &UpstreamGroups, live: &Live) -> Arc<UpstreamGroup> {
    let snapshot = live.current();
    let scope = snapshot.site.scope_for("a.example", 1);
    groups.of(scope, scope.options.proxy.as_ref().expect("the host forwards"))
}

#[test]
fn each_mount_that_names_servers_has_a_group_of_them() {
    let (live, groups) = (live(), UpstreamGroups::default());
    let mounts = Table::from_iter(["/x", "/y", "/z"].map(|prefix| {
        let key = if prefix == "/z" { "max_body" } else { "proxy" };
        let value = if prefix == "/z" { Value::from(7) } else { "127.0.0.1:11".into() };
        (Arc::from(prefix), Value::from(Table::unit(key.into(), value)))
    }));
    set(&live, &["vhosts", "a.example", "mounts"], mounts);
    let group_at = |path: &str| {
        let snapshot = live.current();
        let scope = snapshot.site.scope_for("a.example", 1).at(path.as_bytes());
        let proxy = scope.options.proxy.as_ref().expect("it forwards");
        let look_up = || groups.of(scope, proxy);
        std::thread::scope(|threads| threads.spawn(look_up).join()).expect("no panic")
    };
    let of_host = group_of(&groups, &live, "a.example");
    let (x, y) = (group_at("/x"), group_at("/y"));
    assert!(!Arc::ptr_eq(&x, &y) && !Arc::ptr_eq(&x, &of_host));
    // What a mount inherits is that of the scope around it.
    assert!(Arc::ptr_eq(&group_at("/z/a"), &of_host));
    set(&live, &["vhosts", "a.example", "mounts", "/x", "max_body"], 7);
    set(&live, &["vhosts", "a.example", "index"], "home.html");
    assert!(Arc::ptr_eq(&group_at("/x"), &x) && Arc::ptr_eq(&group_at("/y"), &y));
}
