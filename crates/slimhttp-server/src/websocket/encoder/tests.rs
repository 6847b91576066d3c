//! What is sent is read back by a naive reader of frames.

use super::*;
use crate::samples;
use crate::websocket::deflate::Decompressor;

/// Takes everything out, at most `size` bytes at a time.
fn drained(encoder: &mut Encoder, size: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while !encoder.is_empty() {
        encoder.continue_message();
        let count = encoder.pending().len().min(size);
        bytes.extend_from_slice(&encoder.pending()[..count]);
        encoder.advance(count);
    }
    bytes
}

/// The first byte and the payload of each frame.
fn frames(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    while let [first, short, rest @ ..] = bytes {
        let (length, rest) = match short {
            126 => (u16::from_be_bytes([rest[0], rest[1]]) as usize, &rest[2..]),
            127 => {
                let (length, rest) = rest.split_first_chunk().expect("8 bytes");
                (u64::from_be_bytes(*length) as usize, rest)
            }
            length => (usize::from(*length), rest),
        };
        frames.push((*first, rest[..length].to_vec()));
        bytes = &rest[length..];
    }
    frames
}

fn text(length: usize) -> Message {
    Message::Text("abc ".repeat(length.div_ceil(4))[..length].to_owned().into())
}

#[test]
fn lengths_and_orders() {
    for length in [0, 1, 125, 126, 127, MIN_UNCOPIED - 1, MIN_UNCOPIED, 65_535, 65_536, 300_000] {
        for size in [1000, usize::MAX] {
            let mut encoder = Encoder::new(false);
            let message = text(length);
            let expected = message.as_bytes().to_vec();
            encoder.message(message);
            // A ping stands behind the message, however long that is, and however
            // much of it has been sent.
            encoder.advance(encoder.pending().len().min(3));
            encoder.ping(b"p");
            let mut whole = frames_head(length);
            whole.extend_from_slice(&expected);
            whole.extend_from_slice(&[0x89, 1, b'p']);
            let rest = drained(&mut encoder, size);
            assert_eq!(rest, whole[3.min(2 + length)..], "{length}");
            assert_eq!(frames(&whole), [(0x81, expected), (0x89, b"p".to_vec())]);
        }
    }
}

fn frames_head(length: usize) -> Vec<u8> {
    match length {
        0..=125 => vec![0x81, length as u8],
        126..=0xffff => [&[0x81, 126][..], &(length as u16).to_be_bytes()].concat(),
        _ => [&[0x81, 127][..], &(length as u64).to_be_bytes()].concat(),
    }
}

#[test]
fn messages_are_packed_where_it_is_worth_it() {
    let noise: Vec<u8> = samples::noise().take(CHUNK * 3).collect();
    let cases = [
        (text(MIN_COMPRESSED - 1), 0x81, 1),
        (text(MIN_COMPRESSED), 0xc1, 1),
        (text(CHUNK), 0xc1, 1),
        (text(CHUNK + 1), 0x41, 2),
        (text(CHUNK * 3), 0x41, 3),
        (Message::Binary(noise[..5000].to_vec().into()), 0x82, 1),
        (Message::Binary(noise.into()), 0x82, 1),
    ];
    for (message, first, count) in cases {
        let mut encoder = Encoder::new(true);
        let expected = message.as_bytes().to_vec();
        encoder.message(message);
        let frames = frames(&drained(&mut encoder, 10_000));
        assert_eq!((frames[0].0, frames.len()), (first, count));
        let is_compressed = first & 0x40 != 0;
        for (position, (first, _)) in frames.iter().enumerate().skip(1) {
            assert_eq!(*first, if position + 1 == count { 0x80 } else { 0x00 });
        }
        let payload: Vec<u8> = frames.into_iter().flat_map(|(_, payload)| payload).collect();
        if !is_compressed {
            assert_eq!(payload, expected);
            continue;
        }
        let (mut message, limit) = (Vec::new(), expected.len());
        let mut decompressor = Decompressor::new();
        decompressor.decompress(&payload, &mut message, limit).expect("is fine");
        decompressor.finish(&mut message, limit).expect("is fine");
        assert_eq!(message, expected);
    }
}

/// Of every kind, compressed or not, whatever room there is for its frames.
#[test]
fn messages_of_many_sizes_come_back() {
    samples::each(|kind, sample| {
        for size in (0..=sample.len()).rev().step_by(49_999) {
            let mut encoder = Encoder::new(true);
            encoder.message(Message::Binary(sample[..size].to_vec().into()));
            let frames = frames(&drained(&mut encoder, 1 + size / 3));
            let payload = frames.iter().flat_map(|(_, payload)| payload).copied();
            let payload: Vec<u8> = payload.collect();
            if frames[0].0 & 0x40 == 0 {
                assert!(payload == sample[..size], "{kind} {size}");
                continue;
            }
            assert!(frames.iter().skip(1).all(|(first, _)| first & 0x7f == 0), "{kind} {size}");
            let tail = [&payload[..], &[0, 0, 0xff, 0xff, 3, 0]].concat();
            let message = miniz_oxide::inflate::decompress_to_vec(&tail).expect("is compressed");
            assert!(message == sample[..size], "{kind} {size}");
        }
    });
}

#[test]
fn closing_is_the_last_frame() {
    let closure = CloseFrame::new(3000, "bye").expect("may be sent");
    let mut encoder = Encoder::new(true);
    encoder.message(text(CHUNK * 3));
    encoder.close(Some(&closure));
    assert!(!encoder.is_compressing());
    let frames = frames(&drained(&mut encoder, 10_000));
    assert_eq!(frames.last(), Some(&(0x88, b"\x0b\xb8bye".to_vec())));
    let mut encoder = Encoder::new(false);
    encoder.close(None);
    assert_eq!(drained(&mut encoder, 9), [0x88, 0]);
}
