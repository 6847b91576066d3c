//! From the bytes of names and values to text: UTF-8 (RFC 7578 section 5.1.2)
//! unless the form or a part of it names another charset. Charsets are what
//! browsers take them for (WHATWG Encoding); what is none of its text becomes
//! U+FFFD.

use encoding_rs::{Encoding, UTF_8};

/// A charset.
#[derive(Clone, Copy, Debug)]
pub(super) struct Charset(&'static Encoding);

impl Charset {
    /// That of a form with these names and values: what its first field
    /// `_charset_` says, where it is the name of one. None is sent in UTF-16: a page in
    /// it sends UTF-8 (WHATWG Encoding, "get an output encoding").
    pub(super) fn of_form<'f>(mut fields: impl Iterator<Item = (&'f [u8], &'f [u8])>) -> Self {
        let said = fields.find(|(name, _)| *name == b"_charset_");
        Self(said.and_then(|(_, value)| labelled(value)).map_or(UTF_8, Encoding::output_encoding))
    }

    /// The one that a part names for itself, where it does.
    pub(super) fn or(self, own: Option<&str>) -> Self {
        Self(own.and_then(|label| labelled(label.as_bytes())).unwrap_or(self.0))
    }

    /// The text that the bytes are.
    pub(super) fn decode(self, bytes: Vec<u8>) -> String {
        if self.0 == UTF_8 {
            return match String::from_utf8(bytes) {
                Ok(text) => text,
                Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
            };
        }
        self.0.decode_without_bom_handling(&bytes).0.into_owned()
    }
}

fn labelled(label: &[u8]) -> Option<&'static Encoding> {
    Encoding::for_label_no_replacement(label)
}
