//! A connection to an upstream that has answered 101: from there on its bytes are no HTTP (RFC
//! 9110 section 7.8), and no time-outs hold but those of its two ends.

use std::io;

use http::Response;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::upstream::response_body::UpstreamBody;

/// What the connection of a 101 becomes.
pub(crate) struct UpstreamUpgrade(hyper::upgrade::OnUpgrade);

impl UpstreamUpgrade {
    /// That of the response, which is a 101.
    pub(crate) fn of(response: &mut Response<UpstreamBody>) -> Self {
        if let Some(control) = response.body_mut().take_control() {
            control.disable_timeout();
        }
        Self(hyper::upgrade::on(response))
    }

    /// The bytes of the connection, both ways.
    ///
    /// # Errors
    /// It ended before.
    pub(crate) async fn upgraded(self) -> io::Result<impl AsyncRead + AsyncWrite + Unpin + Send> {
        self.0.await.map(TokioIo::new).map_err(io::Error::other)
    }
}
