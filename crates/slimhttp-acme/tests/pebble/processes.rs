//! Several processes, and such as are killed: with SIGKILL, at every step of an order and at any
//! moment. `SLIMHTTP_ACME_KILLS` says how many of the latter.
//!
//! A process is this test program itself, which runs [`child`] and nothing else.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use slimhttp_acme::{Acme, CertificateState, stored_certificates};
use slimhttp_site::acme::AcmeOptions;

use crate::is_skipped;
use crate::support::front::Moment;
use crate::support::site::{Installed, TestClock, World, names, setup};
use crate::support::{wait_for, wait_until};

const NAME: &str = "a.example.com";
const VARIABLE: &str = "SLIMHTTP_TEST_ACME_CHILD";
/// Where a certificate of Pebble is to be renewed: in its fourth year of five.
const RENEWAL: u64 = 4 * 365 * 86_400;

/// A server in a process of its own.
struct Process {
    child: Child,
    /// The serial numbers of what it has installed.
    serials: mpsc::Receiver<String>,
}

impl Process {
    /// One whose clock is so many seconds ahead.
    fn start(world: &World, ahead: u64) -> Self {
        let says = json!({
            "folder": world.folder.path(), "directory": world.front.directory, "ahead": ahead,
        });
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["processes::child", "--exact", "--nocapture", "--test-threads=1"])
            .env(VARIABLE, says.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (told, serials) = mpsc::channel();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some((_, serial)) = line.split_once("installed ") {
                    let _ = told.send(serial.to_owned());
                }
            }
        });
        Self { child, serials }
    }

    /// Waits until it has installed a certificate that is not `before`.
    fn serial_after(&self, before: &str) -> String {
        wait_for("a certificate", || self.serials.try_iter().find(|serial| serial != before))
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a process does. By itself it is no test.
#[test]
fn child() {
    let Ok(says) = std::env::var(VARIABLE) else { return };
    let says: Value = serde_json::from_str(&says).unwrap();
    let folder = std::path::PathBuf::from(says["folder"].as_str().unwrap());
    let options = AcmeOptions {
        directory: says["directory"].as_str().unwrap().into(),
        ca: Some(folder.join("ca.pem")),
        ..AcmeOptions::new(&folder)
    };
    let (clock, installed) = (Arc::new(TestClock::default()), Arc::new(Installed::default()));
    clock.set_ahead(Duration::from_secs(says["ahead"].as_u64().unwrap()));
    let acme = Acme::new(setup(Arc::new(options), Arc::clone(&installed), clock));
    let started = Instant::now();
    acme.want([names(NAME)]);
    let mut last = String::new();
    // It ends with whoever started it, and is not waited for for ever.
    while started.elapsed() < Duration::from_secs(120) {
        if let Some(certificate) = installed.latest(&names(NAME))
            && certificate.serial != last
        {
            last.clone_from(&certificate.serial);
            println!("installed {last}");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// What is on disk of the certificate.
fn state(world: &World) -> CertificateState {
    let all = stored_certificates(&world.options()).unwrap();
    let [stored] = &all[..] else { panic!("{all:?}") };
    // An order may be under way; that is no reason to have no certificate.
    if stored.certificate.is_none() { CertificateState::Missing } else { CertificateState::Valid }
}

#[track_caller]
fn check(world: &World) {
    assert_eq!(world.front.state.lock().accounts, 1);
    world.front.assert_no_violations();
}

#[test]
fn c10_4_two_processes_on_one_folder_ask_once() {
    if is_skipped() {
        return;
    }
    let world = World::new();
    let both = [Process::start(&world, 0), Process::start(&world, 0)];
    let serials: Vec<_> = both.iter().map(|process| process.serial_after("")).collect();
    assert_eq!(serials[0], serials[1]);
    assert_eq!(world.front.orders_for(&[NAME]), 1);
    check(&world);
}

#[test]
fn c10_4_what_one_process_renews_the_other_takes_over() {
    if is_skipped() {
        return;
    }
    let world = World::new();
    let first = Process::start(&world, 0);
    let serial = first.serial_after("");
    let second = Process::start(&world, RENEWAL);
    let renewed = second.serial_after(&serial);
    second.kill();
    let last = wait_for("the last one", || {
        let taken = first.serials.try_iter().last()?;
        (taken != serial).then_some(taken)
    });
    assert_ne!(last, serial);
    assert_ne!(renewed, serial);
    check(&world);
}

#[test]
fn c10_4_no_kill_at_a_step_of_an_order_loses_anything() {
    if is_skipped() {
        return;
    }
    let world = World::new();
    let mut serial = String::new();
    let steps = [
        "new-account",
        "new-order",
        "authorization",
        "challenge",
        "order",
        "finalize",
        "certificate",
    ];
    for step in steps {
        for moment in [Moment::Before, Moment::After] {
            // An account is made once.
            let (is_account, is_first) = (step == "new-account", serial.is_empty());
            if is_account && !is_first {
                continue;
            }
            world.front.state.lock().trap = Some((step, moment));
            let process = Process::start(&world, if is_first { 0 } else { RENEWAL });
            wait_until("the step", || world.front.state.lock().is_trapped);
            process.kill();
            {
                let mut state = world.front.state.lock();
                (state.trap, state.is_trapped) = (None, false);
            }
            if is_account && moment == Moment::Before {
                continue;
            }
            if !is_first {
                assert_eq!(state(&world), CertificateState::Valid, "{step} {moment:?}");
            }
            let orders = world.front.state.lock().orders.len();
            let process = Process::start(&world, if is_first { 0 } else { RENEWAL });
            serial = process.serial_after(&serial);
            process.kill();
            let more = world.front.state.lock().orders.len() - orders;
            let was_made = !is_account && (step, moment) != ("new-order", Moment::Before);
            assert!(more >= usize::from(!was_made), "{step} {moment:?}");
            check(&world);
        }
    }
}

#[test]
fn c10_4_no_kill_at_any_moment_loses_anything() {
    if is_skipped() {
        return;
    }
    let kills = std::env::var("SLIMHTTP_ACME_KILLS").ok().and_then(|kills| kills.parse().ok());
    let world = World::with(|wishes| wishes.refused_nonces = 20);
    let process = Process::start(&world, 0);
    let mut serial = process.serial_after("");
    process.kill();
    let mut chance = std::process::id();
    for _ in 0..kills.unwrap_or(12) {
        // What is due already when it comes is ordered again and again.
        let process = Process::start(&world, RENEWAL);
        chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        std::thread::sleep(Duration::from_millis(u64::from(chance >> 16) % 900));
        process.kill();
        assert_eq!(state(&world), CertificateState::Valid);
        check(&world);
    }
    // And all goes on.
    let process = Process::start(&world, RENEWAL);
    let last = process.serial_after(&serial);
    process.kill();
    serial.clone_from(&last);
    check(&world);
    assert_eq!(state(&world), CertificateState::Valid);
}
