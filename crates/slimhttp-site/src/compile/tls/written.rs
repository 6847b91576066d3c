//! Reads the value of the option `tls`: `'auto'`, a list of certificates, or a table. What depends
//! on the machine or on other options is checked by the module around.

use std::path::Path;
use std::sync::Arc;

use super::super::plain::{did_you_mean, given, known_keys, list, shown, text};
use super::super::read::path_of;
use super::super::report::{At, Report};
use crate::config::options::{CLIENT_AUTH_KEYS, CLIENT_AUTH_MODES, Shape, TLS_KEYS, UNTIL_ISSUED};
use crate::config::spelling::nearest;
use crate::config::value::{Table, Value};
use crate::routing::host::HostKey;
use crate::site::tls::{
    AutomaticNames, CertificateFiles, ClientAuth, ClientAuthMode, TlsVersions, UntilIssued,
};

/// How many names one certificate may have: what the usual authorities sign.
const MOST_NAMES: usize = 100;
/// How many certificates a scope may have: there are not as many kinds of keys.
const MOST_CERTIFICATES: usize = 8;
/// The word for a certificate that the server obtains.
const AUTO: &str = "auto";

/// What the option says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in super::super) struct WrittenTls {
    pub(super) certificates: Option<WrittenCertificates>,
    pub(super) versions: Option<TlsVersions>,
    pub(super) client_auth: Option<Option<ClientAuth>>,
    pub(super) until_issued: Option<UntilIssued>,
}

/// What it names as certificates.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum WrittenCertificates {
    /// One that is obtained, also for these names.
    Automatic(AutomaticNames),
    /// Those of these files, and where they stand.
    Files(Vec<CertificateFiles>, Form),
}

/// Where the files of certificates stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `tls.cert`
    Pair,
    /// `tls.certificates[0].cert`
    Certificates,
    /// `tls[0].cert`
    List,
}

/// Reads the option. `None` where it is wrong, which the report then says.
pub(in super::super) fn read(
    value: &Value,
    base: &Path,
    at: &At<'_>,
    report: &mut Report,
) -> Option<WrittenTls> {
    let certificates = match value {
        Value::String(text) if &**text == AUTO => WrittenCertificates::Automatic(Arc::default()),
        Value::List(items) => {
            WrittenCertificates::Files(certificates(items, base, at, report)?, Form::List)
        }
        Value::Table(table) => return read_table(table, base, at, report),
        value => {
            let hint = value.as_str().map(|text| match text.to_ascii_lowercase().as_str() {
                AUTO | "automatic" | "acme" | "letsencrypt" => did_you_mean(AUTO),
                _ => "a certificate is a table: `{'cert': 'cert.pem', 'key': 'key.pem'}`".into(),
            });
            report.fault(at, Shape::Tls.to_string(), value.described(), hint);
            return None;
        }
    };
    Some(WrittenTls { certificates: Some(certificates), ..WrittenTls::default() })
}

fn read_table(table: &Table, base: &Path, at: &At<'_>, report: &mut Report) -> Option<WrittenTls> {
    let before = report.faults.len();
    known_keys(table, TLS_KEYS, at, report);
    let certificates = named(table, base, at, report);
    let read = WrittenTls {
        certificates,
        versions: given(table, "versions")
            .and_then(|value| versions(value, &at.key("versions"), report)),
        client_auth: given(table, "client_auth")
            .and_then(|value| client_auth(value, base, &at.key("client_auth"), report)),
        until_issued: given(table, "until_issued").and_then(|value| {
            let at = at.key("until_issued");
            Some(match word(UNTIL_ISSUED, value, &at, report)? {
                "refuse" => UntilIssued::Refuse,
                _ => UntilIssued::SelfSigned,
            })
        }),
    };
    (report.faults.len() == before).then_some(read)
}

/// What a table names as certificates, in one of the two ways.
fn named(
    table: &Table,
    base: &Path,
    at: &At<'_>,
    report: &mut Report,
) -> Option<WrittenCertificates> {
    let names = given(table, "names");
    let automatic = given(table, "cert").and_then(Value::as_str) == Some(AUTO);
    if let Some(names) = names.filter(|_| !automatic) {
        let hint = "they are further names of a certificate that the server obtains";
        report.fault(&at.key("names"), "`cert`: `auto` beside it", None, hint.to_owned());
        further_names(names, &at.key("names"), report);
    }
    if let Some(items) = given(table, "certificates") {
        let at_items = at.key("certificates");
        if ["cert", "key"].iter().any(|key| given(table, key).is_some()) {
            let hint = "leave out `cert` and `key`, or `certificates`".to_owned();
            let expected = "the certificates in one place";
            report.fault(&at_items, expected, "them in two".to_owned(), hint);
        }
        let Value::List(items) = items else {
            let expected = "a list of tables of `cert` and `key`";
            report.fault(&at_items, expected, items.described(), None);
            return None;
        };
        let read = certificates(items, base, &at_items, report)?;
        return Some(WrittenCertificates::Files(read, Form::Certificates));
    }
    if automatic {
        if given(table, "key").is_some() {
            let hint = "the key of a certificate that the server obtains is made by it".to_owned();
            report.fault(&at.key("key"), "no `key` beside `auto`", None, hint);
        }
        let names = match names {
            Some(names) => further_names(names, &at.key("names"), report)?,
            None => Arc::default(),
        };
        return Some(WrittenCertificates::Automatic(names));
    }
    if ["cert", "key"].iter().all(|key| given(table, key).is_none()) {
        return None;
    }
    Some(WrittenCertificates::Files(vec![pair(table, base, at, report)?], Form::Pair))
}

/// A list of certificates.
fn certificates(
    items: &[Value],
    base: &Path,
    at: &At<'_>,
    report: &mut Report,
) -> Option<Vec<CertificateFiles>> {
    if items.is_empty() || items.len() > MOST_CERTIFICATES {
        let expected = format!("a list of 1 to {MOST_CERTIFICATES} certificates");
        report.fault(at, expected, format!("a list of {}", items.len()), None);
        return None;
    }
    let read: Vec<_> = items
        .iter()
        .enumerate()
        .map(|(number, value)| {
            let at = at.index(number);
            let Value::Table(table) = value else {
                report.fault(&at, "a table of `cert` and `key`", value.described(), None);
                return None;
            };
            let known = known_keys(table, &["cert", "key"], &at, report);
            if given(table, "cert").and_then(Value::as_str) == Some(AUTO) {
                let hint = "`auto` stands alone: `tls` = `auto`".to_owned();
                report.fault(&at.key("cert"), "a path", "`auto`".to_owned(), hint);
                return None;
            }
            pair(table, base, &at, report).filter(|_| known)
        })
        .collect();
    read.into_iter().collect()
}

/// A certificate and its key, which may stand in the same file.
pub(in super::super) fn pair(
    table: &Table,
    base: &Path,
    at: &At<'_>,
    report: &mut Report,
) -> Option<CertificateFiles> {
    let certificate = match given(table, "cert") {
        Some(value) => path_of(value, base, &at.key("cert"), report),
        None => {
            let hint = "`cert` and `key` belong together".to_owned();
            report.fault(&at.key("cert"), "a path", None, hint);
            None
        }
    };
    let key = match given(table, "key") {
        Some(value) => path_of(value, base, &at.key("key"), report),
        // One file may hold both.
        None => certificate.clone(),
    };
    Some(CertificateFiles { certificate: certificate?.into(), key: key?.into() })
}

/// Names in normal form, each once.
fn further_names(value: &Value, at: &At<'_>, report: &mut Report) -> Option<AutomaticNames> {
    let names = match value {
        Value::List(items) if items.len() > MOST_NAMES => {
            let expected = format!("a list of at most {MOST_NAMES} names");
            report.fault(at, expected, format!("a list of {}", items.len()), None);
            return None;
        }
        Value::List(items) => list(items, at, report, further_name)?,
        value => vec![further_name(value, at, report)?],
    };
    for (number, name) in names.iter().enumerate() {
        if names[..number].contains(name) {
            report.fault(&at.index(number), "every name once", shown(name), None);
            return None;
        }
    }
    Some(names.into())
}

fn further_name(value: &Value, at: &At<'_>, report: &mut Report) -> Option<Arc<str>> {
    let written = text(value, "a host name", at, report)?;
    let key = match HostKey::parse(written) {
        Ok(key) if key.port.is_none() => key,
        Ok(_) => {
            report.fault(at, "a host name without a port", shown(written), None);
            return None;
        }
        Err(expected) => {
            report.fault(at, expected, shown(written), None);
            return None;
        }
    };
    Some(if key.wildcard { format!("*.{}", key.name).into() } else { key.name })
}

fn versions(value: &Value, at: &At<'_>, report: &mut Report) -> Option<TlsVersions> {
    let read = match value {
        Value::List(items) => list(items, at, report, version)?,
        value => vec![version(value, at, report)?],
    };
    Some(match (read.contains(&TlsVersions::Only12), read.contains(&TlsVersions::Only13)) {
        (true, false) => TlsVersions::Only12,
        (false, true) => TlsVersions::Only13,
        _ => TlsVersions::All,
    })
}

fn version(value: &Value, at: &At<'_>, report: &mut Report) -> Option<TlsVersions> {
    let hint = match value {
        Value::String(text) => match text.trim_start_matches(['T', 'L', 'S', 'v', ' ']) {
            "1.2" if &**text == "1.2" => return Some(TlsVersions::Only12),
            "1.3" if &**text == "1.3" => return Some(TlsVersions::Only13),
            meant @ ("1.2" | "1.3") => Some(did_you_mean(meant)),
            "1.0" | "1.1" | "1" => Some("older versions are not spoken".to_owned()),
            _ => None,
        },
        Value::Float(_) => Some("write it in quotes".to_owned()),
        _ => None,
    };
    let found = if value.as_str().is_some() { value.to_string() } else { value.described() };
    report.fault(at, "`1.2` or `1.3`", found, hint);
    None
}

fn client_auth(
    value: &Value,
    base: &Path,
    at: &At<'_>,
    report: &mut Report,
) -> Option<Option<ClientAuth>> {
    let (authorities, mode) = match value {
        Value::Bool(false) => return Some(None),
        Value::String(_) => (path_of(value, base, at, report)?, ClientAuthMode::Require),
        Value::Table(table) => {
            let known = known_keys(table, CLIENT_AUTH_KEYS, at, report);
            let mode = match given(table, "mode") {
                None => Some(ClientAuthMode::Require),
                Some(value) => {
                    word(CLIENT_AUTH_MODES, value, &at.key("mode"), report).map(|word| match word {
                        "optional" => ClientAuthMode::Optional,
                        _ => ClientAuthMode::Require,
                    })
                }
            };
            let Some(authorities) = given(table, "ca") else {
                let expected = "a path";
                let hint = "the certificates of the authorities that sign those of clients";
                report.fault(&at.key("ca"), expected, None, hint.to_owned());
                return None;
            };
            let authorities = path_of(authorities, base, &at.key("ca"), report);
            if !known {
                return None;
            }
            (authorities?, mode?)
        }
        value => {
            let expected = "a path, a table of `ca` and `mode`, or `false`";
            report.fault(at, expected, value.described(), None);
            return None;
        }
    };
    Some(Some(ClientAuth { authorities: authorities.into(), mode }))
}

/// One of a few words.
fn word(
    words: &'static [&'static str],
    value: &Value,
    at: &At<'_>,
    report: &mut Report,
) -> Option<&'static str> {
    let expected = Shape::OneOf(words).to_string();
    let written = text(value, &expected, at, report)?;
    let found = words.iter().find(|word| **word == written).copied();
    if found.is_none() {
        let meant = nearest(written, words.iter().copied()).map(did_you_mean);
        report.fault(at, expected, shown(written), meant);
    }
    found
}
