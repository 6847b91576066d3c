//! What is sent to https, before anybody is asked: what has come in plain to a scope that says so
//! (`redirect_https`), and whatever has come without TLS to a port that speaks it.

use http::Uri;

use crate::plan::named_host::authority;
use crate::plan::{Action, Head, Plan, Security, target};
use crate::protocol::authority::Authority;
use crate::protocol::client::Arrival;
use crate::protocol::https::{self, HttpsRedirect};
use crate::protocol::refusal::Refusal;
use crate::routing::path::Target;
use crate::site::{Scope, ScopeOptions, Site};

impl Site {
    /// What is done about a request that `scope` answers over https alone and that has come in
    /// plain: it is sent to the target that was `asked` for there. `None` for any other.
    pub(super) fn to_https<'s>(
        &self,
        scope: &Scope,
        named: Option<&Authority<'_>>,
        asked: &Target<'_>,
        head: &Head<'_, '_>,
    ) -> Option<Action<'s>> {
        let port = match scope.options.answers.redirect_https {
            HttpsRedirect::Off => return None,
            HttpsRedirect::ToListener => self.https_port,
            HttpsRedirect::ToPort(port) => port,
        };
        let arrival = arrival(head, &scope.options);
        if arrival.scheme() == "https" {
            return None;
        }
        let host = host_of(&arrival, named);
        Some(host.and_then(|host| redirect(&host, port, asked, head)).unwrap_or(NO_HOST))
    }

    /// Whether a request is sent to https, whatever would answer it.
    pub(super) fn is_sent_to_https(&self, scope: &Scope, head: &Head<'_, '_>) -> bool {
        head.transport.security == Security::PlainToTls
            || scope.options.answers.redirect_https != HttpsRedirect::Off
                && arrival(head, &scope.options).scheme() != "https"
    }

    /// What is done about a request that has come without TLS to a port that speaks it: it is sent
    /// to the same port by https, or told so.
    pub(super) fn plain_to_tls<'s, 'u>(&'s self, head: &Head<'u, '_>) -> Plan<'s, 'u> {
        let named = authority(head).ok().flatten();
        let host = self.scope_of(named.as_ref(), head.transport);
        let redirect = named.as_ref().and_then(|named| {
            // A proxy whose client speaks https already would send it here again for ever.
            if arrival(head, &host.options).scheme() == "https" {
                return None;
            }
            let target = target_of(head, head.uri)?;
            // The port as the client knows it; a socket in the file system has none.
            let own = Some(head.transport.port).filter(|port| *port != 0);
            let port = named.port.or(own).unwrap_or(self.https_port);
            redirect(&named.host, port, &target, head)
        });
        Plan::only(host, redirect.unwrap_or(Action::Refuse(Refusal::PlainToTls)))
    }
}

/// HTTP/1.0 may leave the host out, and then nobody knows where to send the request.
const NO_HOST: Action<'static> = Action::Refuse(Refusal::BadRequest("no host to send to https"));

/// The target that a URI names, where it names a resource: not `*`, nor that of CONNECT.
pub(super) fn target_of<'u>(head: &Head<'_, '_>, uri: &'u Uri) -> Option<Target<'u>> {
    let raw = uri.path_and_query().filter(|raw| raw.as_str() != "*")?;
    target(&Head { uri, ..*head }, raw).ok()
}

/// How a request has come, as far as the scope's proxies are believed.
fn arrival<'r>(head: &Head<'r, 'r>, options: &'r ScopeOptions) -> Arrival<'r> {
    let Head { uri, headers, transport, .. } = *head;
    let tls = transport.security == Security::Tls;
    Arrival { peer: transport.peer, tls, uri, headers, trusted: &options.trusted_proxies }
}

/// The host as the client knows it: what a trusted proxy says that it was asked for, else what
/// the request names.
fn host_of(arrival: &Arrival<'_>, named: Option<&Authority<'_>>) -> Option<String> {
    let asked = arrival.host();
    let asked = Authority::parse(asked.as_bytes()).map(|asked| asked.host.into_owned());
    asked.or_else(|| named.map(|named| named.host.clone().into_owned()))
}

fn redirect<'s>(
    host: &str,
    port: u16,
    target: &Target<'_>,
    head: &Head<'_, '_>,
) -> Option<Action<'s>> {
    let location = https::location(host, port, target.raw_path, target.query)?;
    Some(Action::Redirect { location, status: https::redirect_status(head.method) })
}
