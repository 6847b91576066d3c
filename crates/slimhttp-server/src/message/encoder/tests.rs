//! What comes out of the encoders, as other implementations read it.

use super::*;
use crate::message::testing::decoded;

fn text(length: usize) -> Vec<u8> {
    (0..)
        .flat_map(|line: usize| format!("line {line} of a text\n").into_bytes())
        .take(length)
        .collect()
}

#[test]
fn what_is_written_in_pieces_comes_out_whole() {
    for coding in Coding::ALL {
        for length in [0, 1, 1000, 16_384, 70_000, 300_000] {
            for piece in [1000, 16_384, 100_000] {
                let content = text(length);
                let mut encoder = Encoder::new(coding, None).expect("memory");
                let mut coded = Vec::new();
                for piece in content.chunks(piece) {
                    encoder.write(piece).expect("it takes more");
                    coded.append(&mut encoder.take());
                }
                coded.append(&mut encoder.finish().expect("it ends"));
                let row = format!("{coding:?} of {length} bytes in pieces of {piece}");
                assert_eq!(decoded(coding, &coded), (content, true), "{row}");
            }
        }
    }
}

#[test]
fn what_was_flushed_can_be_read() {
    for coding in Coding::ALL {
        let content = text(100_000);
        let mut encoder = Encoder::new(coding, None).expect("memory");
        let (mut coded, mut written) = (Vec::new(), 0);
        for length in [1, 1, 50, 16_384, 7, 33_000] {
            encoder.write(&content[written..written + length]).expect("it takes more");
            encoder.flush().expect("it flushes");
            written += length;
            coded.append(&mut encoder.take());
            let read = (content[..written].to_vec(), false);
            assert_eq!(decoded(coding, &coded), read, "{coding:?} behind {written} bytes");
        }
    }
}

#[test]
fn a_short_content_becomes_shorter_as_a_whole() {
    for coding in Coding::ALL {
        let content = text(2000);
        let coded = encode(coding, &content).expect("it is compressed");
        assert!(coded.len() < 500, "{coding:?}: {}", coded.len());
        assert_eq!(decoded(coding, &coded), (content, true), "{coding:?}");
    }
}

#[test]
fn no_more_encoders_work_than_are_allowed() {
    let count = Arc::<EncoderCount>::default();
    let first = count.acquire(2).expect("a place");
    let second = count.acquire(2).expect("a place");
    assert!(count.acquire(2).is_none());
    assert!(count.acquire(3).is_some(), "another scope allows more");
    drop(first);
    assert!(count.acquire(2).is_some());
    drop(second);
    assert!(count.acquire(0).is_none());
}
