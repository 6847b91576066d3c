//! Distinguished names as text (RFC 4514): whom a certificate is for, and who has signed it.

use std::fmt::Write as _;

use x509_parser::prelude::{AttributeTypeAndValue, X509Name};

/// The short names of attributes: those of RFC 4514 section 3, and what OpenSSL and mod_ssl call
/// others in use.
const SHORT: [(&str, &str); 13] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.4", "SN"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "STREET"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.42", "GN"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
];

/// A name as RFC 4514 writes it: the most specific part first, `CN=shop,O=Us\, Inc.,C=SE`.
pub(crate) fn distinguished_name(name: &X509Name<'_>) -> String {
    let sets: Vec<_> = name.iter_rdn().collect();
    let mut text = String::new();
    for (number, set) in sets.into_iter().rev().enumerate() {
        for (place, attribute) in set.iter().enumerate() {
            match (number, place) {
                (0, 0) => {}
                (_, 0) => text.push(','),
                _ => text.push('+'),
            }
            write_attribute(&mut text, attribute);
        }
    }
    text
}

/// The attributes of a name, with their short names and values.
pub(crate) fn attributes<'n>(
    name: &'n X509Name<'n>,
) -> impl Iterator<Item = (String, String)> + use<'n> {
    name.iter_attributes().filter_map(|attribute| {
        let kind = kind(attribute);
        attribute.as_str().ok().map(|value| (kind, value.to_owned()))
    })
}

/// The short name, or the numbers of an attribute that has none.
fn kind(attribute: &AttributeTypeAndValue<'_>) -> String {
    let number = attribute.attr_type().to_id_string();
    let short = SHORT.iter().find(|(known, _)| *known == number);
    short.map_or(number, |(_, short)| (*short).to_owned())
}

fn write_attribute(text: &mut String, attribute: &AttributeTypeAndValue<'_>) {
    let _ = write!(text, "{}=", kind(attribute));
    match attribute.as_str() {
        Ok(value) => escape(text, value),
        // RFC 4514 section 2.4: what is no text, by its bytes.
        Err(_) => {
            text.push('#');
            for byte in attribute.attr_value().data {
                let _ = write!(text, "{byte:02x}");
            }
        }
    }
}

/// Writes a value, RFC 4514 section 2.4.
fn escape(text: &mut String, value: &str) {
    let last = value.chars().count().saturating_sub(1);
    for (place, character) in value.chars().enumerate() {
        match character {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => {
                text.push('\\');
                text.push(character);
            }
            '#' if place == 0 => text.push_str("\\#"),
            ' ' if place == 0 || place == last => text.push_str("\\ "),
            '\0' => text.push_str("\\00"),
            // None of these is read as anything but itself, but a log or an environment takes
            // it badly.
            control if control.is_control() => {
                let mut bytes = [0; 4];
                for byte in control.encode_utf8(&mut bytes).bytes() {
                    let _ = write!(text, "\\{byte:02X}");
                }
            }
            character => text.push(character),
        }
    }
}

#[cfg(test)]
mod tests;
