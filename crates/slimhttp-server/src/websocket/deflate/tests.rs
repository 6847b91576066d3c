//! What is compressed inflates to itself, by ours and by another implementation, and no
//! bomb goes off.

use miniz_oxide::deflate::core::{CompressorOxide, TDEFLFlush, compress_to_output};
use miniz_oxide::{DataFormat, inflate};

use super::*;
use crate::samples;

/// How long the pieces are that a message is compressed in.
const PIECE: usize = 32 * 1024;

fn compressed(message: &[u8]) -> Vec<u8> {
    let mut compressed = Vec::new();
    let mut pieces = message.chunks(PIECE).peekable();
    while let Some(piece) = pieces.next() {
        compress(piece, pieces.peek().is_none(), &mut compressed);
    }
    compressed
}

fn decompressed(compressed: &[u8], piece: usize, limit: usize) -> Result<Vec<u8>, DecompressError> {
    let mut message = Vec::new();
    let mut decompressor = Decompressor::new();
    for piece in compressed.chunks(piece) {
        decompressor.decompress(piece, &mut message, limit)?;
    }
    decompressor.finish(&mut message, limit)?;
    Ok(message)
}

/// As [`compressed`], by another implementation: in one go, with whatever level.
fn compressed_by_another(message: &[u8], level: u8) -> Vec<u8> {
    let mut stream = CompressorOxide::default();
    stream.set_format_and_level(DataFormat::Raw, level);
    let mut compressed = Vec::new();
    compress_to_output(&mut stream, message, TDEFLFlush::Sync, |bytes| {
        compressed.extend_from_slice(bytes);
        true
    });
    let length = compressed.len() - TAIL.len();
    assert_eq!(compressed[length..], TAIL);
    compressed.truncate(length);
    compressed
}

/// As [`decompressed`], by another implementation.
fn decompressed_by_another(compressed: &[u8]) -> Vec<u8> {
    inflate::decompress_to_vec(&[compressed, &ENDING[..]].concat()).expect("it is compressed")
}

/// Messages end as pieces do, and begin as they do; so this is what can go wrong
/// with the size of a message.
#[test]
fn pieces_of_many_sizes_are_read_by_another_implementation() {
    samples::each(|kind, sample| {
        let starts = (0..sample.len()).step_by(PIECE);
        for size in samples::sizes(sample.len(), 300) {
            let start = starts.clone().rfind(|start| *start < size).unwrap_or(0);
            let piece = &sample[start..size];
            let mut compressed = Vec::new();
            compress(piece, true, &mut compressed);
            assert!(decompressed_by_another(&compressed) == piece, "{kind} {start}..{size}");
            assert!(
                decompressed(&compressed, 1024, piece.len()).as_deref() == Ok(piece),
                "{kind} {size}"
            );
        }
    });
}

#[test]
fn messages_of_many_sizes_are_read_by_another_implementation() {
    samples::each(|kind, sample| {
        for size in (1..=sample.len()).rev().step_by(29_989) {
            let message = &sample[..size];
            assert!(decompressed_by_another(&compressed(message)) == message, "{kind} {size}");
        }
    });
}

#[test]
fn what_another_implementation_has_packed_is_read_in_many_sizes() {
    samples::each(|kind, sample| {
        let long = (1..=sample.len()).rev().step_by(69_997);
        for size in samples::sizes(PIECE + 1000, 50).into_iter().skip(1).chain(long) {
            let message = &sample[..size];
            let compressed = compressed_by_another(message, [0, 1, 3, 6][size % 4]);
            let piece = [1024, 977, 1 << 20][size % 3];
            let outcome = decompressed(&compressed, piece, size);
            assert!(outcome.as_deref() == Ok(message), "{kind} {size} by {piece}");
            assert_eq!(
                decompressed(&compressed, piece, size - 1),
                Err(DecompressError::TooLong),
                "{kind} {size}"
            );
        }
    });
}

#[test]
fn a_piece_that_does_not_end_the_message_is_whole() {
    let mut compressed = Vec::new();
    compress(b"Hello, hello, hello. ", false, &mut compressed);
    let length = compressed.len();
    let mut first = Vec::new();
    compress(b"Hello, hello, hello. ", true, &mut first);
    assert_eq!(compressed, [&first[..], &TAIL].concat());
    compress(b"Hello, hello, hello.", true, &mut compressed);
    assert_eq!(decompressed_by_another(&compressed), b"Hello, hello, hello. Hello, hello, hello.");
    // It refers to nothing before it.
    assert_eq!(decompressed_by_another(&compressed[length..]), b"Hello, hello, hello.");
}

/// The examples of RFC 7692 section 7.2.3.
#[test]
fn the_examples_of_the_standard() {
    let cases: &[&[u8]] = &[
        &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],
        // Without compression.
        &[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00],
        // A block that says it is the last one.
        &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
        // The same from who adds no byte behind it, and from who leaves the tail.
        &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],
        &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00, 0x00, 0xff, 0xff],
        // Two blocks.
        &[0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00],
    ];
    for compressed in cases {
        assert_eq!(
            decompressed(compressed, 3, 100).as_deref(),
            Ok(&b"Hello"[..]),
            "{compressed:02x?}"
        );
    }
}

#[test]
fn a_bomb_is_found_out_early() {
    let bomb = compressed_by_another(&vec![0; 64 << 20], 6);
    assert!(bomb.len() < 1 << 20);
    let mut message = Vec::new();
    let outcome = Decompressor::new().decompress(&bomb, &mut message, 100_000);
    assert_eq!(outcome, Err(DecompressError::TooLong));
    assert!(message.capacity() < 400_000, "{}", message.capacity());
}

/// "ab", and three bytes that stood before, in a static block (RFC 1951 section
/// 3.2.6): `distance` is the code of how far, and the bits behind it.
fn referring(distance: &str) -> Vec<u8> {
    let (a, b) = (0x30 + b'a', 0x30 + b'b');
    let bits = format!("010{a:08b}{b:08b}0000001{distance}0000000000");
    let byte =
        |bits: &[u8]| bits.iter().rev().fold(0, |byte: u8, bit| byte << 1 | u8::from(*bit == b'1'));
    bits.as_bytes().chunks(8).map(byte).collect()
}

#[test]
fn nothing_is_before_a_message() {
    let long = samples::noise().take(100_000).collect::<Vec<u8>>();
    for (distance, outcome) in [
        ("00000", Ok(&b"abbbb"[..])),
        ("00001", Ok(&b"ababa"[..])),
        ("00010", Err(DecompressError::Corrupt)),
        ("00011", Err(DecompressError::Corrupt)),
        // The farthest there is: 32,768.
        ("111011111111111111", Err(DecompressError::Corrupt)),
    ] {
        // A stream that had much in it, and gets this.
        assert!(decompressed(&compressed(&long), 1024, 100_000).is_ok());
        for piece in [1, 1000] {
            assert_eq!(
                decompressed(&referring(distance), piece, 9).as_deref(),
                outcome.as_ref().copied(),
                "{distance}"
            );
        }
    }
}

#[test]
fn nonsense_is_broken() {
    let (hello, stored) = (compressed(b"Hello"), compressed_by_another(b"Hello", 0));
    let cases: &[&[u8]] = &[
        &[0xff; 40],
        &[0x07, 0x07, 0x07],
        b"Hello",
        // What stops within a block.
        &hello[..3],
        &stored[..8],
        &stored[..4],
    ];
    for nonsense in cases {
        assert_eq!(
            decompressed(nonsense, 5, 1000),
            Err(DecompressError::Corrupt),
            "{nonsense:02x?}"
        );
    }
    // A stream that met it serves the next message.
    assert_eq!(decompressed(&compressed(b"fine"), 9, 10).as_deref(), Ok(&b"fine"[..]));
}
