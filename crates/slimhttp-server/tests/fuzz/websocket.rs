//! The frames of a client, buffered against a naive reader of whole streams: what is
//! made of them does not hang on how they were cut, nor on who reads them. A module
//! of the tests of `websocket::decoder`, which nothing outside its crate sees.
//!
//! An input is two bytes that say how it is cut and what was agreed on, and a
//! stream: as it stands, and as [`spelled`].

use super::*;
use reference::{Outcome, outcome};

#[path = "reference.rs"]
mod reference;

/// So short that an input may go beyond it.
const LIMIT: usize = 150;

#[test]
fn websocket() {
    bolero::check!(name = "websocket").with_iterations(20_000).with_max_len(400).for_each(check);
}

fn check(input: &[u8]) {
    let [cut, agreed, stream @ ..] = input else { return };
    let compressed = agreed & 1 == 1;
    for stream in [stream.to_vec(), spelled(stream)] {
        let ours = heard_by(&stream, stream.len(), compressed);
        let sizes = [1, 2 + usize::from(cut % 31), stream.len().div_ceil(2)];
        for size in sizes {
            let cut = heard_by(&stream, size, compressed);
            assert_eq!(cut, ours, "by {size}: {}", stream.escape_ascii());
        }
        compare(&ours, &outcome(&stream, LIMIT, compressed), &stream);
    }
}

/// A stream in which most is meant, from the bytes of a fuzzer: the first byte of
/// a frame, one that says how long its payload is or what is wrong with its head,
/// and the payload, which is masked, and compressed where the second byte asks for it.
fn spelled(mut input: &[u8]) -> Vec<u8> {
    let mut stream = Vec::new();
    while let [first, form, rest @ ..] = input {
        let (payload, rest) = rest.split_at(usize::from(form & 0x3f).min(rest.len()));
        input = rest;
        if form & 0x80 == 0 {
            stream.extend_from_slice(&frame(*first, payload));
        } else if form & 0x40 == 0 {
            let mut compressed = Vec::new();
            // Letters are of more than one kind, and of many lengths.
            let long = payload.repeat(1 + usize::from(first >> 4 & 3));
            compress_piece(&long, first & 0x80 != 0, &mut compressed);
            stream.extend_from_slice(&frame(*first | 0x40, &compressed));
        } else {
            let head: &[u8] = match form & 7 {
                // No mask, or more bytes for the length than it needs, or a sign.
                0 => &[1, b'a'],
                1 => &[0xfe, 0, 5, 0, 0, 0, 0],
                2 => &[0xff, 0, 0, 0, 0, 0, 0, 0, 200, 0, 0, 0, 0],
                3 => &[0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
                // More than may be, at once and compressed; and less.
                4 => &[0xff, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0],
                5 => &[0xff, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0],
                6 => &[0xfe, 3, 0, 0, 0, 0, 0],
                _ => &[0xfe, 0, 140, 1, 2, 3, 4],
            };
            stream.push(*first);
            stream.extend_from_slice(head);
            stream.extend_from_slice(payload);
        }
    }
    stream.extend_from_slice(input);
    stream
}

/// What ours makes of a stream read `size` bytes at a time.
fn heard_by(stream: &[u8], size: usize, compressed: bool) -> Outcome {
    let mut decoder = Decoder::new(LIMIT, compressed);
    let mut outcome = Outcome::default();
    for piece in stream.chunks(size.max(1)) {
        let mut piece = piece.to_vec();
        let mut rest = piece.as_mut_slice();
        while !rest.is_empty() {
            match decoder.feed(rest) {
                Err(fault) => {
                    outcome.fault = Some(reference::kind(fault.code));
                    return outcome;
                }
                Ok((count, event)) => {
                    assert!((1..=rest.len()).contains(&count));
                    assert!(decoder.buffered() <= 4 * LIMIT + 1024);
                    rest = &mut rest[count..];
                    outcome.events.extend(event.map(|event| in_words(&event)));
                }
            }
        }
    }
    outcome
}

/// The same events, and the same fault; but a compressed message may be found to be
/// wrong before it is complete, which is when the naive reader looks at it.
fn compare(ours: &Outcome, reference: &Outcome, stream: &[u8]) {
    let stream = stream.escape_ascii();
    if ours.fault == reference.fault && ours.events == reference.events {
        return;
    }
    assert_eq!(ours.fault, Some(reference::CONTENT), "{reference:?}: {stream}");
    assert!(reference.is_open || reference.was_open, "{ours:?}, {reference:?}: {stream}");
    assert!(reference.events.starts_with(&ours.events), "{ours:?}, {reference:?}: {stream}");
}
