//! Connections to upstreams in memory, for unit tests.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use parking_lot::Mutex;
use slimhttp_http1::Limits;
use slimhttp_site::site::Upstream;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use crate::message::request_body::RequestBody;
use crate::sys::descriptors::UpstreamDescriptor;
use crate::upstream::connection::{Place, UpstreamConnection};
use crate::upstream::error::UpstreamError;
use crate::upstream::group::UpstreamGroup;
use crate::upstream::pool::Idling;
use crate::upstream::request_body::ForwardedBody;
use crate::upstream::send::{Terms, UpstreamContent, UpstreamRequest, send};
use crate::upstream::socket::UpstreamSocket;

/// How long an upstream of these tests may be silent.
pub(crate) const SILENCE: Duration = Duration::from_secs(60);

/// How long a client may pause.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(20);

/// What upstreams may take.
pub(crate) const TERMS: Terms = Terms {
    limits: Limits { max_head: 4096, max_fields: 10, max_target: usize::MAX },
    silence: SILENCE,
    idling: Idling { max: 2, timeout: Duration::from_secs(30) },
};

/// A group of two upstreams.
pub(crate) fn group() -> Arc<UpstreamGroup> {
    let upstream = |port| Upstream { tls: false, host: "app".into(), port };
    Arc::new(UpstreamGroup::new(vec![upstream(1), upstream(2)]))
}

/// Our end of a connection to the first upstream of a group, and the upstream's, between which
/// there is room for so many bytes.
pub(crate) fn connection_of(
    group: &Arc<UpstreamGroup>,
    room: usize,
) -> (Box<UpstreamConnection>, DuplexStream) {
    let (ours, theirs) = tokio::io::duplex(room);
    let descriptor = UpstreamDescriptor::take().expect("tests open few files");
    let place = Place::new(group, 0);
    (UpstreamConnection::new(UpstreamSocket::Memory(ours), place, descriptor), theirs)
}

/// The body of a request without content, or with all of it.
pub(crate) fn collected(content: &'static str) -> ForwardedBody {
    let body = RequestBody::Collected(Bytes::from_static(content.as_bytes()));
    ForwardedBody::new(body, u64::MAX, BODY_TIMEOUT)
}

/// A request, and the interim responses that have come.
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) fields: HeaderMap,
    pub(crate) interim: Mutex<Vec<StatusCode>>,
}

impl Asked {
    /// For `/`, with these fields beside `Host`.
    pub(crate) fn new(method: Method, fields: &[(&'static str, &'static str)]) -> Self {
        let fields = [("host", "a.example")].iter().chain(fields);
        let fields = fields
            .map(|&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        Self { method, fields: fields.collect(), interim: Mutex::default() }
    }

    pub(crate) async fn send(
        &self,
        connection: Box<UpstreamConnection>,
        body: &mut ForwardedBody,
    ) -> Result<Response<UpstreamContent>, UpstreamError> {
        let request = UpstreamRequest {
            method: &self.method,
            target: "/",
            fields: &self.fields,
            on_interim: &|interim| self.interim.lock().push(interim.status),
        };
        send(connection, request, body, TERMS).await
    }
}

/// The response to `GET /` on a new connection of `group`, where the upstream sends `response` at
/// once and then nothing; and its end of the connection.
pub(crate) async fn answered(
    group: &Arc<UpstreamGroup>,
    response: &str,
) -> (Result<Response<UpstreamContent>, UpstreamError>, DuplexStream) {
    let (connection, mut upstream) = connection_of(group, 1 << 20);
    upstream.write_all(response.as_bytes()).await.expect("has room");
    let asked = Asked::new(Method::GET, &[]);
    (asked.send(connection, &mut collected("")).await, upstream)
}

/// What an upstream gets until it has all of `end`.
pub(crate) async fn read_until(upstream: &mut DuplexStream, end: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(end) {
        let mut bytes = [0; 1];
        let read = upstream.read(&mut bytes).await.expect("is a pipe");
        assert_eq!(read, 1, "it ends early: {text}");
        text.push(char::from(bytes[0]));
    }
    text
}
