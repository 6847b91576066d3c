//! Certificates and the rights of root, as Python asks for them: texts in, texts
//! out. What is written where is the Python half's affair.

use std::path::PathBuf;

use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use slimhttp_server::certificate::{CertificateSpec, KeyType, Signer, generate};
use slimhttp_server::privileges;

/// Makes a key and a certificate: `(key, certificate, warning)`, the first two
/// PEM, the last one a text or None. `subject` is country, state, city,
/// organization, unit, name and email; `key_type` is `p256` and the like; `ca` is None, True for an authority, or
/// key and certificate of one.
///
/// # Errors
/// ValueError for what no certificate can say.
#[pyfunction]
#[pyo3(signature = (subject, names, lifetime, key_type, authority, ca))]
pub(crate) fn make_certificate(
    py: Python<'_>,
    subject: [String; 7],
    names: Vec<String>,
    lifetime: u32,
    key_type: &str,
    authority: bool,
    ca: Option<(String, String)>,
) -> PyResult<(String, String, Option<String>)> {
    let [country, state, city, organization, unit, name, email] = subject;
    let spec = CertificateSpec {
        country,
        state,
        city,
        organization,
        unit,
        name,
        others: names,
        email,
        lifetime,
        key: KeyType::parse(key_type).unwrap_or_default(),
        signer: match ca {
            Some((key, certificate)) => Signer::Authority { key, certificate },
            None if authority => Signer::ItselfAsAuthority,
            None => Signer::Itself,
        },
    };
    let made =
        py.detach(|| generate(&spec)).map_err(|error| PyValueError::new_err(error.to_string()))?;
    Ok((made.key, made.certificate, made.warning))
}

/// Makes the whole process another user. None where it is that user now, else
/// why it is not.
#[pyfunction]
#[pyo3(signature = (user, group))]
pub(crate) fn drop_privileges(py: Python<'_>, user: &str, group: Option<&str>) -> Option<String> {
    py.detach(|| privileges::drop_to(user, group)).err().map(|error| error.to_string())
}

/// Whom a process of root is about to become. While it is entered, this thread has
/// that user's rights on files.
#[pyclass(frozen, module = "slimHTTP._slimhttp")]
pub(crate) struct Successor(privileges::Successor);

#[pymethods]
impl Successor {
    /// None where this process is not root, or is to stay it. OSError where the
    /// system does not know the user.
    #[staticmethod]
    #[pyo3(signature = (user, group))]
    fn find(user: &str, group: Option<&str>) -> PyResult<Option<Self>> {
        let found = privileges::Successor::new(user, group);
        found.map(|found| found.map(Self)).map_err(|error| PyOSError::new_err(error.to_string()))
    }

    /// Calls `work` with that user's rights on files.
    fn call<'py>(&self, work: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.0.with_its_rights(|| Ok(work.call0()))?
    }

    /// The same file by a path that this user cannot lead elsewhere, for root.
    /// PermissionError where there is none.
    fn trusted(&self, path: PathBuf) -> PyResult<PathBuf> {
        Ok(self.0.trusted(&path)?)
    }
}
