//! Frames as a client might send them, whole and byte by byte.

use super::{Flood, Frames, PREFACE};

const END_HEADERS: u8 = 0x4;

fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short payload").to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags, 0, 0, 0, 1];
    frame.extend_from_slice(payload);
    frame
}

/// A connection whose preface has come.
fn begun() -> Frames {
    let mut frames = Frames::default();
    frames.feed(&[0; PREFACE as usize]);
    frames
}

fn after(sent: &[Vec<u8>]) -> Frames {
    let mut frames = begun();
    sent.iter().for_each(|frame| frames.feed(frame));
    frames
}

#[test]
fn a_header_block_is_a_head_from_its_first_byte_to_its_last() {
    let block = [frame(1, 0, b"abc"), frame(9, 0, b""), frame(9, END_HEADERS, b"d")].concat();
    let mut frames = begun();
    assert!(!frames.is_in_head());
    for (position, byte) in block.iter().enumerate() {
        frames.feed(&[*byte]);
        // Of the first frame's own head nothing is known before it is complete.
        let expected = position >= 8 && position + 1 < block.len();
        assert_eq!(frames.is_in_head(), expected, "behind byte {position}");
    }
    frames.feed(&block);
    assert!(!frames.is_in_head(), "and all at once");
    frames.feed(&block[..12]);
    assert!(frames.is_in_head(), "a frame that is complete is no block that is");
}

#[test]
fn a_preface_is_a_head_once_it_has_begun() {
    let mut frames = Frames::default();
    assert!(!frames.is_in_head(), "who says nothing is idle");
    frames.feed(b"PRI");
    assert!(frames.is_in_head());
    frames.feed(&[0; PREFACE as usize - 3]);
    assert!(!frames.is_in_head());
}

#[test]
fn content_and_pings_are_no_heads() {
    let mut frames = begun();
    for bytes in [frame(0, 0, b"content"), frame(6, 0, b"12345678")] {
        for byte in bytes {
            frames.feed(&[byte]);
            assert!(!frames.is_in_head());
        }
    }
}

#[test]
fn frames_that_ask_for_nothing_are_a_flood() {
    let floods: [(&str, Vec<u8>); 7] = [
        ("PING", frame(6, 0, b"12345678")),
        ("an acknowledgement of a PING that was not sent", frame(6, 1, b"12345678")),
        ("WINDOW_UPDATE", frame(8, 0, &[0, 0, 0, 1])),
        ("PRIORITY", frame(2, 0, &[0; 5])),
        ("empty DATA", frame(0, 0, b"")),
        ("CONTINUATION without content", frame(9, 0, b"")),
        ("unknown", frame(0xff, 0, b"x")),
    ];
    for (name, bytes) in floods {
        assert_eq!(after(&vec![bytes.clone(); 100]).flood(0, 0), None, "{name}");
        let many = after(&vec![bytes; 10_000]);
        assert_eq!(many.flood(0, 0), Some(Flood::IdleFrames), "{name}");
        assert_eq!(many.flood(0, 3600), None, "{name}, in an hour");
    }
}

#[test]
fn who_works_may_acknowledge_what_it_gets() {
    // A download of 1 GB: two acknowledgements for each 16 KiB.
    let acknowledged = after(&vec![frame(8, 0, &[0, 0, 64, 0]); 131_072]);
    assert_eq!(acknowledged.flood(1 << 30, 10), None);
    assert_eq!(acknowledged.flood(0, 10), Some(Flood::IdleFrames));
    // An upload in pieces of a byte.
    assert_eq!(after(&vec![frame(0, 0, b"x"); 100_000]).flood(0, 0), None);
    // An event stream: short pieces, two acknowledgements for each.
    let acknowledged = after(&vec![frame(8, 0, &[0, 0, 0, 20]); 200_000]);
    assert_eq!(acknowledged.flood(100_000 * 20, 100), None);
}

#[test]
fn who_changes_its_settings_all_the_time_is_a_flood_whatever_else_it_does() {
    let change = frame(4, 0, &[0; 6]);
    assert_eq!(after(&vec![change.clone(); 100]).flood(0, 0), None);
    let many = after(&vec![change; 200]);
    assert_eq!(many.flood(1 << 30, 99), Some(Flood::Settings));
    assert_eq!(many.flood(0, 100), None, "one each second");
    // Acknowledgements of ours change nothing.
    assert_eq!(after(&vec![frame(4, 1, b""); 1000]).flood(0, 0), None);
}

#[test]
fn who_takes_most_requests_back_is_a_flood() {
    let request = frame(1, END_HEADERS, &[0; 20]);
    let resets = [request.clone(), frame(3, 0, &[0; 4])].concat();
    assert_eq!(after(&vec![resets.clone(); 499]).flood(0, 0), None);
    assert_eq!(after(&vec![resets.clone(); 501]).flood(0, 0), Some(Flood::Resets));
    let half = [request.clone(), request, resets].concat();
    assert_eq!(after(&vec![half; 5000]).flood(0, 0), None, "most of them are answered");
}
