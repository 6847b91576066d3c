//! Renewal: when the authority says, when it says nothing, and what is presented meanwhile.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use slimhttp_acme::CertificateState;

use crate::is_skipped;
use crate::support::site::{TestClock, World, names, timing};
use crate::support::wait_until;

const NAME: &str = "a.example.com";
const DAY: Duration = Duration::from_secs(86_400);
/// How long a certificate of Pebble is valid: five years.
const LIFE: Duration = Duration::from_secs(157_766_400);

#[test]
fn c10_4_a_certificate_is_renewed_when_a_third_of_its_life_is_left() {
    if is_skipped() {
        return;
    }
    let world = World::new();
    let clock = Arc::new(TestClock::default());
    let site = world.site_at(world.options(), Arc::clone(&clock), timing());
    site.acme.want([names(NAME)]);
    let first = site.certificate(NAME);
    clock.set_ahead(LIFE * 2 / 3 - DAY);
    wait_until("a look", || site.status(NAME).state == CertificateState::Valid);
    assert_eq!(world.front.orders_for(&[NAME]), 1);
    clock.set_ahead(LIFE * 2 / 3 + DAY);
    wait_until("a renewal", || site.installed.count(NAME) > 1);
    clock.set_ahead(Duration::ZERO);
    let second = site.certificate(NAME);
    assert_ne!(first.serial, second.serial);
    world.front.assert_no_violations();
    // Another key, too.
    let key = |certificate: &slimhttp_acme::Certificate| {
        certificate.certified_key.key.public_key().unwrap().as_ref().to_vec()
    };
    assert_ne!(key(&first), key(&second));
}

#[test]
fn c10_4_a_certificate_that_has_ended_is_renewed_and_presented_until_then() {
    if is_skipped() {
        return;
    }
    let world = World::new();
    let clock = Arc::new(TestClock::default());
    let site = world.site_at(world.options(), Arc::clone(&clock), timing());
    site.acme.want([names(NAME)]);
    let first = site.certificate(NAME);
    drop(site);
    world.front.state.lock().is_down = true;
    clock.set_ahead(LIFE + DAY);
    let site = world.site_at(world.options(), Arc::clone(&clock), timing());
    site.acme.want([names(NAME)]);
    assert_eq!(site.installed.latest(&names(NAME)).unwrap().serial, first.serial);
    site.failure(NAME);
    wait_until("its end", || site.status(NAME).state == CertificateState::Expired);
    clock.set_ahead(Duration::ZERO);
    world.front.state.lock().is_down = false;
    assert_eq!(site.status(NAME).state, CertificateState::Valid);
}

#[test]
fn c10_4_the_authority_says_when_to_renew() {
    if is_skipped() {
        return;
    }
    let world = World::new();
    let window = |start: &str, end: &str| Some((start.to_owned(), end.to_owned(), 1));
    world.front.state.lock().renewal = window("2090-01-01T00:00:00Z", "2090-01-02T00:00:00Z");
    let site = world.site();
    site.acme.want([names(NAME)]);
    let first = site.certificate(NAME);
    wait_until("a window", || site.status(NAME).renewal_window.is_some());
    let status = site.status(NAME);
    assert_eq!(status.renewal_explanation.as_deref(), Some("https://ca.example/why"));
    // One that lies behind the end of the certificate is not waited for.
    let (next, end) = (status.next_attempt.unwrap(), status.not_after.unwrap());
    assert!(next < end && next > end - LIFE / 5, "{next:?} {end:?}");
    assert_eq!(world.front.state.lock().asked.last().unwrap().get("replaces"), None);

    // Something has happened: at once.
    world.front.state.lock().renewal = window("2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z");
    wait_until("a renewal", || site.installed.count(NAME) > 1);
    world.front.state.lock().renewal = window("2090-01-01T00:00:00Z", "2090-01-02T00:00:00Z");
    assert_ne!(site.certificate(NAME).serial, first.serial);
    // RFC 9773 section 5: the order says what it replaces.
    let replaces = world.front.state.lock().asked[1]["replaces"].as_str().unwrap().to_owned();
    let (key, serial) = replaces.split_once('.').unwrap();
    let decoded = data_encoding::BASE64URL_NOPAD.decode(serial.as_bytes()).unwrap();
    assert_eq!(data_encoding::HEXLOWER.encode(&decoded), first.serial);
    assert!(!key.is_empty());
    world.front.assert_no_violations();
}

#[test]
fn c10_4_a_certificate_that_was_replaced_already_is_renewed_all_the_same() {
    if is_skipped() {
        return;
    }
    let world = World::new();
    let past = ("2020-01-01T00:00:00Z".to_owned(), "2020-01-02T00:00:00Z".to_owned(), 1);
    let site = world.site();
    site.acme.want([names(NAME)]);
    site.certificate(NAME);
    drop(site);
    let problem = json!({"type": "urn:ietf:params:acme:error:alreadyReplaced", "detail": "it was"});
    world.front.state.lock().refusal = Some(("new-order", 409, problem, None, 1));
    world.front.state.lock().renewal = Some(past);
    // The authority says it to who asks after a while.
    let clock = Arc::new(TestClock::default());
    clock.set_ahead(2 * DAY);
    let site = world.site_at(world.options(), clock, timing());
    site.acme.want([names(NAME)]);
    wait_until("a renewal", || site.installed.count(NAME) > 1);
    let orders = &world.front.state.lock().asked[1..];
    assert_eq!(orders[0].get("replaces"), None);
}

#[test]
fn c10_4_an_authority_that_says_nothing_is_no_failure() {
    if is_skipped() {
        return;
    }
    let world = World::new();
    // The directory names where it is told, and nobody answers there.
    let window = ("x".to_owned(), "y".to_owned(), 1);
    world.front.state.lock().renewal = Some(window);
    let site = world.site();
    site.acme.want([names(NAME)]);
    site.certificate(NAME);
    wait_until("a question", || world.front.state.lock().renewals_asked > 0);
    let status = site.status(NAME);
    assert_eq!((status.last_error, status.renewal_window), (None, None));
    assert_eq!(status.state, CertificateState::Valid);
}
