//! The 101 that opens a WebSocket. Pure: made of what the site has negotiated.

use http::header::{
    CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_PROTOCOL, UPGRADE,
};
use http::{HeaderMap, Response, StatusCode};
use slimhttp_site::websocket::{Deflate, Handshake};
use tungstenite::handshake::derive_accept_key;

use crate::message::body::Body;

/// The response that accepts a handshake (RFC 6455 section 4.2.2), with these fields beside.
pub(super) fn accepted(handshake: &Handshake, fields: HeaderMap) -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *response.headers_mut() = fields;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    let Handshake { key, subprotocol, deflate } = handshake;
    // Base64 is a field value.
    if let Ok(accept) = HeaderValue::try_from(derive_accept_key(key.as_bytes())) {
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    // The client has sent it in a field value.
    if let Some(Ok(protocol)) = subprotocol.as_deref().map(HeaderValue::from_str) {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    if let Some(agreed) = deflate.map(Deflate::field) {
        headers.insert(SEC_WEBSOCKET_EXTENSIONS, agreed);
    }
    response
}
