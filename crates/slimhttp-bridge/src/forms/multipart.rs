//! Multipart forms: the parts of `slimhttp_site::multipart` become fields and
//! uploads, within bounds.
//!
//! What they are called and what fields hold stays bytes until the form is
//! complete: a field `_charset_` may say at any place what all of it is in (RFC
//! 7578 section 4.6).

use bytes::Bytes;
use slimhttp_site::multipart::{Event, MultipartError, Name, Part, Reader};

use super::charset::Charset;
use super::fault::FormFault;
use super::form::{Form, Limits, Upload, within_count, within_memory};
use super::spool::{Spool, UploadData};

/// The longest header section of a part, in bytes, where `form_memory` is no less.
const LONGEST_HEADER: u64 = 64 * 1024;

/// A form on its way in.
pub struct Multipart {
    reader: Reader,
    collected: Collected,
}

/// What has come of it.
struct Collected {
    limits: Limits,
    /// Bytes of memory that all texts take: names and values of fields, and of
    /// uploads the names and the header fields.
    text_bytes: u64,
    spool: Spool,
    fields: Vec<RawField>,
    uploads: Vec<RawUpload>,
    /// Whether the part that comes in is the last of `uploads`, else it is the last
    /// of `fields`.
    in_upload: bool,
}

struct RawField {
    name: Name,
    value: Vec<u8>,
    charset: Option<String>,
}

struct RawUpload {
    name: Name,
    filename: Name,
    headers: Vec<(String, Vec<u8>)>,
    data: UploadData,
}

impl Multipart {
    /// A form whose parts `boundary` separates.
    pub fn new(boundary: &str, limits: Limits) -> Self {
        let longest = usize::try_from(limits.memory.min(LONGEST_HEADER));
        Self {
            reader: Reader::new(boundary, longest.expect("64 KiB are a size")),
            collected: Collected {
                limits,
                text_bytes: 0,
                spool: Spool::new(limits.memory),
                fields: Vec::new(),
                uploads: Vec::new(),
                in_upload: false,
            },
        }
    }

    /// Takes the next piece of the content.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn feed(&mut self, piece: &Bytes) -> Result<(), FormFault> {
        let Self { reader, collected } = self;
        reader.feed(piece, |event| match event {
            Event::Part(part) => collected.begin(part),
            Event::Data(data) => collected.add(data),
            Event::End => Ok(()),
        })
    }

    /// The form.
    ///
    /// # Errors
    /// What is wrong with its end.
    pub fn finish(self) -> Result<Form, FormFault> {
        self.reader.finish()?;
        self.collected.into_form()
    }
}

impl Collected {
    fn begin(&mut self, part: Part) -> Result<(), FormFault> {
        within_count((self.fields.len() + self.uploads.len()) as u64 + 1, self.limits)?;
        let Part { name, filename, charset, fields: headers } = part;
        self.in_upload = filename.is_some();
        let Some(filename) = filename else {
            self.count(name.bytes.len())?;
            self.fields.push(RawField { name, value: Vec::new(), charset });
            return Ok(());
        };
        let of_headers: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        self.count(name.bytes.len() + filename.bytes.len() + of_headers)?;
        self.uploads.push(RawUpload { name, filename, headers, data: UploadData::default() });
        Ok(())
    }

    fn add(&mut self, data: &[u8]) -> Result<(), FormFault> {
        if self.in_upload {
            let upload = self.uploads.last_mut().expect("data comes behind its part");
            return self.spool.write(&mut upload.data, data);
        }
        self.count(data.len())?;
        let field = self.fields.last_mut().expect("data comes behind its part");
        field.value.extend_from_slice(data);
        Ok(())
    }

    fn count(&mut self, bytes: usize) -> Result<(), FormFault> {
        self.text_bytes += bytes as u64;
        within_memory(self.text_bytes, self.limits)
    }

    fn into_form(self) -> Result<Form, FormFault> {
        let charset = Charset::of_form(
            self.fields.iter().map(|field| (field.name.bytes.as_slice(), field.value.as_slice())),
        );
        let name_of = |name: Name| charset.or(name.charset.as_deref()).decode(name.bytes);
        let mut form = Form::default();
        // A text may be longer than its bytes were: U+FFFD is three.
        let mut text_bytes = 0;
        let mut count = |text: &str| {
            text_bytes += text.len() as u64;
            within_memory(text_bytes, self.limits)
        };
        for RawField { name, value, charset: own } in self.fields {
            let field = (name_of(name), charset.or(own.as_deref()).decode(value));
            count(&field.0)?;
            count(&field.1)?;
            form.fields.push(field);
        }
        for RawUpload { name, filename, headers, data } in self.uploads {
            let headers: Vec<(String, String)> =
                headers.into_iter().map(|(name, value)| (name, charset.decode(value))).collect();
            let upload = Upload { name: name_of(name), filename: name_of(filename), headers, data };
            count(&upload.name)?;
            count(&upload.filename)?;
            for (name, value) in &upload.headers {
                count(name)?;
                count(value)?;
            }
            form.uploads.push(upload);
        }
        form.file = self.spool.into_file();
        Ok(form)
    }
}

impl From<MultipartError> for FormFault {
    fn from(fault: MultipartError) -> Self {
        if fault.is_bound() {
            Self::TooLarge(fault.to_string())
        } else {
            Self::Malformed(fault.to_string())
        }
    }
}
