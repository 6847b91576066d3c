//! Certificates and the rights of root, as Python asks for them: texts in, texts
//! out. What is written where is the Python half's affair.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use slimhttp_server::certificate::{Curve, Signer, Wanted, make};
use slimhttp_server::privileges;

/// Makes a key and a certificate: `(key, certificate, warning)`, the first two
/// PEM, the last one a text or None. `subject` is country, state, city,
/// organization, unit, name and email; `ca` is None, True for an authority, or
/// key and certificate of one.
///
/// # Errors
/// ValueError for what no certificate can say.
#[pyfunction]
#[pyo3(signature = (subject, names, lifetime, strong, authority, ca))]
pub(crate) fn make_certificate(
    py: Python<'_>,
    subject: [String; 7],
    names: Vec<String>,
    lifetime: u32,
    strong: bool,
    authority: bool,
    ca: Option<(String, String)>,
) -> PyResult<(String, String, Option<String>)> {
    let [country, state, city, organization, unit, name, email] = subject;
    let wanted = Wanted {
        country,
        state,
        city,
        organization,
        unit,
        name,
        others: names,
        email,
        lifetime,
        key: if strong { Curve::P384 } else { Curve::P256 },
        signer: match ca {
            Some((key, certificate)) => Signer::Authority { key, certificate },
            None if authority => Signer::ItselfAsAuthority,
            None => Signer::Itself,
        },
    };
    let made =
        py.detach(|| make(&wanted)).map_err(|error| PyValueError::new_err(error.to_string()))?;
    Ok((made.key, made.certificate, made.warning))
}

/// Makes the whole process another user. None where it is that user now, else
/// why it is not.
#[pyfunction]
#[pyo3(signature = (user, group))]
pub(crate) fn drop_privileges(py: Python<'_>, user: &str, group: Option<&str>) -> Option<String> {
    py.detach(|| privileges::drop_to(user, group)).err().map(|error| error.to_string())
}
