//! The rules of a scope's responses, option by option: its own table over what it inherits.
//! Scopes with the same rules share one value.

use std::sync::Arc;

use http::header::{self, HeaderName, HeaderValue};

use super::files::shared;
use super::layer::Layers;
use super::report::{At, Report};
use super::rules::Rule;
use crate::config::value::Value;
use crate::files::file_rules::{AnswerRules, FieldRule};
use crate::protocol::cors::is_cors_field;
use crate::protocol::https::Hsts;
use crate::site::{Scope, ScopeOptions, Site};

/// The rules of a scope. `outer` is the scope that it inherits from, `before`
/// what it was.
pub(super) fn rules(
    own: Layers<'_>,
    outer: Option<&ScopeOptions>,
    before: Option<&ScopeOptions>,
) -> Arc<AnswerRules> {
    let outer = outer.map(|options| &options.answers);
    let mut rules = outer.map(|outer| (**outer).clone()).unwrap_or_default();
    if let Some(Rule::Redirects(redirects)) = own.rule("redirects") {
        rules.redirects = redirects.clone();
    }
    if let Some(Rule::Rewrites(rewrites)) = own.rule("rewrites") {
        rules.rewrites = rewrites.clone();
    }
    if let Some(Rule::ErrorPages(pages)) = own.rule("error_pages") {
        rules.error_pages = Arc::clone(pages);
    }
    if let Some(Rule::Fields(fields)) = own.rule("response_headers") {
        rules.response_headers = Arc::clone(fields);
    }
    match own.flag("security_headers") {
        Some(true) => rules.default_headers = security_headers(),
        Some(false) => rules.default_headers = Arc::default(),
        None => {}
    }
    if let Some(Rule::HttpsRedirect(redirect)) = own.rule("redirect_https") {
        rules.redirect_https = *redirect;
    }
    if let Some(Rule::Hsts(hsts)) = own.rule("hsts") {
        rules.hsts = hsts.clone();
    }
    if let Some(Rule::Cors(cors)) = own.rule("cors") {
        rules.cors = cors.clone();
    }
    shared(rules, outer, before.map(|before| &before.answers))
}

/// Says where `cors` and a table of header fields both speak to pages of other
/// origins. A scope that gives neither has what it inherits, which was looked at
/// there.
pub(super) fn cors_alone(
    own: Layers<'_>,
    options: &ScopeOptions,
    at: &At<'_>,
    report: &mut Report,
) {
    const KEYS: [&str; 3] = ["cors", "file_headers", "response_headers"];
    let Some(given) = KEYS.into_iter().find(|key| own.own.has(key)) else { return };
    if options.answers.cors.is_none() {
        return;
    }
    let is_one = |rule: &FieldRule| is_cors_field(rule.name());
    let of_answers = options.answers.response_headers.iter().any(is_one);
    let of_files = || options.files.file_headers.values().any(|rules| rules.iter().any(is_one));
    let other = match () {
        () if of_answers => "response_headers",
        () if of_files() => "file_headers",
        () => return,
    };
    let expected = format!("either `cors` or `Access-Control-` fields in `{other}`");
    let hint = "`cors` sends these fields itself, and answers preflights; take the others out";
    report.fault(&at.key(given), expected, "both".to_owned(), hint.to_owned());
}

/// Says where `hsts` stands and would never be sent, for no client comes by https. The global level
/// is told by a change that touches it.
pub(super) fn unheard_hsts<'s>(
    site: &Site,
    touched: impl Iterator<Item = &'s Arc<Scope>>,
    before: Option<&Site>,
) -> Vec<String> {
    let (mut report, root) = (Report::default(), At::root());
    let (written, hosts) = (site.config.root(), root.key("vhosts"));
    let is_known = |scope| before.is_some_and(|before| Arc::ptr_eq(&before.global, scope));
    let of_hosts = touched.filter(|scope| scope.mount.is_none() && !is_known(scope));
    for scope in of_hosts.filter(|_| !site.service.speaks_tls()) {
        let (at, table) = match scope.name.as_deref() {
            None => (root, Some(written)),
            Some(name) => {
                let vhosts = written.get("vhosts").and_then(Value::as_table);
                (hosts.key(name), vhosts.and_then(|hosts| hosts.get(name)?.as_table()))
            }
        };
        let is_said = table.and_then(|table| table.get("hsts")).is_some_and(|it| !it.is_null());
        let is_on = matches!(scope.options.answers.hsts, Hsts::On(_));
        if is_said && is_on && scope.options.trusted_proxies.is_empty() {
            let why = "is said over https only, which this server does not speak; a proxy in front \
                       that does is to be named in `trusted_proxies`";
            report.warn(&at.key("hsts"), why);
        }
    }
    report.warnings
}

/// What `security_headers` sets: no guessing of types, no full address to other
/// hosts, no foreign frames and windows, no devices; and over TLS, that it stays
/// TLS (RFC 6797 section 7.2 forbids to say so without).
fn security_headers() -> Arc<[(HeaderName, HeaderValue, bool)]> {
    let field = |name, value, over_tls| (name, HeaderValue::from_static(value), over_tls);
    Arc::new([
        field(header::X_CONTENT_TYPE_OPTIONS, "nosniff", false),
        field(header::REFERRER_POLICY, "strict-origin-when-cross-origin", false),
        field(header::X_FRAME_OPTIONS, "SAMEORIGIN", false),
        field(HeaderName::from_static("cross-origin-opener-policy"), "same-origin", false),
        field(
            HeaderName::from_static("permissions-policy"),
            "camera=(), microphone=(), geolocation=()",
            false,
        ),
        field(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000", true),
    ])
}
