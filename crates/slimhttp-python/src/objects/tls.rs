//! `request.tls`: what the TLS of a connection has negotiated, and who its client is. Read by
//! handlers, on whichever thread of Python; nothing of it changes.

use std::sync::Arc;
use std::time::SystemTime;

use pyo3::prelude::*;
use slimhttp_server::{AlternativeName, ClientCertificate, TlsSession};

/// What the TLS of a connection has negotiated.
#[pyclass(name = "TlsSession", module = "slimHTTP", frozen)]
pub(crate) struct Session(pub(crate) Arc<TlsSession>);

#[pymethods]
impl Session {
    /// The version: `TLSv1.2` or `TLSv1.3`.
    #[getter]
    fn version(&self) -> &'static str {
        self.0.version_name()
    }

    /// The cipher suite, by its name in the registry: `TLS_AES_128_GCM_SHA256`.
    #[getter]
    fn cipher(&self) -> &'static str {
        self.0.cipher
    }

    /// The host that the client has asked for as it connected; None where it named none, as one
    /// that connects to an address.
    #[getter]
    fn sni(&self) -> Option<&str> {
        self.0.server_name.as_deref()
    }

    /// What the connection speaks by ALPN: `h2` or `http/1.1`; None where the client offered
    /// nothing.
    #[getter]
    fn alpn(&self) -> Option<&'static str> {
        self.0.protocol
    }

    /// The certificate that the client has shown; None where it has shown none.
    #[getter]
    fn client_certificate(&self) -> Option<Certificate> {
        self.0.client_certificate.is_some().then(|| Certificate(self.0.clone()))
    }

    fn __repr__(&self) -> String {
        let client = self.0.client_certificate.as_ref();
        let client = client.map(|own| format!(" of {}", own.subject)).unwrap_or_default();
        format!("<TlsSession {} {}{client}>", self.0.version_name(), self.0.cipher)
    }
}

/// The certificate of a client, which one of the authorities of `client_auth` has signed.
#[pyclass(name = "ClientCertificate", module = "slimHTTP", frozen)]
pub(crate) struct Certificate(Arc<TlsSession>);

impl Certificate {
    fn shown(&self) -> &ClientCertificate {
        self.0.client_certificate.as_ref().expect("a session without one gives none")
    }
}

#[pymethods]
impl Certificate {
    /// For whom it is, as RFC 4514 writes it: `CN=ada,O=Example`.
    #[getter]
    fn subject(&self) -> &str {
        &self.shown().subject
    }

    /// Who has signed it.
    #[getter]
    fn issuer(&self) -> &str {
        &self.shown().issuer
    }

    /// Its number, hexadecimal.
    #[getter]
    fn serial(&self) -> &str {
        &self.shown().serial
    }

    /// Its alternative names: hosts, addresses, mailboxes, URIs.
    #[getter]
    fn names(&self) -> Vec<String> {
        self.shown().names.iter().map(AlternativeName::text).collect()
    }

    /// From when on it is valid: a datetime, UTC.
    #[getter]
    fn not_before(&self) -> SystemTime {
        self.shown().not_before
    }

    /// Until when: a datetime, UTC.
    #[getter]
    fn not_after(&self) -> SystemTime {
        self.shown().not_after
    }

    /// SHA-256 of all of it, hexadecimal.
    #[getter]
    fn fingerprint(&self) -> &str {
        &self.shown().fingerprint
    }

    /// All of it, as PEM.
    #[getter]
    fn pem(&self) -> String {
        self.shown().pem()
    }

    fn __repr__(&self) -> String {
        format!("<ClientCertificate {}>", self.shown().subject)
    }
}
