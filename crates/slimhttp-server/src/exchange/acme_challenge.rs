//! What an authority asks for who looks whether a name leads here (http-01, RFC 8555 section 8.3).
//! It comes by plain HTTP to port 80, whatever the site says of that, so it is answered before
//! anything that the site decides. A token that nobody here has presented is the site's to answer.

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Response, Uri};
use slimhttp_acme::Challenges;
use slimhttp_site::plan::Security;

use crate::context::connection::ConnectionContext;
use crate::message::body::Body;

/// Below which an authority asks.
const PREFIX: &str = "/.well-known/acme-challenge/";

/// The token that a request asks for, if it may be an authority's.
pub(super) fn token<'u>(
    connection: &ConnectionContext,
    method: &Method,
    uri: &'u Uri,
) -> Option<&'u str> {
    let token = uri.path().strip_prefix(PREFIX)?;
    let is_reading = matches!(*method, Method::GET | Method::HEAD);
    (is_reading && connection.security == Security::Plain && Challenges::is_token(token))
        .then_some(token)
}

/// The answer to a token that this process has presented, or another one with the same storage.
/// Looks at the disk, on a blocking thread.
pub(super) async fn answer(connection: &ConnectionContext, token: &str) -> Option<Response<Body>> {
    let challenges = connection.shared.live.obtaining().challenges()?;
    let presented = match challenges.http01(token) {
        Some(presented) => presented.to_string(),
        None => {
            let token = token.to_owned();
            let stored = move || challenges.stored_http01(&token);
            tokio::task::spawn_blocking(stored).await.ok().flatten()?
        }
    };
    let mut response = Response::new(Body::from(presented));
    let octets = HeaderValue::from_static("application/octet-stream");
    response.headers_mut().insert(CONTENT_TYPE, octets);
    Some(response)
}
