//! Requests that have come by the wrong connection. Over TLS a connection is made for the host that
//! its client has asked for (SNI), with the certificates and the demands of that host. A client may
//! send requests for other hosts on it, as browsers do over HTTP/2 where a certificate is for both
//! (RFC 9113 section 9.1.1). Those that do not belong there are refused by 421, and the client
//! connects anew (RFC 9110 section 15.5.20). A host that demands certificates of clients is so
//! reached by no other way.
//!
//! Asked for each request, on the I/O thread of its connection: as a rule one comparison with the
//! host that the client has asked for.

use std::net::IpAddr;

use http::header::HOST;
use slimhttp_site::plan::{Head, authority};
use slimhttp_site::site::Site;

use crate::context::connection::ConnectionContext;
use crate::live::snapshot::Snapshot;
use crate::net::connection_state::CloseMode;
use crate::tls::table::Belonging;

/// Whether a request has come by the wrong connection. One that is malformed has not.
pub(crate) fn is_misdirected(
    connection: &ConnectionContext,
    snapshot: &Snapshot,
    head: &Head<'_, '_>,
) -> bool {
    let written = match head.uri.authority() {
        Some(authority) => Some(authority.as_str().as_bytes()),
        None => head.headers.get(HOST).map(|value| value.as_bytes()),
    };
    if is_known_to_belong(connection, snapshot, written) {
        return false;
    }
    let (Some(session), Some(tls)) = (connection.state.tls_session(), &snapshot.tls) else {
        return false;
    };
    let Ok(named) = authority(head) else { return false };
    let host = named.as_ref().map(|named| &*named.host);
    let arrived_at = head.transport.port;
    let port = named.as_ref().and_then(|named| named.port).unwrap_or(arrived_at);
    let (site, asked) = (&snapshot.site, (host, port));
    let belonging = tls.belongs(site, session, asked, (arrived_at, snapshot.number));
    match belonging {
        Belonging::Here => false,
        Belonging::OtherCertificate => !is_trusted(site, asked, head.transport.peer),
        Belonging::OtherDemands => {
            if host.is_some() && host == session.server_name.as_deref() {
                // They have changed since: no request for this host belongs here any more.
                connection.state.request_close(CloseMode::Gracefully);
            }
            true
        }
    }
}

/// Whether a proxy that the host trusts is at the other end: it shows its clients a certificate of
/// its own, and asks us for whatever host it pleases.
fn is_trusted(site: &Site, (host, port): (Option<&str>, u16), peer: IpAddr) -> bool {
    let scope = host.map_or(&site.global, |host| site.scope_for(host, port));
    let peer = peer.to_canonical();
    scope.options.trusted_proxies.iter().any(|network| network.contains(&peer))
}

/// Whether a request that names this host, as it is written, belongs on the connection, as far as
/// that is known without a look at any host. It does on a plain one.
pub(crate) fn is_known_to_belong(
    connection: &ConnectionContext,
    snapshot: &Snapshot,
    written: Option<&[u8]>,
) -> bool {
    let (Some(session), Some(tls)) = (connection.state.tls_session(), &snapshot.tls) else {
        return true;
    };
    let port = connection.local.port();
    tls.is_known_to_belong(&snapshot.site, session, snapshot.number, |name| {
        written.is_some_and(|written| is_host(written, name, port))
    })
}

/// Whether a host is written that is `name`, in the plainest spelling, at this port.
fn is_host(written: &[u8], name: &str, port: u16) -> bool {
    match written.strip_prefix(name.as_bytes()) {
        Some([]) => true,
        Some([b':', digits @ ..]) => {
            std::str::from_utf8(digits).is_ok_and(|digits| digits.parse() == Ok(port))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
