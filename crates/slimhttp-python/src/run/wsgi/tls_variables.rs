//! What `environ` says of TLS, by the names that mod_ssl of Apache has for it, which programs know
//! (`SSLOptions +StdEnvVars +ExportCertData`). On the thread that answers.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use slimhttp_server::{AlternativeName, ClientCertificate, Request};

/// Sets them, where the request has come by TLS.
///
/// # Errors
/// When Python has no memory.
pub(super) fn set(environ: &Bound<'_, PyDict>, request: &Request) -> PyResult<()> {
    let Some(session) = &request.tls_session else { return Ok(()) };
    let py = environ.py();
    environ.set_item(intern!(py, "SSL_PROTOCOL"), session.version_name())?;
    environ.set_item(intern!(py, "SSL_CIPHER"), session.cipher)?;
    if let Some(name) = &session.server_name {
        environ.set_item(intern!(py, "SSL_TLS_SNI"), &**name)?;
    }
    let verified = match session.client_certificate {
        Some(_) => intern!(py, "SUCCESS"),
        None => intern!(py, "NONE"),
    };
    environ.set_item(intern!(py, "SSL_CLIENT_VERIFY"), verified)?;
    match &session.client_certificate {
        Some(client) => set_client(environ, client),
        None => Ok(()),
    }
}

fn set_client(environ: &Bound<'_, PyDict>, client: &ClientCertificate) -> PyResult<()> {
    environ.set_item("SSL_CLIENT_S_DN", &client.subject)?;
    environ.set_item("SSL_CLIENT_I_DN", &client.issuer)?;
    for (prefix, attributes) in [
        ("SSL_CLIENT_S_DN", &client.subject_attributes),
        ("SSL_CLIENT_I_DN", &client.issuer_attributes),
    ] {
        for (number, (name, value)) in attributes.iter().enumerate() {
            // Of several of one name the first has the bare key.
            let earlier = attributes[..number].iter().filter(|(other, _)| other == name).count();
            let name = if name == "emailAddress" { "Email" } else { name };
            match earlier {
                0 => environ.set_item(format!("{prefix}_{name}"), value)?,
                _ => environ.set_item(format!("{prefix}_{name}_{earlier}"), value)?,
            }
        }
    }
    environ.set_item("SSL_CLIENT_M_SERIAL", &client.serial)?;
    environ.set_item("SSL_CLIENT_M_VERSION", client.version.to_string())?;
    let (start, end) = client.validity_text();
    environ.set_item("SSL_CLIENT_V_START", start)?;
    environ.set_item("SSL_CLIENT_V_END", end)?;
    let (mut hosts, mut mailboxes) = (0, 0);
    for name in &client.names {
        let (kind, number) = match name {
            AlternativeName::Dns(_) => ("DNS", &mut hosts),
            AlternativeName::Email(_) => ("Email", &mut mailboxes),
            AlternativeName::Address(_) | AlternativeName::Uri(_) => continue,
        };
        environ.set_item(format!("SSL_CLIENT_SAN_{kind}_{number}"), name.text())?;
        *number += 1;
    }
    let mut chain = client.chain_pem().into_iter();
    environ.set_item("SSL_CLIENT_CERT", chain.next())?;
    for (number, certificate) in chain.enumerate() {
        environ.set_item(format!("SSL_CLIENT_CERT_CHAIN_{number}"), certificate)?;
    }
    Ok(())
}
