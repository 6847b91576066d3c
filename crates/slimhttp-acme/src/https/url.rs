//! URLs of an authority, which gives all but the first one itself.

use http::Uri;
use http::uri::Authority;

use crate::failure::{Failure, told};

/// The longest URL.
const LONGEST: usize = 2048;
const HTTPS_PORT: u16 = 443;

/// An absolute URL of the scheme `https`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    /// As it was given.
    pub(crate) text: String,
    /// The host and, if one is named, the port: the field `Host`.
    pub(crate) authority: String,
    /// The host, an IPv6 address without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The path and the query.
    pub(crate) target: String,
}

impl Url {
    /// Reads a URL.
    ///
    /// # Errors
    /// It is none that TLS is spoken to.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        Self::read(text)
            .ok_or_else(|| Failure::Unexpected(format!("`{}` is no `https` URL", told(text))))
    }

    fn read(text: &str) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let uri: Uri = text.parse().ok()?;
        let authority: &Authority = uri.authority()?;
        if uri.scheme_str() != Some("https") || authority.as_str().contains('@') {
            return None;
        }
        let host = authority.host();
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let target = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let port = match authority.port_u16() {
            Some(port) => Some(port).filter(|port| *port != 0)?,
            None if authority.as_str() == host => HTTPS_PORT,
            // One that is empty, or that no port is.
            None => return None,
        };
        (!bare.is_empty()).then(|| Self {
            text: text.to_owned(),
            authority: authority.as_str().to_owned(),
            host: bare.to_owned(),
            port,
            target: target.to_owned(),
        })
    }
}
