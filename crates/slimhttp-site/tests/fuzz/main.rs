//! Properties of what reads untrusted bytes, held against naive references.
//!
//! One definition of each property serves three purposes: `cargo test` replays
//! the corpus and a bounded number of random inputs; `make fuzz` lets libFuzzer
//! search by coverage for as long as wanted; what it finds becomes a file of
//! `__fuzz__/<target>/corpus` or `crashes`, and both are replayed from then on.
//!
//! A file of a corpus is text that can be read and written by hand, see
//! [`spelled`].

mod conditions;
mod disposition;
mod frames;
mod globs;
mod multipart;
mod path;
mod range;
mod spelled;

/// Random inputs of each target in `cargo test`.
const ITERATIONS: usize = 50_000;

#[test]
fn path() {
    bolero::check!().with_iterations(ITERATIONS).with_max_len(200).for_each(path::check);
}

#[test]
fn range() {
    bolero::check!().with_iterations(ITERATIONS).with_max_len(200).for_each(range::check);
}

#[test]
fn conditions() {
    bolero::check!().with_iterations(ITERATIONS).with_max_len(300).for_each(conditions::check);
}

/// Each input builds patterns anew, which takes far longer than to match them.
#[test]
fn globs() {
    let check = bolero::check!().with_iterations(ITERATIONS / 5).with_max_len(60);
    check.for_each(globs::check);
}

#[test]
fn multipart() {
    bolero::check!().with_iterations(ITERATIONS).with_max_len(200).for_each(multipart::check);
}

#[test]
fn disposition() {
    bolero::check!().with_iterations(ITERATIONS).with_max_len(100).for_each(disposition::check);
}

#[test]
fn frames() {
    bolero::check!().with_iterations(ITERATIONS).with_max_len(100).for_each(frames::check);
}
