//! What is packed unpacks to itself, and no bomb goes off.

use super::*;

fn packed(message: &[u8], piece: usize) -> Vec<u8> {
    let mut packed = Vec::new();
    let mut packer = Packer::new();
    let mut pieces = message.chunks(piece).peekable();
    while let Some(piece) = pieces.next() {
        packer.pack(piece, pieces.peek().is_none(), &mut packed);
    }
    packed
}

fn unpacked(packed: &[u8], piece: usize, limit: usize) -> Result<Vec<u8>, Unpacked> {
    let mut message = Vec::new();
    let mut unpacker = Unpacker::new();
    for piece in packed.chunks(piece) {
        unpacker.unpack(piece, &mut message, limit)?;
    }
    unpacker.finish(&mut message, limit)?;
    Ok(message)
}

#[test]
fn messages_come_back() {
    let noise: Vec<u8> =
        (0..200_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for message in [&b"a"[..], b"Hello Hello Hello", &[b'x'; 100_000], &noise] {
        for piece in [1, 7, 4096, 1 << 20] {
            let packed = packed(message, piece.max(64));
            let limit = message.len();
            assert_eq!(unpacked(&packed, piece, limit).as_deref(), Ok(message));
            assert_eq!(unpacked(&packed, piece, limit - 1), Err(Unpacked::TooLong));
        }
    }
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
        // Two blocks.
        &[0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00],
    ];
    for packed in cases {
        assert_eq!(unpacked(packed, 3, 100).as_deref(), Ok(&b"Hello"[..]), "{packed:02x?}");
    }
}

#[test]
fn a_bomb_is_found_out_early() {
    let bomb = packed(&vec![0; 64 << 20], 1 << 20);
    assert!(bomb.len() < 1 << 20);
    let mut message = Vec::new();
    let outcome = Unpacker::new().unpack(&bomb, &mut message, 100_000);
    assert_eq!(outcome, Err(Unpacked::TooLong));
    assert!(message.capacity() < 400_000, "{}", message.capacity());
}

#[test]
fn nonsense_is_broken() {
    for nonsense in [&[0xff; 40][..], &[0x07, 0x07, 0x07], b"Hello"] {
        assert_eq!(unpacked(nonsense, 5, 1000), Err(Unpacked::Broken), "{nonsense:?}");
    }
    // A machine that met it serves the next message.
    assert_eq!(unpacked(&packed(b"fine", 64), 9, 10).as_deref(), Ok(&b"fine"[..]));
}
