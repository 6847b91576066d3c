//! Reads `redirect_https` and `hsts`.

use super::super::plain::{Plain, given, known_keys, read_key, wrong};
use super::super::report::{At, Report};
use crate::config::options::{HSTS_KEYS, MAX_AGE, Shape};
use crate::config::value::{Table, Value};
use crate::protocol::https::HstsPolicy;

const SECONDS: Shape = Shape::WholeNumber { least: 0, most: MAX_AGE };

/// A port that a URL can name.
pub(super) fn port(value: &Value, at: &At<'_>, report: &mut Report) -> Option<u16> {
    let port = match value {
        Value::Integer(number) => u16::try_from(*number).ok().filter(|port| *port != 0),
        _ => None,
    };
    port.or_else(|| wrong(Shape::HttpsRedirect, value.to_string(), at, report))
}

/// A policy that says no more than for how long.
pub(super) fn seconds(value: &Value, at: &At<'_>, report: &mut Report) -> Option<HstsPolicy> {
    let seconds = match value {
        Value::Integer(number) => u64::try_from(*number).ok().filter(|seconds| *seconds <= MAX_AGE),
        _ => None,
    };
    let seconds = seconds.or_else(|| wrong(Shape::Hsts, value.to_string(), at, report))?;
    Some(HstsPolicy { max_age: seconds, ..HstsPolicy::default() })
}

pub(super) fn hsts(table: &Table, at: &At<'_>, report: &mut Report) -> Option<HstsPolicy> {
    let before = report.faults.len();
    known_keys(table, HSTS_KEYS, at, report);
    let default = HstsPolicy::default();
    let mut flag = |key| match read_key(table, key, Shape::Bool, at, report) {
        Some(Plain::Flag(flag)) => flag,
        _ => false,
    };
    let (include_subdomains, preload) = (flag("include_subdomains"), flag("preload"));
    let max_age = match read_key(table, "max_age", SECONDS, at, report) {
        Some(Plain::Number(seconds)) => seconds,
        _ => default.max_age,
    };
    if report.faults.len() > before {
        return None;
    }
    let policy = HstsPolicy { max_age, include_subdomains, preload };
    if preload {
        fits_the_lists(policy, table, at, report);
    }
    (report.faults.len() == before).then_some(policy)
}

/// What the lists of browsers demand (hstspreload.org): they take nobody else.
fn fits_the_lists(policy: HstsPolicy, table: &Table, at: &At<'_>, report: &mut Report) {
    let found = |key| given(table, key).map(ToString::to_string);
    if policy.max_age < HstsPolicy::YEAR {
        let expected = format!("at least {} beside `preload`", HstsPolicy::YEAR);
        let hint = "the lists that browsers bring along take no host for less than a year";
        report.fault(&at.key("max_age"), expected, found("max_age"), hint.to_owned());
    }
    if !policy.include_subdomains {
        let found = found("include_subdomains");
        let hint = "on the lists that browsers bring along a host stands for every name below it";
        let expected = "`true` beside `preload`";
        report.fault(&at.key("include_subdomains"), expected, found, hint.to_owned());
    }
}
