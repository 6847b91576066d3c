//! What the tests need: an authority, names, who answers challenges, and a server that is told of
//! certificates. Everything listens on this machine, on free ports; every wait is bounded.

pub(crate) mod dns;
pub(crate) mod front;
pub(crate) mod pebble;
pub(crate) mod pki;
pub(crate) mod responder;
pub(crate) mod site;

use std::time::{Duration, Instant};

/// How long anything is waited for: only ever reached by a fault.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for something that nobody can signal; gives it.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    wait_until_or(look, || what.to_owned())
}

/// The same, where what has not come about is told by how things stand then.
#[track_caller]
pub(crate) fn wait_until_or<T>(
    mut look: impl FnMut() -> Option<T>,
    what: impl Fn() -> String,
) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "it has not come about: {}", what());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    wait_for(what, || is_so().then_some(()));
}
