//! The header section of a part: its fields, and what they say of it.
//!
//! Fields are read as RFC 5322 has them, continued lines too, which mail programs
//! write; their values may be of any bytes but NUL and line breaks, because
//! browsers write names in the encoding of the page (WHATWG HTML, multipart form
//! data).

use http::HeaderName;

use super::MultipartError;
use super::disposition::{Disposition, Name};
use crate::protocol::media_type;

/// The most header fields of a part: clients write two or three.
const MOST_FIELDS: usize = 16;

/// A part, before its content.
#[derive(Debug, PartialEq, Eq)]
pub struct Part {
    /// The name of its field.
    pub name: Name,
    /// The name of the file, where it is an upload. Whether it is one is said by
    /// this parameter alone, in whichever form (RFC 7578 section 4.2).
    pub filename: Option<Name>,
    /// The charset that its content type names (RFC 7578 section 4.5).
    pub charset: Option<String>,
    /// Its header fields in order, their names in lower case.
    pub fields: Vec<(String, Vec<u8>)>,
}

impl Part {
    /// Reads a header section, without the blank line that ends it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(section: &[u8]) -> Result<Self, MultipartError> {
        let fields = fields(section)?;
        let mut dispositions = fields.iter().filter(|(name, _)| name == "content-disposition");
        let disposition = dispositions.next().map(|(_, value)| Disposition::parse(value));
        if dispositions.next().is_some() {
            return Err(MultipartError::Header("a part has two fields `Content-Disposition`"));
        }
        let Some(Disposition { name: Some(name), filename }) = disposition else {
            return Err(MultipartError::Nameless);
        };
        let charset =
            fields.iter().find(|(name, _)| name == "content-type").and_then(|(_, kind)| {
                let kind = str::from_utf8(kind).ok()?;
                media_type::parameter(kind, "charset").map(|charset| charset.into_owned())
            });
        Ok(Self { name, filename, charset, fields })
    }
}

fn fields(section: &[u8]) -> Result<Vec<(String, Vec<u8>)>, MultipartError> {
    let mut fields: Vec<(String, Vec<u8>)> = Vec::new();
    if section.is_empty() {
        return Ok(fields);
    }
    let mut rest = section;
    loop {
        let end = memchr::memmem::find(rest, b"\r\n");
        let line = &rest[..end.unwrap_or(rest.len())];
        if memchr::memchr3(b'\r', b'\n', 0, line).is_some() {
            return Err(MultipartError::Header(
                "the header of a part has a stray line break or NUL",
            ));
        }
        match (line.first(), fields.last_mut()) {
            // RFC 5322 section 2.2.3: a field that is continued.
            (Some(b' ' | b'\t'), Some((_, value))) => value.extend_from_slice(line),
            _ => {
                if fields.len() == MOST_FIELDS {
                    return Err(MultipartError::ManyFields(MOST_FIELDS));
                }
                fields.push(field(line)?);
            }
        }
        match end {
            Some(end) => rest = &rest[end + 2..],
            None => break,
        }
    }
    for (_, value) in &mut fields {
        *value = value.trim_ascii().to_vec();
    }
    Ok(fields)
}

fn field(line: &[u8]) -> Result<(String, Vec<u8>), MultipartError> {
    let colon = memchr::memchr(b':', line);
    let colon =
        colon.ok_or(MultipartError::Header("a line in the header of a part is no field"))?;
    let name = HeaderName::from_bytes(&line[..colon]).map_err(|_| {
        MultipartError::Header("a field in the header of a part has no proper name")
    })?;
    Ok((name.as_str().to_owned(), line[colon + 1..].to_vec()))
}

#[cfg(test)]
mod tests;
