//! Properties of the engines, held against their own reading in other pieces, against each other,
//! and against another parser.
//!
//! One definition of each property serves three purposes: `cargo test` replays the corpus and a
//! bounded number of random inputs; `make fuzz` lets libFuzzer search by coverage for as long as
//! wanted; what it finds becomes a file of `__fuzz__/<target>/corpus` or `crashes`, and both are
//! replayed from then on.
//!
//! A file of a corpus is text that can be read and written by hand, see [`spelled`].

mod requests;
mod responses;
#[path = "../../../slimhttp-site/tests/fuzz/spelled.rs"]
mod spelled;
mod written;

/// Random inputs of each target in `cargo test`.
const ITERATIONS: usize = 20_000;

#[test]
fn requests() {
    bolero::check!().with_iterations(ITERATIONS).with_max_len(400).for_each(requests::check);
}

#[test]
fn responses() {
    bolero::check!().with_iterations(ITERATIONS).with_max_len(400).for_each(responses::check);
}

#[test]
fn written() {
    bolero::check!().with_iterations(ITERATIONS).with_max_len(200).for_each(written::check);
}

/// A stream in pieces: at once, of a few bytes each, and cut once.
pub(crate) fn cuts(stream: &[u8], first: u8) -> [Vec<&[u8]>; 3] {
    let (one, other) = stream.split_at(stream.len() * usize::from(first) / 255);
    let pieces = stream.chunks(usize::from(first % 16) + 1).collect();
    [vec![stream], pieces, vec![one, other]]
}

/// The fields of a head as text, one line each, a fold as a space.
pub(crate) fn fields<'a>(lines: impl Iterator<Item = (&'a str, Vec<u8>)>) -> String {
    lines.map(|(name, value)| format!(" {name}={}", value.escape_ascii())).collect()
}
