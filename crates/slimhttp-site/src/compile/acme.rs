//! Reads `acme`: whom certificates are asked of, and how.

use std::path::Path;
use std::sync::Arc;

use super::plain::{Plain, did_you_mean, given, known_keys, list, read_key, shown, text};
use super::read::path_of;
use super::report::{At, Report};
use crate::config::options::{ACME_KEYS, Shape};
use crate::config::spelling::nearest;
use crate::config::value::{Table, Value};
use crate::protocol::authority::Authority;
use crate::routing::host::HostTable;
use crate::site::acme::{
    AcmeOptions, ChallengeType, DIRECTORIES, ExternalAccount, Identifier, KEY_TYPES,
    OnDemandOptions, Secret,
};
use crate::site::{self, Scope, Site};

mod dns;

use dns::dns;

/// The keys of `on_demand`.
const ON_DEMAND_KEYS: &[&str] =
    &["allow", "per_hour", "at_once", "max_names", "timeout", "negative_ttl"];
/// How long somebody else may take.
const PATIENCE: Shape = Shape::Seconds { least: 0.1, most: 3600.0 };

/// Reads the table. Nothing here depends on other options; see [`check`].
pub(super) fn options(
    table: &Table,
    base: &Path,
    at: &At<'_>,
    report: &mut Report,
) -> Option<AcmeOptions> {
    let before = report.faults.len();
    known_keys(table, ACME_KEYS, at, report);
    let mut options = AcmeOptions::new(base);
    let mut fill = |key: &str, read: &mut dyn FnMut(&Value, &At<'_>, &mut Report)| {
        if let Some(value) = given(table, key) {
            read(value, &at.key(key), report);
        }
    };
    fill("directory", &mut |value, at, report| {
        options.directory = directory(value, at, report).unwrap_or(options.directory.clone());
    });
    fill("ca", &mut |value, at, report| options.ca = path_of(value, base, at, report));
    fill("email", &mut |value, at, report| options.email = email(value, at, report));
    fill("storage", &mut |value, at, report| {
        options.storage = path_of(value, base, at, report).unwrap_or_default();
    });
    fill("challenge", &mut |value, at, report| {
        options.challenges = challenges(value, at, report).unwrap_or_default();
    });
    fill("dns", &mut |value, at, report| {
        options.dns = dns(value, base, at, report).unwrap_or_default();
    });
    fill("eab", &mut |value, at, report| options.eab = external_account(value, at, report));
    fill("profile", &mut |value, at, report| {
        let expected = "a profile of the authority, such as `shortlived`";
        options.profile = given_word(value, expected, at, report);
    });
    fill("key_type", &mut |value, at, report| {
        options.key_type = word(KEY_TYPES, value, at, report).unwrap_or(options.key_type);
    });
    fill("on_demand", &mut |value, at, report| {
        options.on_demand = on_demand(value, at, report).flatten();
    });
    if report.faults.len() > before {
        return None;
    }
    check_account(&options, at, report);
    (report.faults.len() == before).then_some(options)
}

/// What depends on whether Python can be called: a program may set records and decide by
/// functions that no configuration names.
pub(super) fn check(options: &AcmeOptions, python: bool, at: &At<'_>, report: &mut Report) {
    if python {
        return;
    }
    if options.challenges.contains(&ChallengeType::Dns01) && options.dns.way.is_none() {
        let hint = "name a program (`dns = \"./set-record\"`), or the `server` of the zone";
        report.fault(&at.key("dns"), "how records of `dns-01` are set", None, hint.to_owned());
    }
    if options.on_demand.as_ref().is_some_and(|on_demand| on_demand.allow.is_empty()) {
        let hint = "a name that anybody makes up would get a certificate otherwise";
        let at = at.key("on_demand");
        report.fault(&at.key("allow"), "the names that may have one", None, hint.to_owned());
    }
}

/// The scopes of a site that is being compiled.
pub(super) struct Scopes<'s> {
    /// Those that the change touches.
    pub(super) touched: &'s [Arc<Scope>],
    pub(super) global: &'s Arc<Scope>,
    pub(super) hosts: &'s HostTable<Arc<Scope>>,
}

/// Keys lie in `storage`: no scope may send files from there. Asked of the scopes that a change
/// touches, and of all where `storage` is another one; where `acme` is not written nothing is
/// kept.
pub(super) fn apart(
    options: &AcmeOptions,
    written: &Table,
    in_force: Option<&Site>,
    scopes: Scopes<'_>,
    report: &mut Report,
) {
    if given(written, "acme").is_none() {
        return;
    }
    if in_force.is_some_and(|site| site.service.acme.storage == options.storage) {
        sends_none(options, scopes.touched.iter(), report);
    } else {
        sends_none(options, site::scopes(scopes.global, scopes.hosts), report);
    }
}

fn sends_none<'s>(
    options: &AcmeOptions,
    scopes: impl Iterator<Item = &'s Arc<Scope>>,
    report: &mut Report,
) {
    for scope in scopes {
        let roots = [&scope.options.web_root, &scope.options.private_root];
        let Some(root) = roots.into_iter().flatten().find(|root| options.storage.starts_with(root))
        else {
            continue;
        };
        let expected = "a folder that no file is sent from: keys lie there";
        let found = format!(
            "`{}`, below `{}`, the folder of {scope}",
            options.storage.display(),
            root.display()
        );
        report.fault(&At::root().key("acme").key("storage"), expected, found, None);
    }
}

/// Some authorities have accounts that were opened elsewhere only.
fn check_account(options: &AcmeOptions, at: &At<'_>, report: &mut Report) {
    let named = DIRECTORIES.iter().find(|(_, url, _)| *url == &*options.directory);
    if let Some((name, _, true)) = named
        && options.eab.is_none()
    {
        let hint = "they are shown in the account with the authority".to_owned();
        let expected = format!("`kid` and `key`, without which `{name}` has no account");
        report.fault(&at.key("eab"), expected, None, hint);
    }
}

/// A name of [`DIRECTORIES`], or a URL.
fn directory(value: &Value, at: &At<'_>, report: &mut Report) -> Option<Arc<str>> {
    let expected = || {
        let names: Vec<_> = DIRECTORIES.iter().map(|(name, ..)| format!("`{name}`")).collect();
        format!("{}, or the `https` URL of a directory", names.join(", "))
    };
    let text = text(value, &expected(), at, report)?;
    if let Some((_, url, _)) = DIRECTORIES.iter().find(|(name, ..)| *name == text) {
        return Some((*url).into());
    }
    if is_https(text) {
        return Some(text.into());
    }
    let hint = if text.starts_with("http://") {
        Some("an account and its orders are sent over TLS only".to_owned())
    } else {
        nearest(text, DIRECTORIES.iter().map(|(name, ..)| *name)).map(did_you_mean)
    };
    report.fault(at, expected(), shown(text), hint);
    None
}

/// Whether a text is an absolute URL that TLS is spoken to.
fn is_https(text: &str) -> bool {
    let Ok(uri) = text.parse::<http::Uri>() else { return false };
    let authority = uri.authority();
    uri.scheme_str() == Some("https")
        && authority.is_some_and(|authority| !authority.as_str().contains('@'))
        && authority.is_some_and(|it| Authority::parse(it.as_str().as_bytes()).is_some())
}

fn email(value: &Value, at: &At<'_>, report: &mut Report) -> Option<Arc<str>> {
    const EXPECTED: &str = "an address such as `admin@example.com`";
    let text = text(value, EXPECTED, at, report)?;
    // RFC 8555 section 7.3 has it as a `mailto` URL with one address and no fields.
    let fits = |byte: u8| byte.is_ascii_graphic() && !b":?,;<>\"()%".contains(&byte);
    let is_address = text
        .split_once('@')
        .is_some_and(|(user, host)| !user.is_empty() && !host.is_empty() && !host.contains('@'));
    if is_address && text.bytes().all(fits) {
        return Some(text.into());
    }
    let hint = text.strip_prefix("mailto:").map(|address| format!("write it as `{address}`"));
    report.fault(at, EXPECTED, shown(text), hint);
    None
}

/// One type or several, each once.
fn challenges(value: &Value, at: &At<'_>, report: &mut Report) -> Option<Vec<ChallengeType>> {
    let read = match value {
        Value::List(items) => list(items, at, report, challenge)?,
        value => vec![challenge(value, at, report)?],
    };
    let mut challenges = Vec::new();
    for challenge in read {
        if !challenges.contains(&challenge) {
            challenges.push(challenge);
        }
    }
    Some(challenges)
}

fn challenge(value: &Value, at: &At<'_>, report: &mut Report) -> Option<ChallengeType> {
    let known = ChallengeType::ALL.map(|challenge| (challenge.name(), challenge));
    word(&known, value, at, report)
}

/// One of some words.
fn word<T: Copy>(
    known: &[(&'static str, T)],
    value: &Value,
    at: &At<'_>,
    report: &mut Report,
) -> Option<T> {
    let names: Vec<_> = known.iter().map(|(name, _)| format!("`{name}`")).collect();
    let expected = names.join(" or ");
    let text = text(value, &expected, at, report)?;
    let found = known.iter().find(|(name, _)| *name == text);
    if found.is_none() {
        let meant = nearest(text, known.iter().map(|(name, _)| *name));
        report.fault(at, expected, shown(text), meant.map(did_you_mean));
    }
    found.map(|(_, meant)| *meant)
}

/// A key. What is wrong with it is told without showing it.
fn secret(
    value: &Value,
    expected: &str,
    fits: fn(&str) -> bool,
    at: &At<'_>,
    report: &mut Report,
) -> Option<Secret> {
    match value.as_str() {
        Some(text) if fits(text) => Some(Secret(text.into())),
        Some(_) => {
            report.fault(at, expected, "a text that is none".to_owned(), None);
            None
        }
        None => {
            report.fault(at, expected, value.kind().to_owned(), None);
            None
        }
    }
}

/// RFC 4648 section 5, as authorities show it: with padding or without.
fn is_base64url(text: &str) -> bool {
    let bare = text.trim_end_matches('=');
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !bare.is_empty() && bare.bytes().all(fits) && bare.len() % 4 != 1
}

fn external_account(value: &Value, at: &At<'_>, report: &mut Report) -> Option<ExternalAccount> {
    let Value::Table(table) = value else {
        report.fault(at, "a table of `kid` and `key`", value.described(), None);
        return None;
    };
    let known = known_keys(table, &["kid", "key"], at, report);
    let mut missing = |key: &str| {
        let hint = "`kid` and `key` belong together: the authority shows both".to_owned();
        report.fault(&at.key(key), "what the authority has given", None, hint);
    };
    let (kid, key) = (given(table, "kid"), given(table, "key"));
    if kid.is_none() {
        missing("kid");
    }
    if key.is_none() {
        missing("key");
    }
    let kid = kid.and_then(|value| {
        let expected = "a text without spaces, as the authority has given it";
        given_word(value, expected, &at.key("kid"), report)
    });
    let key = key.and_then(|value| {
        secret(value, "a key in base64url", is_base64url, &at.key("key"), report)
    });
    let account = ExternalAccount { kid: kid?, key: key? };
    known.then_some(account)
}

/// A word that means something to the authority.
fn given_word(value: &Value, expected: &str, at: &At<'_>, report: &mut Report) -> Option<Arc<str>> {
    let text = text(value, expected, at, report)?;
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Some(text.into());
    }
    report.fault(at, expected, shown(text), None);
    None
}

/// `true`, names, or a table. `Some(None)`: no names.
fn on_demand(value: &Value, at: &At<'_>, report: &mut Report) -> Option<Option<OnDemandOptions>> {
    let table = match value {
        Value::Bool(on) => return Some(on.then(OnDemandOptions::default)),
        Value::Table(table) => table,
        value => {
            let allow = allowed(value, at, report)?;
            return Some(Some(OnDemandOptions { allow, ..OnDemandOptions::default() }));
        }
    };
    let before = report.faults.len();
    known_keys(table, ON_DEMAND_KEYS, at, report);
    let mut options = OnDemandOptions::default();
    if let Some(value) = given(table, "allow") {
        options.allow = allowed(value, &at.key("allow"), report).unwrap_or_default();
    }
    let mut number = |key: &str, most: u64, place: &mut usize| {
        let shape = Shape::WholeNumber { least: 1, most };
        if let Some(Plain::Number(number)) = read_key(table, key, shape, at, report) {
            *place = usize::try_from(number).unwrap_or(*place);
        }
    };
    number("per_hour", 100_000, &mut options.per_hour);
    number("at_once", 64, &mut options.at_once);
    number("max_names", 1_000_000, &mut options.max_names);
    let negative = Shape::SecondsOrOff { most: 86_400.0 };
    for (key, shape, place) in [
        ("timeout", PATIENCE, &mut options.timeout),
        ("negative_ttl", negative, &mut options.negative_ttl),
    ] {
        if let Some(Plain::Seconds(seconds)) = read_key(table, key, shape, at, report) {
            *place = seconds;
        }
    }
    (report.faults.len() == before).then_some(Some(options))
}

fn allowed(value: &Value, at: &At<'_>, report: &mut Report) -> Option<Vec<Identifier>> {
    match value {
        Value::List(items) => list(items, at, report, allowed_name),
        value => allowed_name(value, at, report).map(|name| vec![name]),
    }
}

fn allowed_name(value: &Value, at: &At<'_>, report: &mut Report) -> Option<Identifier> {
    let text = text(value, "`true`, names, or a table of `allow` and limits", at, report)?;
    match Identifier::parse(text) {
        Ok(Identifier::Ip(_)) => {
            let hint = "no client names an address in a handshake".to_owned();
            report.fault(at, "a host name", shown(text), hint);
            None
        }
        Ok(name) => Some(name),
        Err(expected) => {
            report.fault(at, expected, shown(text), None);
            None
        }
    }
}
