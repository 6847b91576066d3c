//! Messages as bytes. What is written is a valid message: names, values, methods and statuses
//! are valid by their types, and the framing is the engine's own.

use http::{HeaderMap, HeaderValue, StatusCode};

/// What stands around a piece of content: the size of a chunk and its end, or nothing.
#[derive(Clone, Copy, Debug)]
pub struct DataFrame {}

impl DataFrame {
    /// What goes before the piece.
    pub fn before(&self) -> &[u8] {
        todo!()
    }

    /// What goes behind it.
    pub fn behind(&self) -> &'static [u8] {
        todo!()
    }
}

/// The head of a final response that is sent more than once, but for its `Date` and its end:
/// on a connection of HTTP/1.1 that stays, with content of a known length, or none.
#[derive(Clone, Debug)]
pub struct PreparedHead {}

impl PreparedHead {
    /// `length` is that of the content; what `fields` say of framing and of the connection is
    /// left out, and so is their `Date`. `None` where the response cannot be sent on any
    /// connection: its fields say `Connection`.
    pub fn new(_status: StatusCode, _fields: &HeaderMap, _length: Option<u64>) -> Option<Self> {
        todo!()
    }

    /// How many bytes it holds.
    pub fn len(&self) -> usize {
        todo!()
    }
}

#[expect(dead_code, reason = "written next")]
fn write_date(_out: &mut Vec<u8>, _date: &HeaderValue) {}
