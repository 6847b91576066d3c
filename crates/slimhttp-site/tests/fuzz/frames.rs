//! The frames of an HTTP/2 client: what is known of them does not hang on how they
//! were cut, and is what a reader of the whole stream would say.

use slimhttp_site::http2::frames::Frames;

const PREFACE: usize = 24;
const HEAD: usize = 9;

/// The first byte says how long the pieces are, the second how much of the end is
/// missing; of the rest each three are a frame: its type, its flags, its length.
pub(crate) fn check(input: &[u8]) {
    let [pieces, missing, rest @ ..] = input else { return };
    let mut stream = vec![0; PREFACE];
    for frame in rest.chunks_exact(3) {
        let length = usize::from(frame[2]) * 3;
        let size = u32::try_from(length).expect("three times a byte").to_be_bytes();
        stream.extend_from_slice(&[size[1], size[2], size[3], frame[0] % 12, frame[1], 0, 0, 0, 1]);
        stream.resize(stream.len() + length, frame[0]);
    }
    stream.truncate(stream.len() - usize::from(*missing).min(stream.len()));

    let mut whole = Frames::default();
    whole.feed(&stream);
    let mut cut = Frames::default();
    stream.chunks(usize::from(*pieces % 16) + 1).for_each(|piece| cut.feed(piece));
    assert_eq!(format!("{cut:?}"), format!("{whole:?}"));
    assert_eq!(whole.is_in_head(), is_in_head(&stream));
    for (sent, seconds) in [(0, 0), (1, 0), (0, 1), (u64::MAX / 2, u64::MAX)] {
        let (flood, later) = (whole.flood(sent, seconds), whole.flood(sent, u64::MAX));
        assert!(flood.is_some() || later.is_none(), "time makes no flood");
    }
}

/// By all of the stream.
fn is_in_head(stream: &[u8]) -> bool {
    if stream.len() < PREFACE {
        return !stream.is_empty();
    }
    let (mut at, mut in_block) = (PREFACE, false);
    while at + HEAD <= stream.len() {
        let [a, b, c, kind, flags] = stream[at..at + 5] else { unreachable!("five bytes") };
        let end = at + HEAD + usize::from(a) * 65_536 + usize::from(b) * 256 + usize::from(c);
        let of_block = matches!(kind, 1 | 9);
        if of_block {
            in_block = flags & 4 == 0;
        }
        if end > stream.len() {
            return of_block || in_block;
        }
        at = end;
    }
    in_block
}
