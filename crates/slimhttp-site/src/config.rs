//! The configuration as the user wrote it: one document, and the edits that change it in
//! place. Files, flags and Python dicts all become this. Nothing is checked here:
//! [`crate::compile`] does that.

use std::sync::Arc;

pub mod fault;
pub mod logging;
pub mod options;
pub(crate) mod spelling;
pub mod value;

use self::value::{Table, Value};

/// A configuration as written. Cloning is cheap.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    root: Table,
}

impl Config {
    /// A configuration of these top-level keys.
    pub fn new(root: Table) -> Self {
        Self { root }
    }

    /// The top-level table.
    pub fn root(&self) -> &Table {
        &self.root
    }

    /// The value at `path`, a key for each level; the empty path is not a value.
    pub fn get(&self, path: &[Arc<str>]) -> Option<&Value> {
        let (last, way) = path.split_last()?;
        let mut table = &self.root;
        for key in way {
            table = table.get(key)?.as_table()?;
        }
        table.get(last)
    }

    /// The table at `path`; the empty path is the top level.
    pub fn table(&self, path: &[Arc<str>]) -> Option<&Table> {
        if path.is_empty() { Some(&self.root) } else { self.get(path)?.as_table() }
    }

    /// Puts `root` in place of everything.
    pub fn replace(&mut self, root: Table) {
        self.root = root;
    }

    /// Puts every entry of `entries` into the table at `path`, over what stands
    /// there under the same keys. `false`, and no change, where there is no table.
    pub fn update(&mut self, path: &[Arc<str>], entries: Table) -> bool {
        table_at(&mut self.root, path).is_some_and(|table| {
            for (key, value) in entries {
                table.insert(key, value);
            }
            true
        })
    }

    /// Empties the table at `path`. `false`, and no change, where there is none.
    pub fn clear(&mut self, path: &[Arc<str>]) -> bool {
        table_at(&mut self.root, path).is_some_and(|table| {
            table.clear();
            true
        })
    }

    /// Puts `value` at `path`. `false`, and no change, where the way there does
    /// not exist or is not a table.
    pub fn set(&mut self, path: &[Arc<str>], value: Value) -> bool {
        let Some((last, way)) = path.split_last() else { return false };
        match table_at(&mut self.root, way) {
            Some(table) => {
                table.insert(last.clone(), value);
                true
            }
            None => false,
        }
    }

    /// Takes the value at `path` away and returns it.
    pub fn remove(&mut self, path: &[Arc<str>]) -> Option<Value> {
        let (last, way) = path.split_last()?;
        table_at(&mut self.root, way)?.remove(last)
    }
}

/// The table at the end of `way`, for editing; other versions do not see the edit.
fn table_at<'t>(root: &'t mut Table, way: &[Arc<str>]) -> Option<&'t mut Table> {
    let mut table = root;
    for key in way {
        match table.get_mut(key)? {
            Value::Table(inner) => table = inner,
            _ => return None,
        }
    }
    Some(table)
}
