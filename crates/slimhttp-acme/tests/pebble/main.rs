//! Certificates from Pebble, a test authority: issue, renewal, failures, and processes that are
//! killed. Without it (package `pebble` of Debian and Ubuntu, which `make test` installs where it
//! may) each test says that it is skipped.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "a test")]

mod accounts;
mod failures;
mod issue;
mod on_demand;
mod processes;
mod records;
mod renewals;
mod support;

/// Whether there is an authority; says so where there is none.
fn is_skipped() -> bool {
    let is_missing = support::pebble::program().is_none();
    if is_missing {
        eprintln!("skipped: no pebble");
    }
    is_missing
}
