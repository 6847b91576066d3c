//! The folder: whole or not at all, one writer at a time, and what a kill leaves behind.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};

use slimhttp_site::acme::{ChallengeType, Identifier, KeyType};

use super::*;
use crate::certificate::{generate_key, tests::made};
use crate::clock;

fn names(text: &str) -> Names {
    Names::new([Identifier::parse(text).unwrap()]).unwrap()
}

/// A storage, and the folder of `a.example` in it.
fn storage() -> (tempfile::TempDir, Store, CertificateFolder) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path(), "https://ca.example:14000/acme/directory");
    store.prepare().unwrap();
    let certificate = store.certificate(&names("a.example"));
    (folder, store, certificate)
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[test]
fn c10_4_folders_and_files_are_the_servers_own() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("storage");
    let store = Store::new(&root, "https://ca.example/directory");
    store.prepare().unwrap();
    let certificate = store.certificate(&names("a.example"));
    drop(certificate.lock().unwrap().unwrap());
    certificate.write_meta(&Meta::default()).unwrap();
    let authority = root.join("ca.example-directory");
    for (path, expected) in [
        (root.clone(), 0o711),
        (authority.clone(), 0o700),
        (authority.join("certificates/a.example"), 0o700),
        (authority.join("certificates/a.example/lock"), 0o600),
        (authority.join("certificates/a.example/meta.json"), 0o600),
        (root.join("challenges"), 0o755),
        (root.join("challenges/http-01"), 0o755),
    ] {
        assert_eq!(mode(&path), expected, "{path:?}");
    }
    // What an administrator has said of the folder stays.
    std::fs::set_permissions(&root, PermissionsExt::from_mode(0o750)).unwrap();
    store.prepare().unwrap();
    assert_eq!(mode(&root), 0o750);
}

#[test]
fn c10_4_a_file_is_written_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    file::write(&path, b"first", 0o600).unwrap();
    // What a kill has left behind, with another mode and longer.
    let temporary = folder.path().join(".file.tmp");
    std::fs::write(&temporary, "x".repeat(1000)).unwrap();
    file::write(&path, b"second", 0o644).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"second");
    assert_eq!((mode(&path), temporary.exists()), (0o644, false));
    // One that cannot be written leaves what was there.
    std::fs::create_dir(&temporary).unwrap();
    let error = file::write(&path, b"third", 0o600).unwrap_err().to_string();
    assert!(error.starts_with("the storage cannot be used: `"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), b"second");
    assert_eq!(file::read(&folder.path().join("none")).unwrap(), None);
    std::fs::write(&path, vec![0; (1 << 20) + 1]).unwrap();
    assert!(file::read(&path).is_err());
}

#[test]
fn c10_4_a_certificate_is_locked_by_one() {
    let (_folder, store, certificate) = storage();
    let lock = certificate.lock().unwrap().unwrap();
    assert!(certificate.lock().unwrap().is_none());
    // Of another one it says nothing.
    assert!(store.certificate(&names("b.example")).lock().unwrap().is_some());
    drop(lock);
    assert!(certificate.lock().unwrap().is_some());
    // An account is used by many, and changed by one alone.
    let account = store.account(None);
    let (one, other) = (account.share().unwrap().unwrap(), account.share().unwrap().unwrap());
    assert!(account.lock().unwrap().is_none());
    drop((one, other));
    let alone = account.lock().unwrap().unwrap();
    assert!(account.share().unwrap().is_none());
    drop(alone);
    assert!(account.share().unwrap().is_some());
}

#[test]
fn c10_4_at_every_moment_a_certificate_has_its_key() {
    let (_folder, _, certificate) = storage();
    drop(certificate.lock().unwrap());
    let keys = [generate_key(KeyType::P256), generate_key(KeyType::P256)];
    let chains = keys.each_ref().map(|key| made(&["a.example"], key));
    let serves = |expected: &str| {
        let found = certificate.certificate().unwrap().expect("there is one, whole");
        let pem = Certificate::from_pem(
            expected.as_bytes(),
            keys[usize::from(expected == chains[1])].as_bytes(),
        );
        assert!(found.is(&pem.unwrap()));
    };
    assert!(certificate.certificate().unwrap().is_none() && certificate.identity().is_none());
    certificate.write_next_key(keys[0].as_bytes()).unwrap();
    assert!(certificate.certificate().unwrap().is_none());
    certificate.replace(chains[0].as_bytes()).unwrap();
    serves(&chains[0]);
    let identity = certificate.identity();
    // An order is under way.
    certificate.write_next_key(keys[1].as_bytes()).unwrap();
    serves(&chains[0]);
    certificate.repair().unwrap();
    assert_eq!(certificate.next_key().unwrap().as_deref(), Some(keys[1].as_bytes()));
    // A kill between the certificate and its key.
    file::write(&certificate.path().join("cert.pem"), chains[1].as_bytes(), 0o600).unwrap();
    serves(&chains[1]);
    certificate.repair().unwrap();
    serves(&chains[1]);
    assert_eq!(certificate.next_key().unwrap(), None);
    assert_ne!(certificate.identity(), identity);
    // What is of no certificate is as good as none.
    std::fs::write(certificate.path().join("key.pem"), &keys[0]).unwrap();
    assert!(certificate.certificate().unwrap().is_none());
    certificate.repair().unwrap();
}

use crate::certificate::Certificate;

#[test]
fn what_is_known_is_written_and_read() {
    let (_folder, store, certificate) = storage();
    drop(certificate.lock().unwrap());
    let time = |seconds: i64| clock::seconds(1_800_000_000 + seconds);
    let meta = Meta {
        names: Some(names("*.a.example")),
        on_demand: true,
        obtained: time(1),
        attempts: 3,
        last_error: Some("why \"it\" failed".into()),
        last_attempt: time(2),
        next_attempt: time(3),
        not_before: time(4),
        options: Some("abc".into()),
        failed_challenges: vec![ChallengeType::Dns01, ChallengeType::Http01],
        ari: Some(Ari {
            id: "a.b".into(),
            window: time(4).zip(time(5)),
            selected: time(6),
            explanation: Some("https://ca.example/why".into()),
            next_check: time(7).unwrap(),
        }),
        order: Some(OrderNote {
            url: Some("https://ca.example/order".into()),
            asked: time(8).unwrap(),
            records: vec![("_acme-challenge.a.example".into(), "value".into())],
        }),
    };
    certificate.write_meta(&meta).unwrap();
    assert_eq!(certificate.meta().unwrap(), meta);
    assert_eq!(store.all_certificates(), std::slice::from_ref(&certificate));
    // What a person has broken is as good as nothing.
    for text in ["", "{", "[]", "{\"attempts\": -1, \"names\": [1], \"order\": {}, \"ari\": 5}"] {
        std::fs::write(certificate.path().join("meta.json"), text).unwrap();
        assert_eq!(certificate.meta().unwrap(), Meta::default(), "{text}");
    }
}

#[test]
fn other_options_do_not_wait_but_for_the_authority() {
    let time = |seconds: i64| clock::seconds(1_800_000_000 + seconds);
    let meta = Meta { next_attempt: time(9), options: Some("abc".into()), ..Meta::default() };
    assert_eq!(meta.clone().for_options("abc").next_attempt, time(9));
    assert_eq!(meta.clone().for_options("def").next_attempt, None);
    let limited = Meta { not_before: time(5), ..meta };
    assert_eq!(limited.for_options("def").next_attempt, time(5));
}

#[test]
fn what_is_known_of_an_authority_is_written_and_read() {
    let (_folder, store, _) = storage();
    assert_eq!(store.pause().unwrap(), None);
    let until = clock::seconds(1_800_000_000).unwrap();
    let pause = Pause { until, failures: 2, reason: "down".into(), options: Some("abc".into()) };
    store.write_pause(Some(&pause)).unwrap();
    assert_eq!(store.pause().unwrap(), Some(pause));
    store.write_pause(None).unwrap();
    assert_eq!(store.pause().unwrap(), None);
    let times = [until, until + Duration::from_secs(10)];
    store.write_obtained_on_demand(&times).unwrap();
    assert_eq!(store.obtained_on_demand(until + Duration::from_secs(1)).unwrap(), [times[1]]);
}

#[test]
fn each_authority_and_account_has_a_folder_of_its_own() {
    for (directory, folder) in [
        (
            "https://acme-v02.api.letsencrypt.org/directory",
            "acme-v02.api.letsencrypt.org-directory",
        ),
        ("https://127.0.0.1:14000/dir/", "127.0.0.1-14000-dir"),
        ("https://ca.example/../x?y=z", "ca.example-..-x-y-z"),
    ] {
        assert_eq!(folder_of(directory), folder);
    }
    let (_folder, store, _) = storage();
    for (kid, name) in
        [(None, "account"), (Some("kid-1"), "account-kid-1"), (Some("../a"), "account-..-a")]
    {
        drop(store.account(kid).lock().unwrap().unwrap());
        assert!(store.authority.join(name).join("lock").is_file(), "{name}");
    }
    let account = store.account(None);
    let note = AccountNote {
        url: "https://ca.example/account/1".into(),
        directory: "https://ca.example/directory".into(),
        email: None,
    };
    account.write_note(&note).unwrap();
    assert_eq!(account.note().unwrap(), Some(note));
    account.forget_note().unwrap();
    assert_eq!(account.note().unwrap(), None);
    assert_eq!(account.key().unwrap(), None);
    account.write_key("a key").unwrap();
    assert_eq!(account.key().unwrap().as_deref(), Some(&b"a key"[..]));
    assert_eq!(mode(&account.key_path()), 0o600);
}

#[test]
fn what_a_kill_leaves_of_a_challenge_goes_after_a_day() {
    let (folder, store, _) = storage();
    let write = |token: &str, age: u64| {
        let path = folder.path().join("challenges/http-01").join(token);
        std::fs::write(&path, "token.thumbprint").unwrap();
        let time = SystemTime::now() - Duration::from_secs(age);
        std::fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
    };
    write("old", 90_000);
    write("new", 80_000);
    store.prepare().unwrap();
    let stored = |token| stored(folder.path(), ChallengeType::Http01, token);
    assert_eq!((stored("old"), stored("new").as_deref()), (None, Some("token.thumbprint")));
    // A file that is no answer.
    std::fs::write(folder.path().join("challenges/http-01/odd"), "a\nb").unwrap();
    std::fs::write(folder.path().join("challenges/http-01/long"), "a".repeat(300)).unwrap();
    assert_eq!((stored("odd"), stored("long")), (None, None));
}
