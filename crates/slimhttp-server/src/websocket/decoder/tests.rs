//! Frames from clients, a case a line: RFC 6455 section 5 and RFC 7692.

use super::*;
use crate::websocket::deflate::compress as compress_piece;

#[path = "../../../tests/fuzz/websocket.rs"]
mod fuzz;

const LIMIT: usize = 200_000;

/// A masked frame: its first byte (FIN, RSV, opcode) and its payload.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..=125 => frame.push(0x80 | length as u8),
        length @ 126..=0xffff => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    frame.extend_from_slice(&mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// What comes of `bytes` read `size` at a time, in words.
fn heard(bytes: &[u8], size: usize, compressed: bool) -> String {
    let mut decoder = Decoder::new(LIMIT, compressed);
    let mut words = Vec::new();
    'all: for piece in bytes.chunks(size.max(1)) {
        let mut piece = piece.to_vec();
        let mut rest = piece.as_mut_slice();
        while !rest.is_empty() {
            match decoder.feed(rest) {
                Err(fault) => {
                    words.push(format!("! {}", fault.code));
                    break 'all;
                }
                Ok((count, event)) => {
                    rest = &mut rest[count..];
                    words.extend(event.map(|event| in_words(&event)));
                }
            }
        }
    }
    words.join(", ")
}

fn in_words(event: &Event) -> String {
    let short = |bytes: &[u8]| match bytes.len() {
        0..=20 => String::from_utf8_lossy(bytes).into_owned(),
        length => format!("{length} bytes"),
    };
    match event {
        Event::Message(message @ Message::Text(_)) => format!("text {}", short(message.as_bytes())),
        Event::Message(message) => format!("binary {}", short(message.as_bytes())),
        Event::Ping(payload) => format!("ping {}", short(payload)),
        Event::Pong(payload) => format!("pong {}", short(payload)),
        Event::Close(None) => "close".to_owned(),
        Event::Close(Some(CloseFrame { code, reason })) => format!("close {code} {reason}"),
    }
}

/// Frames, and what comes of them.
type Case<'c> = (&'c [(u8, &'c [u8])], &'c str);

fn check(cases: &[Case<'_>], compressed: bool) {
    for (frames, expected) in cases {
        let bytes: Vec<u8> =
            frames.iter().flat_map(|(first, payload)| frame(*first, payload)).collect();
        for size in [1, 2, 3, 5, 4096, usize::MAX] {
            let begin = &bytes[..bytes.len().min(60)];
            assert_eq!(heard(&bytes, size, compressed), *expected, "{begin:02x?}… by {size}");
        }
    }
}

#[test]
fn frames_become_messages() {
    let long = vec![b'x'; 70_000];
    let half = vec![b'x'; LIMIT / 2];
    let most = vec![b'x'; LIMIT];
    let more = vec![b'x'; LIMIT + 1];
    let control = [b'x'; 126];
    check(
        &[
            (&[(0x81, b"Hello")], "text Hello"),
            (&[(0x82, b"\xff\x00")], "binary \u{fffd}\0"),
            (&[(0x81, b"")], "text "),
            (&[(0x81, "κόσμε".as_bytes())], "text κόσμε"),
            (&[(0x82, &long)], "binary 70000 bytes"),
            (&[(0x82, &long[..126])], "binary 126 bytes"),
            (&[(0x82, &most)], "binary 200000 bytes"),
            (&[(0x82, &more)], "! 1009"),
            (&[(0x02, &half), (0x80, &half)], "binary 200000 bytes"),
            (&[(0x02, &half), (0x00, b"x"), (0x80, &half)], "! 1009"),
            // Section 5.4: fragments, and control frames between them.
            (&[(0x01, b"Hel"), (0x80, b"lo")], "text Hello"),
            (&[(0x01, b"a"), (0x00, b"b"), (0x00, b""), (0x80, b"c")], "text abc"),
            (&[(0x01, b"a"), (0x89, b"p"), (0x80, b"b")], "ping p, text ab"),
            (&[(0x01, b""), (0x80, b"")], "text "),
            (&[(0x01, b"a"), (0x81, b"b")], "! 1002"),
            (&[(0x80, b"a")], "! 1002"),
            (&[(0x00, b"a")], "! 1002"),
            (&[(0x81, b"a"), (0x80, b"b")], "text a, ! 1002"),
            // Characters across fragments, and text that is none.
            (&[(0x01, b"\xce"), (0x80, b"\xba")], "text κ"),
            (&[(0x81, b"\xce")], "! 1007"),
            (&[(0x81, b"\xed\xa0\x80")], "! 1007"),
            (&[(0x81, b"\xf4\x90\x80\x80")], "! 1007"),
            (&[(0x01, b"\xc0"), (0x00, b"never looked at")], "! 1007"),
            // Section 5.5.
            (&[(0x89, b""), (0x8a, b"x")], "ping , pong x"),
            (&[(0x89, &control[..125])], "ping 125 bytes"),
            (&[(0x89, &control)], "! 1002"),
            (&[(0x09, b"x")], "! 1002"),
            (&[(0x08, b"")], "! 1002"),
            (&[(0x88, b"")], "close"),
            (&[(0x88, b"\x03")], "! 1002"),
            (&[(0x88, b"\x03\xe8")], "close 1000 "),
            (&[(0x88, b"\x03\xe8bye")], "close 1000 bye"),
            (&[(0x88, b"\x03\xe8\xff")], "! 1007"),
            // Section 5.2: reserved bits and opcodes.
            (&[(0xc1, b"a")], "! 1002"),
            (&[(0xa1, b"a")], "! 1002"),
            (&[(0x91, b"a")], "! 1002"),
            (&[(0x83, b"")], "! 1002"),
            (&[(0x87, b"")], "! 1002"),
            (&[(0x8b, b"")], "! 1002"),
            (&[(0x8f, b"")], "! 1002"),
        ],
        false,
    );
}

#[test]
fn codes_of_closing() {
    for (codes, fine) in [
        (&[0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535][..], false),
        (&[1000, 1001, 1002, 1003, 1007, 1011, 1012, 1014, 3000, 4999], true),
    ] {
        for code in codes {
            let code: u16 = *code;
            let expected = if fine { format!("close {code} ") } else { "! 1002".to_owned() };
            assert_eq!(heard(&frame(0x88, &code.to_be_bytes()), 9, false), expected);
        }
    }
}

#[test]
fn heads_that_are_wrong() {
    let cases: &[(&[u8], &str)] = &[
        // Section 5.1: not masked.
        (&[0x81, 0x01, b'a'], "! 1002"),
        // Section 5.2: a length in more bytes than it needs.
        (&[0x82, 0xfe, 0, 1, 0, 0, 0, 0, b'a'], "! 1002"),
        (&[0x82, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, b'a'], "! 1002"),
        (&[0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0], "! 1002"),
        // The highest bit of a length is 0.
        (&[0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], "! 1002"),
        (&[0x82, 0xff, 0x7f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], "! 1009"),
        // Known before its payload comes.
        (&[0x82, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0], "! 1009"),
    ];
    for (bytes, expected) in cases {
        for size in [1, 20] {
            assert_eq!(heard(bytes, size, false), *expected, "{bytes:02x?}");
        }
    }
    // Compressed, and longer than anything that inflates to a message.
    for (first, expected) in [(0xc2, "! 1009"), (0xc2 & !0x80, "! 1009")] {
        let bytes = [first, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(heard(&bytes, 20, true), expected);
    }
}

#[test]
fn no_call_is_much_work() {
    let mut compressed = Vec::new();
    compress_piece(&vec![0; LIMIT], true, &mut compressed);
    let nothing = [0, 0, 0, 0xff, 0xff].repeat(20_000);
    for payload in [compressed, nothing] {
        let mut decoder = Decoder::new(LIMIT, true);
        let mut bytes = frame(0x42, &payload);
        let mut rest = bytes.as_mut_slice();
        while !rest.is_empty() {
            let (count, event) = decoder.feed(rest).expect("is fine");
            assert!((1..=COMPRESSED_CHUNK + MAX_HEADER_LEN).contains(&count) && event.is_none());
            rest = &mut rest[count..];
        }
    }
}

#[test]
fn what_a_message_holds_is_told() {
    let mut decoder = Decoder::new(LIMIT, true);
    let mut compressed = Vec::new();
    compress_piece(&vec![0; 100_000], true, &mut compressed);
    let fed = |decoder: &mut Decoder, first, payload: &[u8]| {
        let mut bytes = frame(first, payload);
        assert_eq!(decoder.feed(&mut bytes).expect("is fine").0, bytes.len());
    };
    assert_eq!(decoder.buffered(), 0);
    fed(&mut decoder, 0x42, &compressed);
    assert!((100_000..=LIMIT).contains(&decoder.buffered()), "{}", decoder.buffered());
    fed(&mut decoder, 0x80, b"");
    assert_eq!(decoder.buffered(), 0);
}

#[test]
fn compressed_messages() {
    let compress = |message: &[u8]| {
        let mut compressed = Vec::new();
        compress_piece(message, true, &mut compressed);
        compressed
    };
    let hello = compress(b"Hello");
    let (first, rest) = hello.split_at(3);
    let bomb = compress(&vec![0; 10 << 20]);
    let not_text = compress(b"\xff");
    // Empty blocks, as many as may be, and one more.
    let most = max_compressed_len(LIMIT) as usize / 5 * 5 + 1;
    let mut nothing = [0, 0, 0, 0xff, 0xff].repeat(most / 5 + 1);
    nothing.push(0);
    let (half, other_half) = nothing.split_at(most / 2);
    check(
        &[
            (&[(0xc1, &hello)], "text Hello"),
            (&[(0x41, first), (0x80, rest)], "text Hello"),
            (&[(0x41, first), (0x89, b"p"), (0x00, rest), (0x80, b"")], "ping p, text Hello"),
            (&[(0xc1, b"")], "text "),
            // The context is not carried on.
            (&[(0xc1, &hello), (0xc1, &hello)], "text Hello, text Hello"),
            (&[(0x81, b"plain"), (0xc2, &hello)], "text plain, binary Hello"),
            // An empty message is one byte.
            (&[(0xc1, b"\x00")], "text "),
            (&[(0xc2, &bomb)], "! 1009"),
            (&[(0xc2, &nothing[..most])], "binary "),
            (&[(0xc2, &nothing)], "! 1009"),
            (&[(0x42, half), (0x80, other_half)], "! 1009"),
            (&[(0x42, half), (0x89, b"p"), (0x80, &other_half[..half.len()])], "ping p, binary "),
            // What stops within a block.
            (&[(0xc1, first)], "! 1007"),
            (&[(0xc1, &not_text)], "! 1007"),
            (&[(0xc1, b"\xff\xff\xff\xff")], "! 1007"),
            // RFC 7692 section 6.1: the bit stands on the first frame of a message.
            (&[(0x41, first), (0xc0, rest)], "! 1002"),
            (&[(0xc9, b"")], "! 1002"),
        ],
        true,
    );
}
