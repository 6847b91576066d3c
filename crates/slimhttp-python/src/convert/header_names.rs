//! Names of header fields as programs write them: mostly constants, which are the same objects each
//! time, so that those that were read last are found by their identity.

use http::HeaderName;
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

/// How many are kept. Each is kept in one place, by its address.
const KEPT: usize = 64;

/// No longer ones are kept, in bytes.
const LONGEST: usize = 64;

/// An object that cannot change, and the name that it is.
type Known = (Py<PyAny>, HeaderName);

static KNOWN: Mutex<[Option<Known>; KEPT]> = Mutex::new([const { None }; KEPT]);

/// The name that `object` is, which `read` reads where it is not known; `None` where it is none.
pub(crate) fn of(
    object: &Bound<'_, PyAny>,
    read: impl FnOnce() -> Option<HeaderName>,
) -> Option<HeaderName> {
    let address = object.as_ptr() as usize;
    // Objects lie 16 bytes apart at least.
    let place = (address / 16) % KEPT;
    if let Some((known, name)) = &KNOWN.lock()[place]
        && known.as_ptr() as usize == address
    {
        return Some(name.clone());
    }
    let name = read()?;
    let is_constant =
        object.is_exact_instance_of::<PyString>() || object.is_exact_instance_of::<PyBytes>();
    if is_constant && name.as_str().len() <= LONGEST {
        let kept = (object.clone().unbind(), name.clone());
        let before = KNOWN.lock()[place].replace(kept);
        drop(before);
    }
    Some(name)
}
