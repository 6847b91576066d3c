//! Which characters of a text that somebody else has written are printed as they are,
//! and how the others are escaped. A terminal acts upon some characters, others end a
//! line, turn the direction of what follows, or are invisible, so that a text looks like
//! another one. They are escaped wherever a person reads what a client has sent: in the
//! log, in faults of a configuration.
//!
//! `python/slimHTTP/_log/_escape.py` is the same rule for Python's logging, and
//! `tests/data/harmless.toml` is what both are held against.

use std::fmt;

#[cfg(test)]
mod tests;

/// Whether a character may be printed as it is: letters and marks of whatever writing, blanks,
/// the tab. No control, nothing that ends a line, turns the writing (Unicode's
/// bidirectional controls) or hides.
pub fn is_printable(character: char) -> bool {
    let hides = matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}');
    character == '\t' || (!character.is_control() && !hides)
}

/// A character, escaped as Python does: `\r`, `\x1b`, `\u202e`, `\U000e0041`.
#[derive(Clone, Copy, Debug)]
pub struct Escaped(pub char);

impl fmt::Display for Escaped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            '\t' => f.write_str("\\t"),
            '\n' => f.write_str("\\n"),
            '\r' => f.write_str("\\r"),
            other => match u32::from(other) {
                code @ ..=0xff => write!(f, "\\x{code:02x}"),
                code @ ..=0xffff => write!(f, "\\u{code:04x}"),
                code => write!(f, "\\U{code:08x}"),
            },
        }
    }
}
