//! What a snapshot takes over from the one before, and what it opens anew.

use slimhttp_site::value::{Table, Value};

use super::*;
use crate::context::testing::config;
use crate::live::{Live, testing};

fn live(tls: bool, options: Vec<(&'static str, Value)>) -> Live {
    testing::live(tls, config(options))
}

/// The snapshots before and after one option has changed.
fn change(live: &Live, key: &str, value: impl Into<Value>) -> (Arc<Snapshot>, Arc<Snapshot>) {
    let before = live.current();
    let set = |draft: &mut Draft| draft.config.set(&[key.into()], value.into());
    assert!(live.update(set).expect("it is valid"));
    (before, live.current())
}

#[test]
fn a_certificate_that_is_not_changed_is_presented_on() {
    let live = live(true, Vec::new());
    let (before, after) = change(&live, "max_connections", 7);
    let (Some(before), Some(after)) = (&before.tls, &after.tls) else { panic!("it speaks TLS") };
    assert!(Arc::ptr_eq(before, after), "resumption goes on, and no key is made");
}

#[test]
fn without_tls_nothing_is_presented() {
    let live = live(false, Vec::new());
    assert!(live.current().tls.is_none());
    assert_eq!(live.certificates(), []);
    let generation = live.generation();
    live.renew_certificates();
    assert_eq!(live.generation(), generation, "nothing has changed for anybody");
}

/// What `access_log` says of a file.
fn log(path: &Path) -> Value {
    let file = Value::from(path.to_str().expect("a path of ASCII"));
    Value::Table(Table::unit("file".into(), file))
}

#[test]
fn a_log_that_is_open_is_not_opened_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, moved) = (folder.path().join("access.log"), folder.path().join("access.log.1"));
    let live = live(false, vec![("access_log", log(&path))]);
    // As a rotation does: whoever opened it again would make a new file.
    std::fs::rename(&path, &moved).expect("it was opened");
    let (_, after) = change(&live, "max_connections", 7);
    assert_eq!(after.access_logs.len(), 1);
    assert!(!path.exists());
    let other = folder.path().join("other.log");
    let (_, after) = change(&live, "access_log", log(&other));
    assert_eq!(after.access_logs.len(), 1, "the one that nobody names any more is let go");
    assert!(other.exists() && !path.exists());
}

#[test]
fn a_log_that_cannot_be_opened_keeps_the_site_before() {
    let live = live(false, Vec::new());
    let before = live.current();
    // Whether a file can be written is known once it is opened.
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.log");
    std::os::unix::fs::symlink(&path, &path).expect("a link to itself");
    let value = log(&path);
    let set = |draft: &mut Draft| draft.config.set(&["access_log".into()], value);
    let faults = live.update(set).expect_err("nothing is at the end of the link");
    assert_eq!(faults.0.len(), 1, "{faults}");
    assert_eq!(faults.0[0].place, Place::default().key("access_log"));
    assert_eq!(faults.0[0].expected, "a file that can be written");
    assert!(Arc::ptr_eq(&before, &live.current()));
}

#[test]
fn a_release_is_a_new_one_where_its_folder_changes_only() {
    let (one, other) = (tempfile::tempdir(), tempfile::tempdir());
    let (one, other) = (one.expect("a folder"), other.expect("a folder"));
    let text =
        |folder: &tempfile::TempDir| Value::from(folder.path().to_str().expect("a path of ASCII"));
    let live = live(false, vec![("web_root", text(&one)), ("pin_releases", 60.into())]);
    let id = |snapshot: &Snapshot| {
        let scope = snapshot.site.global.clone();
        snapshot.releases.current_id(&scope).expect("it pins releases").to_owned()
    };
    let (before, after) = change(&live, "max_connections", 7);
    assert_eq!(id(&before), id(&after));
    let (before, after) = change(&live, "web_root", text(&other));
    assert_ne!(id(&before), id(&after));
}

#[test]
fn scopes_that_did_not_change_are_shared() {
    let host = Table::unit("index".into(), Value::from("a.html"));
    let hosts = Table::unit("a.test".into(), Value::Table(host));
    let live = live(false, vec![("vhosts", Value::Table(hosts))]);
    let scope = |snapshot: &Snapshot| {
        let (_, scope) = snapshot.site.hosts.iter().next().expect("one virtual host");
        scope.clone()
    };
    let (before, after) = change(&live, "max_connections", 7);
    assert!(Arc::ptr_eq(&scope(&before), &scope(&after)));
    assert!(!Arc::ptr_eq(&before.site, &after.site));
}
