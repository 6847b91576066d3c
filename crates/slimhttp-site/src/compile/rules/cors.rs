//! Reads `cors`: an origin, a list of these, or a table.

use http::HeaderValue;

use super::super::plain::{Plain, did_you_mean, given, known_keys, list, read_key, shown, text};
use super::super::report::{At, Report};
use crate::config::options::{CORS_KEYS, Shape};
use crate::config::value::{Table, Value};
use crate::protocol::cors::{AllowedOrigins, Cors, MAX_AGE, OriginPattern, is_token};

/// What stands for all there are.
const EVERY: &str = "*";
/// A day: browsers keep the answer to a preflight no longer.
const LONGEST: Shape = Shape::WholeNumber { least: 0, most: 86_400 };

pub(super) fn cors(value: &Value, at: &At<'_>, report: &mut Report) -> Option<Cors> {
    match value {
        Value::Table(table) => of_table(table, at, report),
        value => Some(Cors { origins: origins(value, at, report)?, ..Cors::default() }),
    }
}

fn of_table(table: &Table, at: &At<'_>, report: &mut Report) -> Option<Cors> {
    let before = report.faults.len();
    known_keys(table, CORS_KEYS, at, report);
    let origins = match given(table, "origins") {
        None | Some(Value::Bool(true)) => Some(AllowedOrigins::Any),
        Some(value) => origins(value, &at.key("origins"), report),
    };
    let mut names = |key, name| {
        let value = given(table, key)?;
        names(value, name, &at.key(key), report)
    };
    let methods = names("methods", method as Name);
    let headers = names("headers", field as Name);
    let expose = names("expose", field as Name);
    let credentials = match read_key(table, "credentials", Shape::Bool, at, report) {
        Some(Plain::Flag(flag)) => flag,
        _ => false,
    };
    let max_age = match read_key(table, "max_age", LONGEST, at, report) {
        Some(Plain::Number(seconds)) => u32::try_from(seconds).unwrap_or(MAX_AGE),
        _ => MAX_AGE,
    };
    if credentials && origins == Some(AllowedOrigins::Any) {
        // Fetch standard section 3.3.5: no browser takes the two together. To name
        // whoever asks instead would let every page act as its visitor.
        let hint = "whoever may come with cookies must be named: `https://app.example.com`";
        report.fault(&at.key("origins"), "origins beside `credentials`", None, hint.to_owned());
    }
    if credentials && matches!(&expose, Some(None)) {
        let hint = "with `credentials` a browser takes `*` for a name".to_owned();
        report.fault(&at.key("expose"), "names of fields", shown(EVERY), hint);
    }
    if report.faults.len() > before {
        return None;
    }
    Some(Cors {
        origins: origins?,
        methods: methods.flatten(),
        headers: headers.flatten(),
        expose: expose.map(|listed| listed.unwrap_or(HeaderValue::from_static(EVERY))),
        credentials,
        max_age,
    })
}

/// One origin or several; `*` is everybody.
fn origins(value: &Value, at: &At<'_>, report: &mut Report) -> Option<AllowedOrigins> {
    if is_every(value) {
        return Some(AllowedOrigins::Any);
    }
    let origins = match value {
        Value::List(items) => list(items, at, report, origin)?,
        value => vec![origin(value, at, report)?],
    };
    Some(AllowedOrigins::Listed(origins.into()))
}

fn origin(value: &Value, at: &At<'_>, report: &mut Report) -> Option<OriginPattern> {
    const EXPECTED: &str = "an origin such as `https://example.com`";
    let text = text(value, EXPECTED, at, report)?;
    match OriginPattern::parse(text) {
        Ok(origin) => Some(origin),
        Err(_) if text == EVERY => {
            let hint = "it stands for every origin there is, so none stands beside it";
            report.fault(at, "`*` alone, or origins", shown(text), hint.to_owned());
            None
        }
        Err(hint) => {
            report.fault(at, EXPECTED, shown(text), hint.map(str::to_owned));
            None
        }
    }
}

/// Whether a value is `*`, alone or as the only one of a list.
fn is_every(value: &Value) -> bool {
    match value {
        Value::List(items) => matches!(&items[..], [only] if only.as_str() == Some(EVERY)),
        value => value.as_str() == Some(EVERY),
    }
}

type Name = fn(&Value, &At<'_>, &mut Report) -> Option<String>;

/// One name or several as a list; `Some(None)` where `*` says that it is all.
fn names(
    value: &Value,
    name: Name,
    at: &At<'_>,
    report: &mut Report,
) -> Option<Option<HeaderValue>> {
    if is_every(value) {
        return Some(None);
    }
    let names = match value {
        Value::List(items) => list(items, at, report, name)?,
        value => vec![name(value, at, report)?],
    };
    let names = HeaderValue::try_from(names.join(", ")).expect("tokens are visible ASCII");
    Some(Some(names))
}

/// A method. Browsers compare them letter by letter, and send most as they are.
fn method(value: &Value, at: &At<'_>, report: &mut Report) -> Option<String> {
    const EXPECTED: &str = "a method such as `PUT`";
    let text = text(value, EXPECTED, at, report)?;
    let upper = text.to_ascii_uppercase();
    if is_token(text.as_bytes()) && text != EVERY && text == upper {
        return Some(upper);
    }
    let hint = (is_token(text.as_bytes()) && text != EVERY).then(|| did_you_mean(&upper));
    report.fault(at, EXPECTED, shown(text), hint);
    None
}

/// The name of a field.
fn field(value: &Value, at: &At<'_>, report: &mut Report) -> Option<String> {
    const EXPECTED: &str = "a field name such as `X-Request-Id`";
    let text = text(value, EXPECTED, at, report)?;
    if is_token(text.as_bytes()) && text != EVERY {
        return Some(text.to_owned());
    }
    report.fault(at, EXPECTED, shown(text), None);
    None
}
