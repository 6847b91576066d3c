//! `multipart/form-data` (RFC 7578): the grammar is the library's, the bounds are
//! ours. The library reads a stream; it is given a slice at a time, and asked
//! until it wants the next, so that it never holds more than a few of them.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_util::Stream;
use multer::{Error, Field};

use super::spool::{Place, Spool};
use super::{Form, FormFault, Limits, Upload, within_count, within_memory};

/// What the library is given at a time, in bytes.
const SLICE: usize = 32 * 1024;

/// The longest header of a part, and the longest preamble, in bytes.
const LONGEST_HEADER: usize = 64 * 1024;

/// What the library has not taken yet.
#[derive(Default)]
struct Feed {
    slice: Option<Bytes>,
    ended: bool,
}

/// A form on its way in.
pub(crate) struct Multipart {
    parts: multer::Multipart<'static>,
    feed: Arc<Mutex<Feed>>,
    limits: Limits,
    open: Option<Open>,
    /// Bytes that were given since the last part has ended.
    between: usize,
    /// Bytes of all fields, their names included.
    field_bytes: u64,
    spool: Spool,
    form: Form,
    count: u64,
    /// Whether the last boundary has come; what follows is of no meaning (RFC 2046
    /// section 5.1.1).
    complete: bool,
}

/// A part whose bytes are coming in.
struct Open {
    source: Field<'static>,
    part: Part,
}

enum Part {
    Field(String, Vec<u8>),
    Upload(Upload),
}

impl Multipart {
    /// A form whose parts `boundary` separates.
    pub(crate) fn new(boundary: String, limits: Limits) -> Self {
        let feed = Arc::new(Mutex::new(Feed::default()));
        let taken = feed.clone();
        let stream = futures_util::stream::poll_fn(move |_| {
            let mut feed = taken.lock().unwrap_or_else(PoisonError::into_inner);
            match (feed.slice.take(), feed.ended) {
                (Some(slice), _) => Poll::Ready(Some(Ok::<_, std::io::Error>(slice))),
                (None, true) => Poll::Ready(None),
                (None, false) => Poll::Pending,
            }
        });
        Self {
            parts: multer::Multipart::new(stream, boundary),
            feed,
            limits,
            open: None,
            between: 0,
            field_bytes: 0,
            spool: Spool::new(limits.memory),
            form: Form::default(),
            count: 0,
            complete: false,
        }
    }

    /// Takes the next piece of the content.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn feed(&mut self, mut piece: Bytes) -> Result<(), FormFault> {
        while !piece.is_empty() && !self.complete {
            let slice = piece.split_to(piece.len().min(SLICE));
            if self.open.is_none() {
                self.between += slice.len();
            }
            self.give(|feed| feed.slice = Some(slice));
            self.advance()?;
            if self.open.is_none() && self.between > LONGEST_HEADER + SLICE {
                return Err(FormFault::TooLarge(format!(
                    "the header of a part is longer than {LONGEST_HEADER} bytes"
                )));
            }
        }
        Ok(())
    }

    /// The form.
    ///
    /// # Errors
    /// What is wrong with its end.
    pub(crate) fn finish(mut self) -> Result<Form, FormFault> {
        self.give(|feed| feed.ended = true);
        if !self.complete {
            self.advance()?;
        }
        if !self.complete {
            return Err(malformed(&Error::IncompleteStream));
        }
        self.form.file = self.spool.into_file();
        Ok(self.form)
    }

    fn give(&self, what: impl FnOnce(&mut Feed)) {
        what(&mut self.feed.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Reads on until the library wants more.
    fn advance(&mut self) -> Result<(), FormFault> {
        let mut context = Context::from_waker(Waker::noop());
        loop {
            let Some(open) = &mut self.open else {
                match self.parts.poll_next_field(&mut context) {
                    Poll::Pending => return Ok(()),
                    Poll::Ready(Err(error)) => return Err(malformed(&error)),
                    Poll::Ready(Ok(Some(source))) => self.begin(source)?,
                    Poll::Ready(Ok(None)) => {
                        self.complete = true;
                        return Ok(());
                    }
                }
                continue;
            };
            match Pin::new(&mut open.source).poll_next(&mut context) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Some(Err(error))) => return Err(malformed(&error)),
                Poll::Ready(Some(Ok(bytes))) => match &mut open.part {
                    Part::Upload(upload) => self.spool.write(&mut upload.place, &bytes)?,
                    Part::Field(_, value) => {
                        self.field_bytes += bytes.len() as u64;
                        within_memory(self.field_bytes, self.limits)?;
                        value.extend_from_slice(&bytes);
                    }
                },
                Poll::Ready(None) => self.end(),
            }
        }
    }

    fn begin(&mut self, source: Field<'static>) -> Result<(), FormFault> {
        self.count += 1;
        within_count(self.count, self.limits)?;
        let Some(name) = source.name() else {
            return Err(FormFault::Malformed("a part of the form has no name".into()));
        };
        let name = name.to_owned();
        let part = match source.file_name() {
            None => {
                self.field_bytes += name.len() as u64;
                within_memory(self.field_bytes, self.limits)?;
                Part::Field(name, Vec::new())
            }
            Some(filename) => {
                let text = |value: &http::HeaderValue| {
                    String::from_utf8_lossy(value.as_bytes()).into_owned()
                };
                let headers = source.headers().iter();
                Part::Upload(Upload {
                    name,
                    filename: filename.to_owned(),
                    headers: headers.map(|(name, value)| (name.to_string(), text(value))).collect(),
                    place: Place::Memory(Vec::new()),
                })
            }
        };
        self.open = Some(Open { source, part });
        Ok(())
    }

    fn end(&mut self) {
        self.between = 0;
        match self.open.take().map(|open| open.part) {
            // RFC 7578 section 5.1.2: UTF-8 unless something else is agreed on.
            Some(Part::Field(name, value)) => {
                let value = String::from_utf8_lossy(&value).into_owned();
                self.form.fields.push((name, value));
            }
            Some(Part::Upload(upload)) => self.form.uploads.push(upload),
            None => {}
        }
    }
}

fn malformed(error: &Error) -> FormFault {
    FormFault::Malformed(match error {
        Error::IncompleteStream | Error::IncompleteFieldData { .. } | Error::IncompleteHeaders => {
            "the form is malformed or ends before its last boundary".into()
        }
        other => format!("the form is malformed: {other}"),
    })
}
