//! What a handler has answered, in a content coding where the client takes that. What is
//! decided, and what the head then says, is in [`slimhttp_site::answer_coding`].
//!
//! A short content that is in memory is compressed at once, on the I/O thread; every other one
//! as it is sent, see [`CodedBody`], of which there are so many at a time as `max_encoders` says.

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{Method, Response};
use http_body::Body as _;
use slimhttp_site::answer_coding::{is_event_stream, negotiate, put_coding};
use slimhttp_site::coding::Coding;
use slimhttp_site::file_rules::Compress;

use crate::exchange::actions::Exchange;
use crate::message::body::Body;
use crate::message::coded_body::CodedBody;
use crate::message::encoder::{self, Encoder};

/// A content up to this length is compressed at once: less than half a millisecond of work.
const AT_ONCE: usize = 32 * 1024;

impl Exchange<'_> {
    /// Compresses the answer of a handler, if its scope and its client have that done.
    pub(super) fn put_in_coding(&self, response: &mut Response<Body>) {
        let Some(compress) = self.scope.options.files.compress.as_deref() else { return };
        // Most answers are short, and look up no field.
        if matches!(response.body(), Body::Full(content) if is_short(content, compress)) {
            return;
        }
        let Known::Length(length) = known_length(response, self.method()) else { return };
        let (status, request) = (response.status(), self.headers());
        let coding = negotiate(compress, request, status, response.headers_mut(), length);
        let Some(coding) = coding else { return };
        match std::mem::take(response.body_mut()) {
            Body::Full(content) if content.len() <= AT_ONCE => {
                let coded = encoded(coding, &content).map(|coded| self.held(coded));
                if coded.is_some() {
                    put_coding(coding, response.headers_mut());
                }
                *response.body_mut() = Body::Full(coded.unwrap_or(content));
            }
            source => {
                *response.body_mut() = source;
                self.put_in_coding_as_sent(response, coding, length, compress.max_encoders);
            }
        }
    }

    /// Lets the content be compressed as it is sent, unless so many are already.
    fn put_in_coding_as_sent(
        &self,
        response: &mut Response<Body>,
        coding: Coding,
        length: Option<u64>,
        most: usize,
    ) {
        let Some(permit) = self.connection.shared.encoders.acquire(most) else {
            tracing::debug!("an answer is not compressed: {most} are already");
            return;
        };
        if *self.method() == Method::HEAD {
            // What a GET would get, as far as is known before it is made.
            put_coding(coding, response.headers_mut());
            *response.body_mut() = Body::Omitted;
            return;
        }
        let Ok(encoder) = Encoder::new(coding, None).inspect_err(log) else { return };
        put_coding(coding, response.headers_mut());
        let by_piece = is_event_stream(response.headers());
        let source = std::mem::take(response.body_mut());
        let body = CodedBody::new(source, length, encoder, by_piece, permit);
        *response.body_mut() = Body::stream(body);
    }

    /// A content in memory, which counts for the connection as what the handler has made did.
    fn held(&self, content: Vec<u8>) -> Bytes {
        match self.connection.state.unsent_answers() {
            Some(answers) => answers.hold(content.into()),
            None => content.into(),
        }
    }
}

fn is_short(content: &Bytes, compress: &Compress) -> bool {
    (content.len() as u64) < compress.min_size
}

/// What is known of how long the content of an answer is.
enum Known {
    /// This, where anything is.
    Length(Option<u64>),
    /// What its head says is not so, or it is not ours to compress.
    Otherwise,
}

fn known_length(response: &Response<Body>, method: &Method) -> Known {
    let body = response.body();
    let counted = match body {
        // What a handler answers to HEAD may say a length, and have nothing.
        Body::Empty if *method == Method::HEAD => None,
        Body::Empty | Body::Full(_) | Body::Stream(_) => body.size_hint().exact(),
        Body::Omitted | Body::File(_) | Body::Socket(_) => return Known::Otherwise,
    };
    let announced = match response.headers().get(CONTENT_LENGTH) {
        None if matches!(body, Body::Empty) => Some(0),
        None => return Known::Length(counted),
        Some(announced) => announced.to_str().ok().and_then(|length| length.parse().ok()),
    };
    match (announced, counted) {
        (None, _) => Known::Otherwise,
        (Some(announced), Some(counted)) if announced != counted => Known::Otherwise,
        (announced, _) => Known::Length(announced),
    }
}

/// A short content in a coding, where that makes it shorter.
fn encoded(coding: Coding, content: &[u8]) -> Option<Vec<u8>> {
    let coded = encoder::encode(coding, content).inspect_err(log).ok()?;
    (coded.len() < content.len()).then_some(coded)
}

fn log(error: &std::io::Error) {
    tracing::error!("an answer could not be compressed: {error}");
}

#[cfg(test)]
mod tests;
