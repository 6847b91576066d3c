//! Reads patterns of file names, and tables of values by pattern.

use super::super::plain::{entries, shown};
use super::super::report::{At, Report};
use crate::config::value::{Table, Value};
use crate::files::glob::{ByGlob, Glob};

/// Values by glob, each read by `item`.
pub(super) fn by_glob<T>(
    table: &Table,
    at: &At<'_>,
    report: &mut Report,
    item: fn(&Value, &At<'_>, &mut Report) -> Option<T>,
) -> Option<ByGlob<T>> {
    let read = entries(table, at, report, |key, value, at, report| {
        let glob = glob(key, at, report);
        let value = item(value, at, report);
        Some((glob?, value?))
    })?;
    Some(read.into_iter().collect())
}

pub(super) fn glob(text: &str, at: &At<'_>, report: &mut Report) -> Option<Glob> {
    match Glob::parse(text) {
        Ok(glob) => Some(glob),
        Err(wrong) => {
            report.fault(at, "a glob such as `*.js` or `/assets/**`", shown(text), wrong);
            None
        }
    }
}
