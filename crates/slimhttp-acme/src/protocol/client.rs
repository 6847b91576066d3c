//! The client that the library sends its requests by.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{ACCEPT_LANGUAGE, RETRY_AFTER, USER_AGENT};
use http::{HeaderValue, Method, Response, StatusCode};
use http_body_util::BodyExt;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::RetryAfter;
use crate::clock::Clock;
use crate::failure::{Failure, Problem, retry_after};
use crate::https::{Https, Repeat, Reply, Request, Url};

/// How long a directory is taken as it was read.
const DIRECTORY_AGE: Duration = Duration::from_secs(3600);
/// When to renew is asked again after so many seconds where the authority does not say when. The
/// library takes that for a fault.
const RENEWAL_AGE: &str = "21600";

/// `{}` in base64url.
const EMPTY_OBJECT: &str = "e30";

const AGENT: &str = concat!("slimHTTP/", env!("CARGO_PKG_VERSION"));

/// The directory, and when it was read.
pub(super) type DirectoryCache = Arc<Mutex<Option<(Reply, Instant)>>>;

/// A client for one use of an account.
pub(super) struct Client {
    pub(super) https: Arc<Https>,
    pub(super) directory_url: String,
    pub(super) directory: DirectoryCache,
    pub(super) seen: Seen,
}

/// What such a client has seen last. Requests of one use follow each other, so that it is the
/// response to the request that was just made.
#[derive(Clone)]
pub(super) struct Seen {
    last: Arc<Mutex<Option<Reply>>>,
    clock: Arc<dyn Clock>,
}

impl Seen {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { last: Arc::default(), clock }
    }

    /// A reply has come.
    pub(super) fn see(&self, reply: &Reply) {
        *self.last.lock() = Some(reply.clone());
    }

    /// The status of a refusal, and when the authority may be asked again.
    pub(super) fn refused(&self) -> Option<(u16, RetryAfter)> {
        let last = self.last.lock();
        let last = last.as_ref().filter(|reply| reply.status >= 400)?;
        Some((last.status, self.later(last)))
    }

    /// When the authority may be asked again.
    pub(super) fn retry_after(&self) -> RetryAfter {
        self.later(self.last.lock().as_ref()?)
    }

    fn later(&self, reply: &Reply) -> RetryAfter {
        retry_after(reply.field("retry-after")?, self.clock.now())
    }

    /// The URL of what was made.
    pub(super) fn location(&self) -> Option<String> {
        let last = self.last.lock();
        let last = last.as_ref().filter(|reply| reply.status < 400)?;
        last.field("location").map(str::to_owned)
    }

    /// The page behind the one that was read.
    pub(super) fn next_page(&self) -> Option<String> {
        next_page(self.last.lock().as_ref()?)
    }

    /// The object that was read, as it came.
    pub(super) fn object(&self) -> Option<Value> {
        let last = self.last.lock();
        let last = last.as_ref().filter(|reply| reply.status < 400)?;
        serde_json::from_slice(&last.content).ok()
    }
}

impl HttpClient for Client {
    fn request(
        &self,
        request: http::Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let (https, seen) = (Arc::clone(&self.https), self.seen.clone());
        let is_directory = request.uri() == self.directory_url.as_str();
        let cache = is_directory.then(|| Arc::clone(&self.directory));
        Box::pin(async move {
            let kept = cache.as_ref().and_then(fresh);
            let reply = match kept {
                Some(reply) => reply,
                None => {
                    let request = read(request).await?;
                    *seen.last.lock() = None;
                    let reply = https.send(&request).await;
                    let reply = reply.map_err(|failure| Error::Other(Box::new(failure)))?;
                    seen.see(&reply);
                    let reply = check(&request, reply, is_directory, &seen)?;
                    if let Some(cache) = cache {
                        *cache.lock() = Some((reply.clone(), Instant::now()));
                    }
                    reply
                }
            };
            response(reply)
        })
    }
}

/// The directory, where it was read not long ago.
fn fresh(cache: &DirectoryCache) -> Option<Reply> {
    let cache = cache.lock();
    let (reply, _) = cache.as_ref().filter(|(_, since)| since.elapsed() < DIRECTORY_AGE)?;
    Some(reply.clone())
}

/// What is to be sent.
async fn read(request: http::Request<BodyWrapper<Bytes>>) -> Result<Request, Error> {
    let (parts, body) = request.into_parts();
    let url = Url::parse(&parts.uri.to_string());
    let url = url.map_err(|failure| Error::Other(Box::new(failure)))?;
    let content = body.collect().await.map_err(|error| Error::Other(Box::new(error)))?.to_bytes();
    let mut fields = parts.headers;
    let library = fields.get(USER_AGENT).and_then(|agent| agent.to_str().ok());
    let agent = format!("{AGENT} {}", library.unwrap_or_default());
    if let Ok(agent) = HeaderValue::from_str(agent.trim_end()) {
        fields.insert(USER_AGENT, agent);
    }
    fields.insert(ACCEPT_LANGUAGE, HeaderValue::from_static("en"));
    let repeat =
        if is_harmless(&parts.method, &content) { Repeat::Harmless } else { Repeat::Never };
    Ok(Request { method: parts.method, url, fields, content, repeat })
}

/// Whether a request may be sent twice: one that only reads, whose payload is empty (RFC 8555
/// section 6.3), and the answer to a challenge, whose payload is an empty object (section 7.5.1).
pub(super) fn is_harmless(method: &Method, content: &[u8]) -> bool {
    if *method != Method::POST {
        return true;
    }
    let signed = serde_json::from_slice::<Value>(content).ok();
    let payload = signed.as_ref().and_then(|signed| signed.get("payload")?.as_str());
    payload.is_some_and(|payload| payload.is_empty() || payload == EMPTY_OBJECT)
}

/// What the library is given of a reply: it looks for a document in every refusal of a signed
/// request, and for none in others.
pub(super) fn check(
    request: &Request,
    mut reply: Reply,
    is_directory: bool,
    seen: &Seen,
) -> Result<Reply, Error> {
    let is_refusal = reply.status >= 400;
    let document = serde_json::from_slice::<Value>(&reply.content).ok();
    let is_problem = document.is_some_and(|document| document.get("type").is_some());
    if is_refusal && request.method != Method::POST {
        let document = serde_json::from_slice::<instant_acme::Problem>(&reply.content).ok();
        let problem = match document.filter(|_| is_problem) {
            Some(document) => Problem::from(&document),
            None => Problem::of_status(reply.status),
        };
        let problem = problem.of_response(reply.status, seen.retry_after());
        let what = if is_directory { "its directory" } else { "a question" };
        return Err(Error::Other(Box::new(Failure::Refused(what, Box::new(problem)))));
    }
    if is_refusal && !is_problem {
        reply.content = json!({"type": format!("status {}", reply.status)}).to_string().into();
    }
    if request.method == Method::GET && !is_directory && seen.retry_after().is_none() {
        reply.fields.insert(RETRY_AFTER, HeaderValue::from_static(RENEWAL_AGE));
    }
    Ok(reply)
}

fn response(reply: Reply) -> Result<BytesResponse, Error> {
    let mut response = Response::new(());
    *response.status_mut() =
        StatusCode::from_u16(reply.status).map_err(|_| Error::Str("a status that there is"))?;
    *response.headers_mut() = reply.fields;
    let (parts, ()) = response.into_parts();
    Ok(BytesResponse { parts, body: Box::new(reply.content) })
}

/// The page that a `Link` field with the relation `next` names (RFC 8288).
pub(super) fn next_page(reply: &Reply) -> Option<String> {
    let links = reply.fields.get_all("link").iter().filter_map(|link| link.to_str().ok());
    let mut links = links.flat_map(|link| link.split(','));
    links.find_map(|link| {
        let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let relation = |parameter: &str| matches!(parameter.trim(), "rel=\"next\"" | "rel=next");
        parameters.split(';').any(relation).then(|| target.to_owned())
    })
}
