//! What the tests of several files share.

use std::os::unix::net::UnixStream;
use std::sync::{Arc, OnceLock};

use slimhttp_server::{ConnectionHandle, Request};
use slimhttp_site::compile::{CompileEnv, PathKind, Routes, compile};
use slimhttp_site::config::Config;
use slimhttp_site::listener::{Endpoint, FirstListener};

use crate::bridge::Bridge;

/// `GET path` at the global level of an empty configuration.
pub(crate) fn request(path: &str) -> Arc<Request> {
    let listener = FirstListener {
        endpoint: Endpoint::tcp("", 80),
        tls: false,
        is_listed: false,
        bound: Vec::new(),
        port: 80,
    };
    let world = CompileEnv {
        base: "/".into(),
        resolve_anew: false,
        listener: &listener,
        python: true,
        look: &|_| PathKind::Folder,
        local_site: &|_, _| None,
        processors: 1,
        memory: None,
    };
    let site = compile(&Config::default(), &Routes::default(), &world, None).expect("is valid");
    Arc::new(Request {
        method: http::Method::GET,
        uri: path.parse().expect("is a target"),
        version: http::Version::HTTP_11,
        headers: http::HeaderMap::new(),
        path: path.into(),
        body: bytes::Bytes::new().into(),
        peer: ([127, 0, 0, 1], 1).into(),
        local: ([127, 0, 0, 1], 80).into(),
        tls: false,
        tls_session: None,
        scope: site.global.clone(),
        connection: ConnectionHandle::default(),
        connection_data: None,
        handler_data: OnceLock::new(),
    })
}

/// A bridge without a watchdog, and the socket that one would read.
pub(crate) fn bridge() -> (Arc<Bridge>, UnixStream) {
    let (wake_tx, wake_rx) = UnixStream::pair().expect("has descriptors");
    wake_tx.set_nonblocking(true).expect("is a socket");
    wake_rx.set_nonblocking(true).expect("is a socket");
    (Arc::new(Bridge::new(wake_tx)), wake_rx)
}
