//! Certificates for names that nobody has written down.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use slimhttp_acme::{CertificateState, Judge, JudgeFuture, Refusal};
use slimhttp_site::acme::{AcmeOptions, Identifier, OnDemandOptions};

use crate::is_skipped;
use crate::support::site::{Site, World, names};
use crate::support::wait_until;

fn options(world: &World, on_demand: OnDemandOptions) -> AcmeOptions {
    AcmeOptions { on_demand: Some(on_demand), ..world.options() }
}

fn allowing(name: &str) -> OnDemandOptions {
    OnDemandOptions {
        allow: vec![Identifier::parse(name).unwrap()],
        timeout: Duration::from_secs(30),
        ..OnDemandOptions::default()
    }
}

/// Asks for several names at the same time.
fn ask(site: &Site, asked: &[&str]) -> Vec<Result<(), Refusal>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let futures: Vec<_> = asked.iter().map(|name| site.acme.on_demand(name)).collect();
    runtime.block_on(async {
        let tasks: Vec<_> = futures.into_iter().map(|future| tokio::spawn(future)).collect();
        let mut answers = Vec::new();
        for task in tasks {
            answers.push(task.await.unwrap());
        }
        answers
    })
}

#[test]
fn c10_4_a_name_that_is_allowed_gets_one_when_it_is_asked_for() {
    if is_skipped() {
        return;
    }
    let world = World::new();
    let site = world.site_with(options(&world, allowing("*.example.com")));
    // Whoever asks meanwhile waits for the same one.
    let answers = ask(&site, &["a.example.com", "A.example.com.", "a.example.com"]);
    assert_eq!(answers, vec![Ok(()); 3]);
    // It is installed before anybody hears of it.
    assert_eq!(site.installed.count("a.example.com"), 1);
    assert_eq!(world.front.orders_for(&["a.example.com"]), 1);
    let status = site.status("a.example.com");
    assert!(status.on_demand && status.state == CertificateState::Valid);

    // What is written down meanwhile changes nothing about it.
    site.acme.want([names("b.example.com")]);
    site.certificate("b.example.com");
    assert_eq!(ask(&site, &["a.example.com", "b.example.com"]), vec![Ok(()); 2]);
    assert_eq!(site.acme.status().len(), 2);
    assert_eq!(world.front.state.lock().orders.len(), 2);
    drop(site);

    // After a restart it is found on disk, which counts as none of this hour.
    let on_demand = OnDemandOptions { per_hour: 1, ..allowing("*.example.com") };
    let site = world.site_with(options(&world, on_demand));
    assert_eq!(site.installed.count("a.example.com"), 0);
    assert_eq!(ask(&site, &["a.example.com"]), [Ok(())]);
    assert_eq!(ask(&site, &["c.example.com"]), [Err(Refusal::Limited)]);
    assert_eq!(world.front.state.lock().orders.len(), 2);
}

#[test]
fn c10_4_what_is_not_allowed_gets_none() {
    if is_skipped() {
        return;
    }
    let world = World::new();
    let site = world.site_with(options(&world, allowing("*.example.com")));
    let asked = ["example.com", "other.test", "127.0.0.1", "*.example.com", "a b", "", "x.test:1"];
    use Refusal::{Invalid, NotAllowed};
    let expected = [NotAllowed, NotAllowed, Invalid, Invalid, Invalid, Invalid, Invalid];
    assert_eq!(ask(&site, &asked), expected.map(Err));
    let site = world.site();
    assert_eq!(ask(&site, &["a.example.com"]), [Err(Refusal::Off)]);
    assert_eq!(world.front.state.lock().requests.len(), 0);
}

/// Says yes to names that begin with `yes`, and never anything to `never`.
#[derive(Default)]
struct Function {
    asked: AtomicUsize,
}

impl Judge for Function {
    fn allows<'a>(&'a self, name: &'a str) -> JudgeFuture<'a> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            if name.starts_with("never") {
                std::future::pending::<()>().await;
            }
            name.starts_with("yes")
        })
    }
}

#[test]
fn c10_4_a_function_of_the_program_decides() {
    if is_skipped() {
        return;
    }
    let world = World::new();
    let on_demand = OnDemandOptions {
        negative_ttl: Duration::from_secs(60),
        timeout: Duration::from_secs(30),
        ..OnDemandOptions::default()
    };
    let site = world.site_with(options(&world, on_demand));
    assert_eq!(ask(&site, &["yes.example.com"]), [Err(Refusal::NotAllowed)]);
    let judge = Arc::new(Function::default());
    site.acme.set_judge(Some(Arc::clone(&judge) as Arc<dyn Judge>));
    // That it was refused is remembered for a while.
    assert_eq!(ask(&site, &["yes.example.com"]), [Err(Refusal::NotAllowed)]);
    assert_eq!(ask(&site, &["yes2.example.com", "no.example.com"])[0], Ok(()));
    assert_eq!(ask(&site, &["no.example.com"]), [Err(Refusal::NotAllowed)]);
    assert_eq!(judge.asked.load(Ordering::Relaxed), 2);
    assert_eq!(world.front.state.lock().orders.len(), 1);
}

#[test]
fn c10_4_as_many_names_as_may_be_are_decided_about_at_once() {
    if is_skipped() {
        return;
    }
    let world = World::new();
    let on_demand = OnDemandOptions {
        at_once: 2,
        timeout: Duration::from_secs(1),
        ..OnDemandOptions::default()
    };
    let site = world.site_with(options(&world, on_demand));
    site.acme.set_judge(Some(Arc::new(Function::default())));
    let answers = ask(&site, &["never1.example.com", "never2.example.com", "yes.example.com"]);
    // Who never says anything has said no, or nothing yet.
    let is_no = |answer: &_| matches!(answer, Err(Refusal::Late | Refusal::NotAllowed));
    assert!(answers[..2].iter().all(is_no), "{answers:?}");
    assert_eq!(answers[2], Err(Refusal::Busy));
    wait_until("room for others", || ask(&site, &["no.example.com"]) == [Err(Refusal::NotAllowed)]);
}

#[test]
fn c10_4_a_name_that_cannot_be_proven_is_refused_without_asking_again() {
    if is_skipped() {
        return;
    }
    let world = World::new();
    *world.wrong.lock() = [true, true];
    let site = world.site_with(options(&world, allowing("*.example.com")));
    let answers = ask(&site, &["a.example.com"]);
    let [Err(Refusal::Failed(why))] = &answers[..] else { panic!("{answers:?}") };
    assert!(why.contains("a.example.com failed: unauthorized"), "{why}");
    *world.wrong.lock() = [false, false];
    assert_eq!(ask(&site, &["a.example.com"]), answers);
    assert_eq!(world.front.orders_for(&["a.example.com"]), 1);
    assert_eq!(site.acme.status(), []);
}

#[test]
fn c10_4_a_handshake_waits_for_a_bounded_time() {
    if is_skipped() {
        return;
    }
    let world = World::with(|wishes| wishes.at_once = false);
    let on_demand =
        OnDemandOptions { timeout: Duration::from_millis(1), ..allowing("*.example.com") };
    let site = world.site_with(options(&world, on_demand));
    assert_eq!(ask(&site, &["a.example.com"]), [Err(Refusal::Late)]);
    // It is obtained all the same.
    wait_until("a certificate", || site.installed.count("a.example.com") == 1);
}
