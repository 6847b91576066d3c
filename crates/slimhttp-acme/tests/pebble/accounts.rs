//! Accounts: bound to one elsewhere, given another key or address, never lost.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use slimhttp_acme::{SystemClock, roll_over_account_key};
use slimhttp_site::acme::{AcmeOptions, ExternalAccount, Secret};

use crate::is_skipped;
use crate::support::site::{World, names};

const NAME: &str = "a.example.com";
/// As Pebble's own examples have it.
const EAB_KEY: &str = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";

fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let limit = Duration::from_secs(30);
    runtime.block_on(async { tokio::time::timeout(limit, future).await.unwrap() })
}

#[test]
fn c10_4_an_account_is_bound_to_one_elsewhere() {
    if is_skipped() {
        return;
    }
    let world = World::with(|wishes| wishes.external_keys = Some(json!({"kid-1": EAB_KEY})));
    let site = world.site();
    site.acme.want([names(NAME)]);
    let line = site.failure(NAME).last_error.unwrap();
    assert!(line.starts_with("the authority refused an account: "), "{line}");
    drop(site);
    let bound = |key: &str| {
        let eab = ExternalAccount { kid: "kid-1".into(), key: Secret(key.into()) };
        AcmeOptions { eab: Some(eab), ..world.options() }
    };
    let site = world.site_with(bound("c29tZXRoaW5nIGVsc2U"));
    site.acme.want([names(NAME)]);
    let line = site.failure(NAME).last_error.unwrap();
    assert!(line.starts_with("the authority refused an account: "), "{line}");
    drop(site);
    let site = world.site_with(bound(EAB_KEY));
    site.acme.want([names(NAME)]);
    site.certificate(NAME);
    assert!(world.authority().join("account-kid-1/account.json").is_file());
    assert_eq!(world.front.state.lock().accounts, 1);
}

#[test]
fn c10_4_an_account_gets_another_key() {
    if is_skipped() {
        return;
    }
    let world = World::new();
    let site = world.site();
    site.acme.want([names(NAME)]);
    site.certificate(NAME);
    let account = world.authority().join("account");
    let key = || std::fs::read(account.join("key.pem")).unwrap();
    let first = key();
    wait(site.acme.roll_over_account_key()).unwrap();
    let second = key();
    assert_ne!(first, second);
    assert!(!account.join("new-key.pem").exists());
    site.acme.want([names(NAME), names("b.example.com")]);
    site.certificate("b.example.com");

    // Without a server, beside one that runs.
    roll_over_account_key(Arc::new(world.options()), Arc::new(SystemClock)).unwrap();
    assert_ne!(key(), second);
    site.acme.want([names(NAME), names("c.example.com")]);
    site.certificate("c.example.com");
    assert_eq!(world.front.state.lock().accounts, 1);
}

#[test]
fn c10_4_a_change_of_the_key_that_fails_leaves_the_account_as_it_is() {
    if is_skipped() {
        return;
    }
    let world = World::new();
    let site = world.site();
    site.acme.want([names(NAME)]);
    site.certificate(NAME);
    let account = world.authority().join("account");
    let key = || std::fs::read(account.join("key.pem")).unwrap();
    let first = key();

    // It never came there.
    world.front.state.lock().is_down = true;
    let error = wait(site.acme.roll_over_account_key()).unwrap_err();
    assert!(error.starts_with("the authority cannot be reached"), "{error}");
    world.front.state.lock().is_down = false;
    site.acme.want([names(NAME), names("b.example.com")]);
    site.certificate("b.example.com");

    // It was refused.
    let problem = json!({"type": "urn:ietf:params:acme:error:malformed", "detail": "no"});
    world.front.state.lock().refusal = Some(("key-change", 400, problem, None, 1));
    let error = wait(site.acme.roll_over_account_key()).unwrap_err();
    assert_eq!(error, "the authority refused another key of the account: malformed: no");
    site.acme.want([names(NAME), names("c.example.com")]);
    site.certificate("c.example.com");
    assert_eq!((world.front.state.lock().accounts, key()), (1, first));
}

#[test]
fn c10_4_an_account_whose_new_key_nobody_has_is_made_anew() {
    if is_skipped() {
        return;
    }
    let world = World::new();
    let site = world.site();
    site.acme.want([names(NAME)]);
    let first = site.certificate(NAME);
    // The authority has taken the new key, and nobody heard of it.
    world.front.state.lock().lost = Some(("key-change", 1));
    let error = wait(site.acme.roll_over_account_key()).unwrap_err();
    assert!(error.starts_with("the authority cannot be reached"), "{error}");
    site.acme.want([names(NAME), names("b.example.com")]);
    site.certificate("b.example.com");
    assert_eq!(world.front.state.lock().accounts, 2);
    // What there was stays.
    assert_eq!(site.installed.latest(&names(NAME)).unwrap().serial, first.serial);
    world.front.assert_no_violations();
}

#[test]
fn c10_4_the_authority_is_told_another_address() {
    if is_skipped() {
        return;
    }
    let world = World::new();
    let note = || std::fs::read_to_string(world.authority().join("account/account.json")).unwrap();
    for (email, name) in [
        (Some("one@example.com"), "a.example.com"),
        (Some("two@example.com"), "b.example.com"),
        (None, "c.example.com"),
    ] {
        let email = email.map(Into::into);
        let site = world.site_with(AcmeOptions { email: email.clone(), ..world.options() });
        site.acme.want([names(name)]);
        site.certificate(name);
        let told = email.map_or("null".to_owned(), |email: Arc<str>| format!("{email:?}"));
        assert!(note().contains(&format!("\"email\": {told}")), "{}", note());
    }
    let state = world.front.state.lock();
    assert_eq!((state.accounts, state.requests["account"]), (1, 3));
}
