//! From the bytes of a fuzzer to text that has a chance to be meant.

/// The words of a target, one for each control byte.
pub(crate) type Words = [&'static [u8]; 32];

/// The two texts that an input stands for: its very bytes, and [`spelled`].
pub(crate) fn texts(input: &[u8], words: &Words) -> [Vec<u8>; 2] {
    [input.to_vec(), spelled(input, words)]
}

/// Writes `input` with its control bytes as words: the byte 0 is the first word
/// and so on, and so are the bytes beyond ASCII by their lowest five bits. A
/// line feed and all other bytes are themselves.
///
/// So a file of a corpus is plain text, a mutation of one byte may bring a whole
/// word, and more than half of what comes at random is words.
fn spelled(input: &[u8], words: &Words) -> Vec<u8> {
    let mut text = Vec::with_capacity(input.len() * 2);
    for &byte in input {
        match byte {
            b'\n' | b' '..=0x7f => text.push(byte),
            _ => text.extend_from_slice(words[usize::from(byte & 0x1f)]),
        }
    }
    text
}
