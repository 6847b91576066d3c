//! What a scope says of TLS, put together from `tls`, `ssl`, `cert` and `key`, and what binds
//! these. It looks at the disk through [`CompileEnv::look`] and opens nothing: whether files hold
//! what they are to hold is found by the server crate.

use std::path::Path;
use std::sync::Arc;

use super::hosts::Compiled;
use super::layer::Layer;
use super::read::Checked;
use super::report::{At, Report};
use super::{CompileEnv, PathKind};
use crate::config::value::Table;
use crate::routing::host::HostKey;
use crate::site::tls::{CertificateFiles, Certificates, OwnTls, SiteTls};
use crate::site::{Scope, Site};

mod written;

use written::{Form, WrittenCertificates};
pub(super) use written::{WrittenTls, pair, read};

/// The options that name certificates.
const KEYS: [&str; 4] = ["tls", "ssl", "cert", "key"];

/// What is known beside the table of a scope.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) env: &'a CompileEnv<'a>,
    /// Whether TLS is spoken anywhere.
    pub(super) speaks_tls: bool,
    /// What stands in the table, and what it came to when it was compiled last, with what stood
    /// there then.
    pub(super) table: &'a Table,
    pub(super) before: Option<(&'a Table, &'a Arc<OwnTls>)>,
}

impl<'a> Around<'a> {
    /// What was said before, if it was written as it is now: it stays what it was resolved to, and
    /// nobody looks at it again.
    fn unedited(self) -> Option<&'a OwnTls> {
        let (written, before) = self.before.filter(|_| !self.env.resolve_anew)?;
        let same = |key: &str| self.table.get(key) == written.get(key);
        KEYS.into_iter().all(same).then_some(before)
    }

    /// Whether these files were in force until now: a running server keeps what it has read, so
    /// files that are gone are no fault of it.
    fn were_read(self, files: &CertificateFiles) -> bool {
        match self.before.and_then(|(_, before)| before.certificates.as_ref()) {
            Some(Certificates::Files(before)) => before.contains(files),
            Some(Certificates::Usual(before)) => before == files,
            Some(Certificates::Automatic(_)) | None => false,
        }
    }
}

/// What the global level says: where it names no certificate, `cert.pem` and `key.pem`, which
/// slimHTTP has always looked for.
pub(super) fn of_global(
    own: &Layer,
    around: Around<'_>,
    at: &At<'_>,
    report: &mut Report,
) -> Arc<OwnTls> {
    let mut tls = of(own, true, around, at, report);
    tls.certificates.get_or_insert_with(|| match around.unedited() {
        Some(OwnTls { certificates: Some(usual @ Certificates::Usual(_)), .. }) => usual.clone(),
        _ => Certificates::Usual(usual_files(&around.env.base)),
    });
    match around.before {
        Some((_, before)) if **before == tls => Arc::clone(before),
        _ => Arc::new(tls),
    }
}

/// What a virtual host says, if it says anything. `key` is `None` where its own is wrong.
pub(super) fn of_host(
    own: &Layer,
    key: Option<&HostKey>,
    around: Around<'_>,
    at: &At<'_>,
    report: &mut Report,
) -> Option<Arc<OwnTls>> {
    let tls = of(own, false, around, at, report);
    if tls == OwnTls::default() {
        return None;
    }
    if let Some(key) = key {
        has_a_name(&tls, key, if own.has("tls") { "tls" } else { "ssl" }, at, report);
    }
    match around.before {
        Some((_, before)) if **before == tls => Some(Arc::clone(before)),
        _ => Some(Arc::new(tls)),
    }
}

/// A client that connects to an address names none (RFC 6066 section 3): what is said for one
/// would never hold.
fn has_a_name(tls: &OwnTls, key: &HostKey, option: &str, at: &At<'_>, report: &mut Report) {
    let hint = "clients that connect to an address name none: what holds for them, and an \
                automatic certificate for it, stands at the global level";
    if key.is_address() {
        let expected = format!("`{option}` of a host name");
        let found = format!("that of the address `{}`", key.name);
        report.fault(&at.key(option), expected, found, hint.to_owned());
    }
    let Some(Certificates::Automatic(names)) = &tls.certificates else { return };
    let tls = at.key("tls");
    for name in names.iter() {
        let Ok(further) = HostKey::parse(name) else { continue };
        let found = format!("`{name}`");
        if further.is_address() {
            report.fault(&tls.key("names"), "names of hosts", found, hint.to_owned());
        } else if further.name == key.name && further.wildcard == key.wildcard {
            let found = format!("{found}, the name of the host itself");
            report.fault(&tls.key("names"), "further names", found, None);
        }
    }
}

fn usual_files(base: &Path) -> CertificateFiles {
    CertificateFiles { certificate: base.join("cert.pem").into(), key: base.join("key.pem").into() }
}

fn of(
    own: &Layer,
    is_global: bool,
    around: Around<'_>,
    at: &At<'_>,
    report: &mut Report,
) -> OwnTls {
    let written = match own.get("tls") {
        Some(Checked::Tls(written)) => WrittenTls::clone(written),
        _ => WrittenTls::default(),
    };
    let named = named(own, written.certificates.as_ref(), at, report);
    let certificates = match (&named, &written.certificates) {
        (Some((files, _)), _) => Some(Certificates::Files(files.as_slice().into())),
        (None, Some(WrittenCertificates::Automatic(names))) => {
            Some(Certificates::Automatic(Arc::clone(names)))
        }
        (None, _) => None,
    };
    let WrittenTls { versions, client_auth, until_issued, .. } = written;
    let mut tls = OwnTls { certificates, versions, client_auth, until_issued };
    if let Some(before) = around.unedited() {
        keep_resolved(&mut tls, before);
        return tls;
    }
    if let Some((files, places)) = named {
        let usual = usual_files(&around.env.base);
        let may_miss = is_global && files == [usual.clone()];
        for (number, files) in files.iter().enumerate() {
            let places = places.of(at, number);
            let are_there = are_there(files, is_global, may_miss, around, &places, report);
            if may_miss && !are_there {
                tls.certificates = Some(Certificates::Usual(usual.clone()));
            }
        }
    }
    authorities_are_there(&tls, around, at, report);
    tls
}

/// Puts the paths that were resolved before in place of those that would be now.
fn keep_resolved(tls: &mut OwnTls, before: &OwnTls) {
    if let (Some(now @ Certificates::Files(_)), Some(before)) =
        (&mut tls.certificates, &before.certificates)
    {
        *now = before.clone();
    }
    if let (Some(Some(now)), Some(Some(before))) = (&mut tls.client_auth, &before.client_auth) {
        now.authorities = Arc::clone(&before.authorities);
    }
}

/// Where files of certificates are named.
enum Places {
    Tls(Form),
    Ssl,
    /// `cert` and `key` of the global level, whether both are given.
    TopLevel,
}

/// The way to a table with `cert` and `key`: a number stands behind the keys.
struct PlaceOfPair<'p> {
    at: At<'p>,
    keys: [Option<&'static str>; 2],
    number: Option<usize>,
}

impl Places {
    fn of<'p>(&self, at: &At<'p>, number: usize) -> PlaceOfPair<'p> {
        let (keys, number) = match self {
            Self::TopLevel => ([None, None], None),
            Self::Ssl => ([Some("ssl"), None], None),
            Self::Tls(Form::Pair) => ([Some("tls"), None], None),
            Self::Tls(Form::List) => ([Some("tls"), None], Some(number)),
            Self::Tls(Form::Certificates) => ([Some("tls"), Some("certificates")], Some(number)),
        };
        PlaceOfPair { at: *at, keys, number }
    }
}

impl PlaceOfPair<'_> {
    /// Hands `say` the place of `key` of the pair.
    fn with(&self, key: &str, say: impl FnOnce(&At<'_>)) {
        let first = self.keys[0].map(|key| self.at.key(key));
        let first = first.as_ref().unwrap_or(&self.at);
        let second = self.keys[1].map(|key| first.key(key));
        let second = second.as_ref().unwrap_or(first);
        let item = self.number.map(|number| second.index(number));
        say(&item.as_ref().unwrap_or(second).key(key));
    }
}

/// The files that a scope names, by one of the options that may.
fn named(
    own: &Layer,
    written: Option<&WrittenCertificates>,
    at: &At<'_>,
    report: &mut Report,
) -> Option<(Vec<CertificateFiles>, Places)> {
    let in_tls = written.is_some();
    let in_ssl = match own.get("ssl") {
        Some(Checked::Certificate(files)) => Some(files),
        _ => None,
    };
    let at_top = own.has("cert") || own.has("key");
    let twice = match (in_tls, in_ssl.is_some(), at_top) {
        (_, true, true) => Some(("ssl", "leave out `cert` and `key`, or `ssl`")),
        (true, true, _) => Some(("tls", "leave out `ssl`, or the certificates of `tls`")),
        (true, _, true) => Some(("tls", "leave out `cert` and `key`, or those of `tls`")),
        _ => None,
    };
    if let Some((key, hint)) = twice {
        let expected = "the certificate in one place";
        report.fault(&at.key(key), expected, "it in two".to_owned(), hint.to_owned());
        return None;
    }
    if own.has("key") && !own.has("cert") {
        let hint = "`cert` and `key` belong together".to_owned();
        report.fault(&at.key("cert"), "a path", None, hint);
    }
    if let Some(WrittenCertificates::Files(files, form)) = written {
        return Some((files.clone(), Places::Tls(*form)));
    }
    if let Some(files) = in_ssl {
        return Some((vec![files.clone()], Places::Ssl));
    }
    let path = |key: &str| match own.get(key) {
        Some(Checked::Path(path)) => Some(Arc::from(path.as_path())),
        _ => None,
    };
    let certificate: Arc<Path> = path("cert")?;
    let key = if own.has("key") { path("key")? } else { Arc::clone(&certificate) };
    Some((vec![CertificateFiles { certificate, key }], Places::TopLevel))
}

/// What is named has to be there: a misspelt path would otherwise have the server present a
/// certificate that nobody trusts. Only where both names are those of the default configuration,
/// which programs write down, the server makes one (`may_miss`). Whether one of the two is there.
fn are_there(
    files: &CertificateFiles,
    is_global: bool,
    may_miss: bool,
    around: Around<'_>,
    place: &PlaceOfPair<'_>,
    report: &mut Report,
) -> bool {
    let CertificateFiles { certificate, key } = files;
    let kinds = [certificate, key].map(|path| (around.env.look)(path));
    let both_miss = kinds == [PathKind::Missing; 2];
    // Of one file everything is said once.
    let halves = if certificate == key { 1 } else { 2 };
    for (path, (name, kind)) in
        [certificate, key].into_iter().zip(["cert", "key"].into_iter().zip(kinds)).take(halves)
    {
        let found = format!("`{}`", path.display());
        place.with(name, |at| match kind {
            PathKind::Folder => report.fault(at, "a PEM file", format!("{found}, a folder"), None),
            // Who speaks no TLS looks at none of them.
            PathKind::Missing if both_miss && (around.were_read(files) || !around.speaks_tls) => {}
            PathKind::Missing if both_miss && may_miss => report.warn(
                at,
                format_args!("{found} does not exist; a self-signed certificate takes its place"),
            ),
            PathKind::Missing => {
                let hint = (both_miss && is_global).then(|| {
                    "a server that is to make a self-signed one names neither `cert` nor `key`"
                        .to_owned()
                });
                report.fault(at, "a PEM file that exists", found, hint);
            }
            PathKind::File | PathKind::Other => {}
        });
    }
    !both_miss
}

fn authorities_are_there(tls: &OwnTls, around: Around<'_>, at: &At<'_>, report: &mut Report) {
    let Some(Some(auth)) = &tls.client_auth else { return };
    let before = around.before.and_then(|(_, before)| before.client_auth.as_ref()?.as_ref());
    let was_read = before.is_some_and(|before| before.authorities == auth.authorities);
    let tls = at.key("tls");
    let option = tls.key("client_auth");
    let in_table = option.key("ca");
    let is_table = around
        .table
        .get("tls")
        .and_then(|value| Some(value.as_table()?.get("client_auth")?.as_table().is_some()));
    let at = if is_table == Some(true) { &in_table } else { &option };
    let found = format!("`{}`", auth.authorities.display());
    match (around.env.look)(&auth.authorities) {
        PathKind::Folder => report.fault(at, "a PEM file", format!("{found}, a folder"), None),
        PathKind::Missing if around.speaks_tls && !was_read => {
            report.fault(at, "a PEM file that exists", found, None);
        }
        _ => {}
    }
}

/// What the virtual hosts of a site say. Those of `carried` that were not touched are taken over.
pub(super) fn of_site(
    carried: Option<&Site>,
    global: &Arc<Scope>,
    hosts: &Compiled,
    report: &mut Report,
) -> SiteTls {
    let Compiled { table, touched, .. } = hosts;
    let mut tls = carried.map(|site| site.tls.clone()).unwrap_or_default();
    if let Some(site) = carried {
        let before = touched.iter().filter_map(|key| site.hosts.get(key));
        for scope in before.chain([&site.global]) {
            forget(&mut tls, scope);
        }
    }
    let now = touched.iter().filter_map(|key| table.get(key));
    for scope in now.chain([global]) {
        take(&mut tls, scope, report);
    }
    tls
}

/// Takes out what a scope has said.
fn forget(tls: &mut SiteTls, scope: &Scope) {
    if let Some(name) = &scope.name {
        tls.hosts.remove(name);
    }
    for name in further_names(scope) {
        tls.further_names.remove(name);
    }
}

/// Takes in what a scope says.
fn take(tls: &mut SiteTls, scope: &Scope, report: &mut Report) {
    let Some(own) = &scope.tls else { return };
    if let Some(name) = &scope.name {
        tls.hosts.insert(Arc::clone(name), Arc::clone(own));
    }
    for name in further_names(scope) {
        if let Some(other) = tls.further_names.get(name) {
            let other = other.as_deref().unwrap_or("the global level");
            let found = format!("`{name}`, a name of `{other}`");
            with_place(scope, |at| report.fault(at, "every name once", found, None));
        }
        tls.further_names.insert(Arc::clone(name), scope.name.clone());
    }
}

/// What a scope names beside its host.
fn further_names(scope: &Scope) -> &[Arc<str>] {
    match scope.tls.as_ref().and_then(|own| own.certificates.as_ref()) {
        Some(Certificates::Automatic(names)) => names,
        _ => &[],
    }
}

/// Hands `say` the place of the further names of a scope.
fn with_place(scope: &Scope, say: impl FnOnce(&At<'_>)) {
    let root = At::root();
    let vhosts = root.key("vhosts");
    let host = scope.name.as_ref().map(|name| vhosts.key(name));
    say(&host.as_ref().unwrap_or(&root).key("tls").key("names"));
}
