//! What TLS presents and asks for: the option `tls`, and the older ways to name a certificate.
//!
//! A scope has what it says itself ([`OwnTls`]); what it leaves out is as the global level has it.
//! The server crate lays the two together ([`Site::tls_of`]) for each scope that says something,
//! and opens the files; which scope a connection begins with is found by the name that its client
//! asks for (SNI, RFC 6066 section 3), as the scope of a request is by its host.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::config::fault::Place;
use crate::config::value::{Table, Value};
use crate::routing::host::HostKey;
use crate::site::{Scope, Site};

/// What a scope says of TLS itself. What is `None` is as the global level has it, and there as it
/// is by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnTls {
    /// What is presented. At the global level this is always said.
    pub certificates: Option<Certificates>,
    /// The versions that are spoken.
    pub versions: Option<TlsVersions>,
    /// What is asked of clients; `Some(None)` is nothing, whatever the global level asks.
    pub client_auth: Option<Option<ClientAuth>>,
    /// What clients get while an automatic certificate is not there.
    pub until_issued: Option<UntilIssued>,
}

/// What is presented to clients.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Certificates {
    /// What stands in these files, never none. Each is one certificate, of different kinds of
    /// keys for clients of different abilities.
    Files(Arc<[CertificateFiles]>),
    /// Where none is named: what stands in these files as soon as both are there, until then a
    /// certificate that the server makes and signs itself.
    Usual(CertificateFiles),
    /// One certificate that the server obtains by itself.
    Automatic(AutomaticNames),
}

/// A certificate chain and its key: PEM files, absolute. One file may hold both.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CertificateFiles {
    /// The server's own certificate, and those between it and a trusted one.
    pub certificate: Arc<Path>,
    /// The private key.
    pub key: Arc<Path>,
}

/// The names of a certificate that the server obtains, in the order in which they are asked for:
/// host names in normal form, wildcards (`*.example.com`), addresses.
///
/// Of what a scope says itself these are the further names, beside that of its host.
pub type AutomaticNames = Arc<[Arc<str>]>;

/// The versions of TLS that are spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TlsVersions {
    /// 1.2 and 1.3.
    #[default]
    All,
    /// 1.2 alone.
    Only12,
    /// 1.3 alone.
    Only13,
}

/// How clients say who they are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientAuth {
    /// The authorities that have signed their certificates: a PEM file, absolute.
    pub authorities: Arc<Path>,
    /// Whether each client has to.
    pub mode: ClientAuthMode,
}

/// Whether a client has to say who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClientAuthMode {
    /// It has to.
    Require,
    /// It may; a certificate that it shows has to be good.
    Optional,
}

/// What clients get while an automatic certificate is not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum UntilIssued {
    /// A certificate that the server has signed itself.
    #[default]
    SelfSigned,
    /// No connection.
    Refuse,
}

/// What holds for connections, beside what is presented on them: who has come by one of these has
/// not come by another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TlsPolicy {
    /// The versions that are spoken.
    pub versions: TlsVersions,
    /// What is asked of clients.
    pub client_auth: Option<ClientAuth>,
}

/// What holds for the connections of a scope, every default filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsRules {
    /// What is presented.
    pub certificates: Certificates,
    /// Whether the scope itself says so.
    pub are_own: bool,
    /// What clients get while an automatic certificate is not there.
    pub until_issued: UntilIssued,
    /// What else holds.
    pub policy: TlsPolicy,
}

/// A part of what the configuration says of certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsPart {
    /// The file of the certificate of this number.
    Certificate(usize),
    /// The file of its key.
    Key(usize),
    /// The authorities of clients.
    Authorities,
}

/// What a site says of TLS beyond its global level.
///
/// Both are small where most virtual hosts say nothing, and tables of which two versions can be
/// compared in the time that their differences take.
#[derive(Clone, Debug, Default)]
pub struct SiteTls {
    /// The virtual hosts that say something, by [`Scope::name`].
    pub hosts: imbl::OrdMap<Arc<str>, Arc<OwnTls>>,
    /// The further names of automatic certificates, and the virtual host that names each; `None`
    /// is the global level.
    pub further_names: imbl::OrdMap<Arc<str>, Option<Arc<str>>>,
}

impl Site {
    /// What holds for the connections that begin with a scope.
    pub fn tls_of(&self, scope: &Scope) -> TlsRules {
        let none = OwnTls::default();
        let global = self.global.tls.as_deref().unwrap_or(&none);
        let own = scope.tls.as_deref().unwrap_or(&none);
        let host = scope.certificate_name();
        let said = own.certificates.as_ref().or(global.certificates.as_ref());
        let certificates = match (said.expect("the global level says it"), host) {
            (Certificates::Automatic(further), Some(host)) => {
                // What the global level names further is for itself.
                let further = own.certificates.iter().flat_map(|_| further.iter().cloned());
                Certificates::Automatic(std::iter::once(host).chain(further).collect())
            }
            (said, _) => said.clone(),
        };
        TlsRules {
            certificates,
            are_own: own.certificates.is_some(),
            until_issued: own.until_issued.or(global.until_issued).unwrap_or_default(),
            policy: TlsPolicy {
                versions: own.versions.or(global.versions).unwrap_or_default(),
                client_auth: own.client_auth.clone().or(global.client_auth.clone()).flatten(),
            },
        }
    }

    /// The names of every certificate that is to be obtained, as often as scopes share one.
    pub fn automatic_certificates(&self) -> Vec<AutomaticNames> {
        let hosts = self.hosts.iter().map(|(_, scope)| scope);
        let is_said = |scope: &&Arc<Scope>| scope.tls.is_some() || self.is_automatic();
        // A host that another one names beside its own presents that one's.
        let has_own = |scope: &&Arc<Scope>| {
            let says_itself = scope.tls.as_ref().is_some_and(|own| own.certificates.is_some());
            let is_named = |name: Arc<str>| self.names_further(&name).is_some();
            says_itself || !scope.certificate_name().is_some_and(is_named)
        };
        let scopes = std::iter::once(&self.global).chain(hosts).filter(is_said).filter(has_own);
        let names = |scope: &Arc<Scope>| match self.tls_of(scope).certificates {
            Certificates::Automatic(names) if !names.is_empty() => Some(names),
            _ => None,
        };
        scopes.filter_map(names).collect()
    }

    /// Whether hosts that nobody has configured may have a certificate when a client asks for them.
    pub fn obtains_on_demand(&self) -> bool {
        self.is_automatic() && self.service.acme.on_demand.is_some()
    }

    /// Whether the global level says that certificates are obtained.
    fn is_automatic(&self) -> bool {
        let said = self.global.tls.as_ref().and_then(|own| own.certificates.as_ref());
        matches!(said, Some(Certificates::Automatic(_)))
    }

    /// The scope that names `host` (in normal form) among the further names of its automatic
    /// certificate: itself, or by a wildcard, which stands for one label (RFC 9525 section 6.3).
    pub fn names_further(&self, host: &str) -> Option<&Arc<Scope>> {
        let names = &self.tls.further_names;
        if names.is_empty() {
            return None;
        }
        let wildcard = || names.get(&*format!("*.{}", host.split_once('.')?.1));
        match names.get(host).or_else(wildcard)? {
            None => Some(&self.global),
            Some(owner) => self.hosts.get(&HostKey::parse(owner).ok()?),
        }
    }

    /// Where the configuration says this of a virtual host, or of the global level; what the one
    /// leaves out stands at the other.
    pub fn place_of_tls(&self, host: Option<&str>, part: TlsPart) -> Place {
        let root = self.config.root();
        let vhosts = || root.get("vhosts")?.as_table();
        let own = host.and_then(|name| {
            let place = place_in(vhosts()?.get(name)?.as_table()?, part)?;
            Some(Place::default().key("vhosts").key(name).join(place))
        });
        let default = || match part {
            TlsPart::Certificate(_) => Place::default().key("cert"),
            TlsPart::Key(_) => Place::default().key("key"),
            TlsPart::Authorities => Place::default().key("tls"),
        };
        own.or_else(|| place_in(root, part)).unwrap_or_else(default)
    }
}

/// Where a table of options says it, if it does.
fn place_in(table: &Table, part: TlsPart) -> Option<Place> {
    let tls = Place::default().key("tls");
    let (number, key) = match part {
        TlsPart::Certificate(number) => (number, "cert"),
        TlsPart::Key(number) => (number, "key"),
        TlsPart::Authorities => {
            let table = table.get("tls")?.as_table()?;
            let auth = tls.key("client_auth");
            return match table.get("client_auth")? {
                Value::Table(_) => Some(auth.key("ca")),
                _ => Some(auth),
            };
        }
    };
    match table.get("tls") {
        Some(Value::List(_)) => return Some(tls.index(number).key(key)),
        Some(Value::Table(written)) if written.contains_key("certificates") => {
            return Some(tls.key("certificates").index(number).key(key));
        }
        Some(Value::Table(written)) if written.contains_key("cert") => return Some(tls.key(key)),
        _ => {}
    }
    match table.get("ssl") {
        Some(Value::Table(_)) => Some(Place::default().key("ssl").key(key)),
        _ if table.contains_key("cert") => Some(Place::default().key(key)),
        _ => None,
    }
}

impl Scope {
    /// The name that the certificate of a virtual host is for: `example.com`, `*.example.com`.
    /// `None` where its key is an address, which no client asks for (RFC 6066 section 3), and for
    /// the global level.
    pub fn certificate_name(&self) -> Option<Arc<str>> {
        let key = HostKey::parse(self.name.as_deref()?).ok().filter(|key| !key.is_address())?;
        match key.wildcard {
            true => Some(format!("*.{}", key.name).into()),
            false => Some(key.name),
        }
    }
}

impl fmt::Display for CertificateFiles {
    /// What messages call it: the file of the certificate.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.certificate.display().fmt(f)
    }
}
