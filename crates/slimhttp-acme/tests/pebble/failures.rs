//! Failures: what is said of them, when there is another attempt, and what stays as it is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use slimhttp_acme::{CertificateState, Timing, stored_certificates};
use slimhttp_site::acme::{AcmeOptions, ChallengeType};

use crate::is_skipped;
use crate::support::front::Moment;
use crate::support::site::{TestClock, World, names, timing};
use crate::support::wait_until;

const NAME: &str = "a.example.com";
const URN: &str = "urn:ietf:params:acme:error:";

/// Options with http-01 alone.
fn http_alone(world: &World) -> AcmeOptions {
    AcmeOptions { challenges: vec![ChallengeType::Http01], ..world.options() }
}

/// One attempt, and no other for an hour.
fn once() -> Timing {
    let hour = Duration::from_secs(3600);
    Timing { retry: hour, longest_retry: hour, pause: hour, longest_pause: hour, ..timing() }
}

#[test]
fn c10_4_a_name_that_cannot_be_proven_is_told_in_one_line() {
    if is_skipped() {
        return;
    }
    let world = World::new();
    world.wrong.lock()[0] = true;
    let site = world.site_at(http_alone(&world), Arc::default(), once());
    site.acme.want([names(NAME)]);
    let status = site.failure(NAME);
    let line = status.last_error.unwrap();
    let start = "http-01 of a.example.com failed: unauthorized: The key authorization file";
    assert!(line.starts_with(start) && !line.contains('\n'), "{line}");
    assert_eq!((status.state, status.attempts), (CertificateState::Missing, 1));
    let next = status.next_attempt.unwrap();
    assert!(next > status.last_attempt.unwrap() + Duration::from_secs(3500), "{next:?}");
    drop(site);

    // A restart does not ask again at once.
    world.wrong.lock()[0] = false;
    let before = world.front.state.lock().requests.clone();
    let clock = Arc::new(TestClock::default());
    let site = world.site_at(http_alone(&world), Arc::clone(&clock), once());
    site.acme.want([names(NAME)]);
    assert_eq!(site.status(NAME).last_error.as_deref(), Some(&*line));
    let stored = stored_certificates(&http_alone(&world)).unwrap();
    assert_eq!((stored.len(), stored[0].status.last_error.as_deref()), (1, Some(&*line)));
    // Another one is looked at meanwhile.
    site.acme.want([names(NAME), names("b.example.com")]);
    site.certificate("b.example.com");
    assert_eq!(world.front.orders_for(&[NAME]), 1);
    assert_ne!(world.front.state.lock().requests, before);
    clock.set_ahead(Duration::from_secs(3 * 3600));
    site.certificate(NAME);
    assert_eq!(world.front.orders_for(&[NAME]), 2);
    assert_eq!(site.status(NAME).last_error, None);
    world.front.assert_no_violations();
}

#[test]
fn c10_4_a_failure_of_one_server_holds_for_those_beside_it() {
    if is_skipped() {
        return;
    }
    let world = World::new();
    world.wrong.lock()[0] = true;
    let site = || world.site_at(http_alone(&world), Arc::default(), once());
    let (one, other) = (site(), site());
    for site in [&one, &other] {
        site.acme.want([names(NAME)]);
    }
    for site in [&one, &other] {
        wait_until("a failure", || site.status(NAME).attempts == 1);
    }
    assert_eq!(world.front.orders_for(&[NAME]), 1);
}

#[test]
fn c10_4_after_a_challenge_that_fails_another_one_is_tried() {
    if is_skipped() {
        return;
    }
    let world = World::new();
    world.wrong.lock()[0] = true;
    let site = world.site();
    site.acme.want([names(NAME)]);
    site.certificate(NAME);
    assert_eq!(world.front.orders_for(&[NAME]), 2);
    world.front.assert_no_violations();
}

#[test]
fn c10_4_attempts_come_later_each_time() {
    if is_skipped() {
        return;
    }
    let world = World::new();
    world.wrong.lock()[0] = true;
    let clock = Arc::new(TestClock::default());
    let site = world.site_at(
        http_alone(&world),
        Arc::clone(&clock),
        Timing {
            retry: Duration::from_secs(1000),
            longest_retry: Duration::from_secs(3000),
            ..timing()
        },
    );
    site.acme.want([names(NAME)]);
    let mut ahead = Duration::ZERO;
    for (attempts, least) in [(1, 1000), (2, 2000), (3, 3000), (4, 3000)] {
        wait_until("an attempt", || site.status(NAME).attempts == attempts);
        let status = site.status(NAME);
        let wait = status.next_attempt.unwrap().duration_since(status.last_attempt.unwrap());
        let wait = wait.unwrap().as_secs();
        assert!((least..=least * 5 / 4 + 1).contains(&wait), "{wait} after {attempts}");
        ahead += Duration::from_secs(wait);
        clock.set_ahead(ahead);
    }
    assert!(world.front.orders_for(&[NAME]) <= 5);
    world.front.assert_no_violations();
}

#[test]
fn c10_4_an_authority_that_is_down_leaves_everything_as_it_is() {
    if is_skipped() {
        return;
    }
    let world = World::new();
    let site = world.site();
    site.acme.want([names(NAME)]);
    let first = site.certificate(NAME);
    world.front.state.lock().is_down = true;
    let all = ["b.example.com", "c.example.com", "d.example.com"];
    site.acme.want([NAME].iter().chain(&all).map(|name| names(name)));
    for name in all {
        let status = site.failure(name);
        let line = status.last_error.unwrap();
        assert!(line.starts_with("the authority cannot be reached: 127.0.0.1:"), "{line}");
        // It is no failure of theirs.
        assert_eq!(status.attempts, 0);
    }
    assert_eq!(site.installed.latest(&names(NAME)).unwrap().serial, first.serial);
    assert_eq!(site.status(NAME).state, CertificateState::Valid);
    world.front.state.lock().is_down = false;
    for name in all {
        site.certificate(name);
    }
    assert_eq!(site.installed.count(NAME), 1);
    assert!(world.authority().join("authority.json").is_file());
    world.front.assert_no_violations();
}

#[test]
fn c10_4_an_authority_that_is_down_is_not_asked_by_a_restart() {
    if is_skipped() {
        return;
    }
    let world = World::new();
    world.front.state.lock().is_down = true;
    let site = world.site_at(world.options(), Arc::default(), once());
    site.acme.want([names(NAME)]);
    site.failure(NAME);
    drop(site);
    world.front.state.lock().is_down = false;
    let site = world.site_at(world.options(), Arc::default(), once());
    site.acme.want([names(NAME), names("b.example.com")]);
    site.failure(NAME);
    site.failure("b.example.com");
    assert_eq!(world.front.state.lock().requests.get("new-order"), None);
}

#[test]
fn c10_4_a_limit_of_the_authority_is_respected() {
    if is_skipped() {
        return;
    }
    let world = World::new();
    let problem = json!({"type": format!("{URN}rateLimited"), "detail": "too many", "subproblems": [
        {"type": format!("{URN}rateLimited"), "detail": "of this one",
         "identifier": {"type": "dns", "value": NAME}},
    ]});
    world.front.state.lock().refusal = Some(("new-order", 429, problem, Some(7200), 1));
    let clock = Arc::new(TestClock::default());
    let site = world.site_at(world.options(), Arc::clone(&clock), timing());
    site.acme.want([names(NAME)]);
    let status = site.failure(NAME);
    let line = status.last_error.unwrap();
    let start = "the authority refused the order: rateLimited: too many; a.example.com: \
                 rateLimited: of this one (not before ";
    assert!(line.starts_with(start), "{line}");
    let wait = status.next_attempt.unwrap().duration_since(status.last_attempt.unwrap()).unwrap();
    assert!((7199..=7201).contains(&wait.as_secs()), "{wait:?}");
    // Others are not concerned.
    site.acme.want([names(NAME), names("b.example.com")]);
    site.certificate("b.example.com");
    assert_eq!(world.front.orders_for(&[NAME]), 0);
    clock.set_ahead(Duration::from_secs(7300));
    site.certificate(NAME);
}

#[test]
fn c10_4_limit_after_limit_pauses_the_whole_authority() {
    if is_skipped() {
        return;
    }
    let world = World::new();
    let problem = json!({"type": format!("{URN}rateLimited"), "detail": "too many"});
    world.front.state.lock().refusal = Some(("new-order", 429, problem, Some(7200), 1000));
    let pause = Duration::from_secs(3600);
    let timing = Timing { pause, longest_pause: pause, ..timing() };
    let site = world.site_at(world.options(), Arc::default(), timing);
    let all: Vec<_> = (0..20).map(|number| format!("a{number}.example.com")).collect();
    site.acme.want(all.iter().map(|name| names(name)));
    for name in &all {
        let line = site.failure(name).last_error.unwrap();
        assert!(line.contains("rateLimited"), "{line}");
    }
    // Those that were under way when the third was refused, and no more.
    let asked = world.front.state.lock().requests["new-order"];
    assert!(asked <= 7, "{asked}");
}

#[test]
fn c10_4_an_order_whose_answer_is_lost_is_found_again() {
    if is_skipped() {
        return;
    }
    for path in ["new-order", "finalize", "challenge", "certificate", "new-account"] {
        let world = World::new();
        world.front.state.lock().lost = Some((path, 1));
        let site = world.site();
        site.acme.want([names(NAME)]);
        site.certificate(NAME);
        let state = world.front.state.lock();
        assert_eq!((state.accounts, state.orders.len()), (1, 1), "{path}");
        // What would be made twice is asked for once.
        let is_once = ["new-order", "finalize"].contains(&path);
        assert_eq!(state.requests[path] == 1, is_once, "{path}");
        drop(state);
        world.front.assert_no_violations();
    }
}

#[test]
fn c10_4_an_authority_that_has_forgotten_everything_is_asked_anew() {
    if is_skipped() {
        return;
    }
    let mut world = World::new();
    let site = world.site();
    site.acme.want([names(NAME)]);
    site.certificate(NAME);
    drop(site);
    let key = std::fs::read(world.authority().join("account/key.pem")).unwrap();
    world.restart_authority();
    let site = world.site();
    site.acme.want([names(NAME), names("b.example.com")]);
    site.certificate("b.example.com");
    // With the key that it had.
    assert_eq!(std::fs::read(world.authority().join("account/key.pem")).unwrap(), key);
    assert_eq!(world.front.state.lock().accounts, 2);
}

#[test]
fn c10_4_an_order_that_the_authority_revokes_is_made_anew() {
    if is_skipped() {
        return;
    }
    let world = World::new();
    // It is refused where it would be finished, and gone then.
    let gone = json!({"type": format!("{URN}malformed"), "detail": "order was revoked"});
    world.front.state.lock().refusal = Some(("finalize", 404, gone, None, 1));
    let site = world.site();
    site.acme.want([names(NAME)]);
    let line = site.failure(NAME).last_error.unwrap();
    assert_eq!(line, "the authority refused the certificate: malformed: order was revoked");
    // The one before stays open at the authority, of which nothing comes.
    site.certificate(NAME);
    assert_eq!(world.front.orders_for(&[NAME]), 2);
}

#[test]
fn c10_4_a_profile_that_is_not_offered_is_not_ordered() {
    if is_skipped() {
        return;
    }
    let world = World::new();
    let options = AcmeOptions { profile: Some("shortlived".into()), ..world.options() };
    let site = world.site_at(options.clone(), Arc::default(), once());
    site.acme.want([names(NAME)]);
    let line = site.failure(NAME).last_error.unwrap();
    assert_eq!(line, "the authority has no profile `shortlived`; it offers none");
    assert_eq!(world.front.state.lock().asked, Vec::<serde_json::Value>::new());
    drop(site);
    world.front.state.lock().profiles = Some(json!({"classic": "usual", "shortlived": "short"}));
    let clock = Arc::new(TestClock::default());
    clock.set_ahead(Duration::from_secs(2 * 3600));
    let site = world.site_at(options, clock, once());
    site.acme.want([names(NAME)]);
    site.certificate(NAME);
    assert_eq!(world.front.state.lock().asked[0]["profile"], "shortlived");
}

#[test]
fn c10_4_what_is_wanted_no_more_is_let_go() {
    if is_skipped() {
        return;
    }
    let world = World::new();
    world.wrong.lock()[0] = true;
    let site = world.site_with(http_alone(&world));
    site.acme.want([names(NAME), names("b.example.com")]);
    site.failure(NAME);
    site.acme.want([names("b.example.com")]);
    let orders = world.front.orders_for(&[NAME]);
    assert_eq!(site.acme.status().len(), 1);
    world.wrong.lock()[0] = false;
    site.certificate("b.example.com");
    assert!(world.front.orders_for(&[NAME]) <= orders + 1);
    assert_eq!(site.installed.count(NAME), 0);
    site.acme.want([]);
    assert_eq!(site.acme.status(), []);
}

#[test]
fn c10_4_it_stops_while_an_order_is_under_way() {
    if is_skipped() {
        return;
    }
    let world = World::new();
    // The authority takes its time.
    world.front.state.lock().trap = Some(("challenge", Moment::Before));
    let site = world.site();
    site.acme.want([names(NAME)]);
    wait_until("the challenge", || world.front.state.lock().is_trapped);
    let challenges = site.acme.challenges();
    assert!(!challenges.is_idle());
    let started = Instant::now();
    drop(site);
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    // Nothing of it is left, but for what the next one goes on with.
    assert!(challenges.is_idle());
    world.front.state.lock().trap = None;
    let site = world.site();
    site.acme.want([names(NAME)]);
    site.certificate(NAME);
    assert_eq!(world.front.orders_for(&[NAME]), 1);
}

#[test]
fn c10_4_a_storage_that_cannot_be_used_is_told() {
    if is_skipped() {
        return;
    }
    let world = World::new();
    let storage = world.folder.path().join("file");
    std::fs::write(&storage, "no folder").unwrap();
    let site = world.site_with(AcmeOptions { storage, ..world.options() });
    site.acme.want([names(NAME)]);
    let line = site.failure(NAME).last_error.unwrap();
    assert!(line.starts_with("the storage cannot be used: `"), "{line}");
    assert_eq!(world.front.state.lock().requests.len(), 0);
}

#[test]
fn c10_4_an_authority_that_nobody_vouches_for_is_not_believed() {
    if is_skipped() {
        return;
    }
    let world = World::new();
    let other = rcgen::generate_simple_self_signed(["ca.example".to_owned()]).unwrap();
    let ca = world.folder.path().join("other.pem");
    std::fs::write(&ca, other.cert.pem()).unwrap();
    let site = world.site_with(AcmeOptions { ca: Some(ca), ..world.options() });
    site.acme.want([names(NAME)]);
    let line = site.failure(NAME).last_error.unwrap();
    assert!(line.contains("invalid peer certificate"), "{line}");
    drop(site);
    // Another option is tried at once, whatever there was to wait for.
    let options = AcmeOptions { ca: Some("/nowhere".into()), ..world.options() };
    let site = world.site_at(options, Arc::default(), once());
    site.acme.want([names(NAME)]);
    let expected = "`acme.ca`, `/nowhere`: expected certificates";
    wait_until("another failure", || {
        site.status(NAME).last_error.is_some_and(|line| line.starts_with(expected))
    });
    drop(site);
    let site = world.site_at(world.options(), Arc::default(), once());
    site.acme.want([names(NAME)]);
    site.certificate(NAME);
}
