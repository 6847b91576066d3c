//! The objects of programs that stand in configurations: an application that is given itself, in
//! place of its name. A configuration knows one by its number ([`slimhttp_site::value::Value::Object`]); the object is
//! kept here for as long as a configuration, a site or a draft holds that value.
//!
//! All of them share the text by which messages call the object, so that whoever holds none of
//! these texts any more names the object no more. That is looked at after changes, with Python
//! held; the lock is never held while code of Python runs.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Weak};

use parking_lot::Mutex;
use pyo3::intern;
use pyo3::prelude::*;

/// How many more than are named may be kept.
const ROOM: usize = 16;

static OBJECTS: LazyLock<Mutex<Objects>> = LazyLock::new(Mutex::default);

#[derive(Default)]
struct Objects {
    kept: HashMap<u64, Kept>,
    /// Their numbers by their addresses: an object that is kept has its address for itself.
    numbers: HashMap<usize, u64>,
    /// The number of the last one. None is given twice, for a number keeps nothing alive.
    last: u64,
    /// With how many of them it is looked for some that nothing names: a configuration that is
    /// refused is no change.
    full: usize,
}

impl Objects {
    /// Takes out what nothing names any more; to be dropped where the lock is not held, for the
    /// end of an object may run code of the program.
    fn take_unnamed(&mut self) -> Vec<Kept> {
        let unnamed = self.kept.iter().filter(|(_, kept)| kept.name.strong_count() == 0);
        let unnamed: Vec<u64> = unnamed.map(|(number, _)| *number).collect();
        let gone: Vec<_> = unnamed.iter().filter_map(|it| self.kept.remove(it)).collect();
        for kept in &gone {
            self.numbers.remove(&(kept.object.as_ptr() as usize));
        }
        gone
    }
}

struct Kept {
    object: Py<PyAny>,
    name: Weak<str>,
}

/// Keeps an object of the program; gives its number and what messages call it, which are the same
/// for the same object.
///
/// # Errors
/// Whatever the object raises when it is asked for its name.
pub(crate) fn keep(object: &Bound<'_, PyAny>) -> PyResult<(u64, Arc<str>)> {
    let name: Arc<str> = name_of(object)?.into();
    let mut locked = OBJECTS.lock();
    let objects = &mut *locked;
    let mut gone = Vec::new();
    if objects.kept.len() >= objects.full {
        gone = objects.take_unnamed();
        objects.full = 2 * objects.kept.len() + ROOM;
    }
    let number = *objects.numbers.entry(object.as_ptr() as usize).or_insert_with(|| {
        objects.last += 1;
        objects.last
    });
    let kept = objects
        .kept
        .entry(number)
        .or_insert_with(|| Kept { object: object.clone().unbind(), name: Arc::downgrade(&name) });
    let name = kept.name.upgrade().unwrap_or_else(|| {
        kept.name = Arc::downgrade(&name);
        name
    });
    drop(locked);
    drop(gone);
    Ok((number, name))
}

/// What an object is called in messages: as Python names what it has given a name, else its class.
fn name_of(object: &Bound<'_, PyAny>) -> PyResult<String> {
    let named = object.getattr_opt(intern!(object.py(), "__qualname__"))?;
    let text = |attribute: &Bound<'_, PyAny>| attribute.extract::<String>().ok();
    if let Some(name) = named.as_ref().and_then(text) {
        return Ok(name);
    }
    Ok(format!("a {}", object.get_type().qualname()?.to_string_lossy()))
}

/// The object of a number.
pub(crate) fn of_number(py: Python<'_>, number: u64) -> Option<Py<PyAny>> {
    OBJECTS.lock().kept.get(&number).map(|kept| kept.object.clone_ref(py))
}

/// Lets go of every object that nothing names any more.
pub(crate) fn release_unnamed(_py: Python<'_>) {
    let gone = OBJECTS.lock().take_unnamed();
    drop(gone);
}
