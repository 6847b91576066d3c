//! Character classes of the grammar of HTTP/1: one table, one bit for each class.

/// `tchar`, what methods and field names are made of (RFC 9110 section 5.6.2).
pub(crate) const TOKEN: u8 = 1 << 0;
/// What a field value may hold: everything but control bytes, and HTAB (RFC
/// 9110 section 5.5).
pub(crate) const VALUE: u8 = 1 << 1;
/// What the path of a target may hold, its `/` included. RFC 3986 and a few
/// more that browsers send unencoded: all that the `http` crate reads, but
/// nothing beyond ASCII and no fragment.
pub(crate) const PATH: u8 = 1 << 2;
/// The same for a query, its `?` included.
pub(crate) const QUERY: u8 = 1 << 3;
/// What `uri-host [ ":" port ]` may hold (RFC 3986 section 3.2), percent-encoding
/// excepted. No `@`: RFC 9110 section 4.2.4 calls userinfo an error.
pub(crate) const AUTHORITY: u8 = 1 << 4;
/// `HEXDIG`.
pub(crate) const HEX: u8 = 1 << 5;
/// What stands unescaped within a quoted string (RFC 9110 section 5.6.4).
pub(crate) const QUOTED: u8 = 1 << 6;

const CLASSES: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = classes_of(byte as u8);
        byte += 1;
    }
    table
};

const fn classes_of(byte: u8) -> u8 {
    let mut classes = 0;
    if byte.is_ascii_alphanumeric() {
        classes |= TOKEN | AUTHORITY;
    }
    if byte.is_ascii_hexdigit() {
        classes |= HEX;
    }
    match byte {
        b'!' | b'$' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'_' | b'~' => {
            classes |= TOKEN | AUTHORITY;
        }
        b'#' | b'%' | b'^' | b'`' | b'|' => classes |= TOKEN,
        b'(' | b')' | b',' | b';' | b'=' | b':' | b'[' | b']' => classes |= AUTHORITY,
        _ => {}
    }
    if !is_control(byte) {
        classes |= VALUE;
        if !matches!(byte, b'"' | b'\\') {
            classes |= QUOTED;
        }
    }
    if byte.is_ascii_graphic() {
        if !matches!(byte, b'#' | b'<' | b'>' | b'`' | b'?') {
            classes |= PATH;
        }
        if !matches!(byte, b'#' | b'<' | b'>' | b'"') {
            classes |= QUERY;
        }
    }
    classes
}

const fn is_control(byte: u8) -> bool {
    (byte < b' ' && byte != b'\t') | (byte == 0x7f)
}

/// Whether `byte` is of `class`.
pub(crate) fn is(byte: u8, class: u8) -> bool {
    CLASSES[usize::from(byte)] & class != 0
}

/// How many bytes at the beginning are of `class`.
pub(crate) fn run(bytes: &[u8], class: u8) -> usize {
    bytes.iter().position(|&byte| !is(byte, class)).unwrap_or(bytes.len())
}

/// [`run`] of [`VALUE`], for values are what a head is long by: eight bytes at once.
pub(crate) fn value_run(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(word) = bytes.get(at..at + 8) {
        let word = u64::from_le_bytes(word.try_into().expect("eight bytes"));
        let found = controls(word);
        if found == 0 {
            at += 8;
            continue;
        }
        at += found.trailing_zeros() as usize / 8;
        if bytes[at] != b'\t' {
            return at;
        }
        at += 1;
    }
    at + run(&bytes[at..], VALUE)
}

/// The highest bit of the first byte of `word` that is a control byte, HTAB included, and maybe of
/// bytes behind it.
const fn controls(word: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGHS: u64 = ONES << 7;
    let below_space = word.wrapping_sub(ONES * 0x20) & !word;
    let is_delete = word ^ (ONES * 0x7f);
    let delete = is_delete.wrapping_sub(ONES) & !is_delete;
    (below_space | delete) & HIGHS
}

/// `bytes` without the spaces and tabs around them (OWS, RFC 9110 section 5.6.3).
pub(crate) fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

#[cfg(test)]
mod tests;
