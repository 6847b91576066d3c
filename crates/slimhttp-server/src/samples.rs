//! Contents of ten kinds and of many sizes, for the tests of whatever packs: what repeats itself
//! and what does not, in the mixtures that programs send. Compiled for tests alone.

use std::fmt::Write;
use std::{iter, thread};

/// The longest sample, in bytes.
pub(crate) const LONGEST: usize = 300_000;

/// Bytes in which nothing repeats itself (xorshift64).
pub(crate) fn noise() -> impl Iterator<Item = u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    })
}

/// Noise in so many letters.
fn letters(alphabet: &'static [u8]) -> impl Iterator<Item = u8> {
    noise().map(|byte| alphabet[usize::from(byte) % alphabet.len()])
}

const HEX: &[u8] = b"0123456789abcdef";
const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Every kind by its name, [`LONGEST`] bytes of it. The first bytes of a sample
/// are a sample.
pub(crate) fn kinds() -> [(&'static str, Vec<u8>); 10] {
    let bytes = |bytes: &mut dyn Iterator<Item = u8>| bytes.take(LONGEST).collect::<Vec<u8>>();
    let text = |mut text: String| {
        let mut end = LONGEST;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.into_bytes()
    };
    [
        ("one byte", vec![b'x'; LONGEST]),
        ("a period of 251", bytes(&mut (0..=250).cycle())),
        ("random bytes", bytes(&mut noise())),
        ("base64", bytes(&mut letters(BASE64))),
        ("hex", bytes(&mut letters(HEX))),
        ("words", text(words())),
        ("Greek", text(greek())),
        ("JSON", text(json())),
        ("JSON around images", text(images())),
        ("bands of noise", bytes(&mut bands())),
    ]
}

/// Checks every kind, each on a thread of its own: every size of all of them is
/// minutes of work.
pub(crate) fn each(check: impl Fn(&str, &[u8]) + Sync) {
    let check = &check;
    thread::scope(|scope| {
        for (kind, sample) in kinds() {
            scope.spawn(move || check(kind, &sample));
        }
    });
}

fn words() -> String {
    let words = ["the ", "quick ", "fox ", "jumps ", "over ", "a ", "lazy ", "dog.\n"];
    let mut text = String::new();
    let mut noise = noise();
    while text.len() < LONGEST {
        text.push_str(words[usize::from(noise.next().unwrap_or(0) % 8)]);
    }
    text
}

fn greek() -> String {
    let letters: Vec<char> = ('α'..='ω').collect();
    let mut text = String::new();
    for byte in noise() {
        if text.len() >= LONGEST {
            break;
        }
        text.push(letters.get(usize::from(byte % 32)).copied().unwrap_or(' '));
    }
    text
}

fn json() -> String {
    let mut text = "[".to_owned();
    for (number, byte) in noise().enumerate() {
        if text.len() >= LONGEST {
            break;
        }
        write!(
            text,
            r#"{{"id":{number},"name":"item {byte}","tags":["new","red"],"price":{}}},"#,
            { u32::from(byte) * 37 }
        )
        .expect("a String takes all");
    }
    text
}

fn images() -> String {
    let mut text = String::new();
    let mut pixels = letters(BASE64).map(char::from);
    while text.len() < LONGEST {
        text.push_str(r#"{"kind":"image","data":"data:image/png;base64,"#);
        text.extend(pixels.by_ref().take(20_000));
        text.push_str("\"},");
    }
    text
}

fn bands() -> impl Iterator<Item = u8> {
    noise().enumerate().map(|(at, byte)| if at / 9000 % 2 == 0 { byte } else { b'.' })
}

/// Sizes up to `most`: every small one, every one about the multiples of what
/// buffers and windows have (16 KiB), and of all others about `others`, of every
/// residue. With `SLIMHTTP_EVERY_SIZE` set in the environment, all: that is what
/// `make sizes` does.
pub(crate) fn sizes(most: usize, others: usize) -> Vec<usize> {
    if std::env::var_os("SLIMHTTP_EVERY_SIZE").is_some() {
        return (0..=most).collect();
    }
    let near = |size: &usize| *size < 80 || (size + 8) % 16_384 <= 16;
    // Odd, so that the residues of all powers of two come by.
    let stride = (most / others.max(1)).max(1) | 1;
    (0..=most).filter(|size| near(size) || size % stride == 0).collect()
}
