//! The plan of a request: a closed set of actions, as data.
//!
//! The server crate calls [`Site::plan`] once for each request, on the I/O thread of its
//! connection, and performs the actions in order until one of them answers. A plan
//! borrows from the site, so it is as old as the snapshot that the request began with.

use std::sync::Arc;

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, Version};

use crate::files::file_rules::TryFile;
use crate::protocol::authority::Authority;
use crate::protocol::max_forwards;
use crate::protocol::methods::Methods;
use crate::protocol::refusal::Refusal;
use crate::protocol::websocket::{self, Handshake, Origins, WebSocketRules};
use crate::routing::path::readings::Readings;
use crate::routing::path::{SafePath, Target};
use crate::routing::route::{HandlerId, Params, RouteKind, RouteMatch};
use crate::site::application::{Interface, MountedApplication};
use crate::site::{Module, Proxy, Scope, Scripts, Site};

mod https;
mod named_host;
mod transport;

pub use named_host::authority;
pub use transport::{Security, Transport};

/// What a request asks, before its body.
#[derive(Clone, Copy, Debug)]
pub struct Head<'u, 'h> {
    /// The method.
    pub method: &'h Method,
    /// The request target, as most libraries give it: origin form,
    /// absolute form, authority form or `*`.
    pub uri: &'u Uri,
    /// The protocol version.
    pub version: Version,
    /// The header fields.
    pub headers: &'h HeaderMap,
    /// How it has come.
    pub transport: Transport,
}

/// Who answers and how, in the order in which they are asked.
#[derive(Debug)]
pub struct Plan<'s, 'r> {
    /// The scope that the host picked: the global level or a virtual host.
    pub host: &'s Arc<Scope>,
    /// The scope that answers: the mount of that one that has the path, else itself.
    pub scope: &'s Arc<Scope>,
    /// The target; `None` where the sole action refuses it, and for `*`.
    pub target: Option<Target<'r>>,
    /// The actions: the first that replies ends the request.
    pub actions: Actions<'s>,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Action<'s> {
    /// Ask the handler of a route, which takes requests so.
    Call(HandlerId, RouteKind, Params),
    /// Open a WebSocket for the handler of a route.
    WebSocket(HandlerId, Params, Box<Handshake>),
    /// Ask the scope's application; a request that opens a WebSocket comes with its handshake.
    Application(Arc<MountedApplication>, Option<Box<Handshake>>),
    /// Ask the scope's Python module.
    Module(&'s Module),
    /// Forward to an upstream.
    Proxy(&'s Arc<Proxy>),
    /// Send a file, or run it where it is a script.
    File(SafePath),
    /// The same where there is a regular file; what else there is, or nothing, is left to
    /// whoever is next.
    RegularFile(SafePath),
    /// Send elsewhere; every method is.
    Redirect {
        /// The value of `Location`.
        location: HeaderValue,
        /// 301, 302, 303, 307 or 308.
        status: StatusCode,
    },
    /// Tell a browser what a page of another origin may ask for: these fields,
    /// beside what every answer of the scope says ([`crate::protocol::cors::Cors::grant`]).
    Preflight(Box<HeaderMap>),
    /// Tell these methods, see [`options`](crate::files::file_reply::options).
    Options(Methods),
    /// Say no.
    Refuse(Refusal),
}

impl Site {
    /// The target in place of the one that was asked for, where a rewrite of
    /// the scope names it. The request is then planned with
    /// [`Site::plan_rewritten`]. A path that is redirected is not rewritten, to https neither.
    ///
    /// It is `None` at once where no scope rewrites anything.
    pub fn rewritten(&self, head: &Head<'_, '_>) -> Option<Uri> {
        if !self.rewrites {
            return None;
        }
        let host = self.scope_of(authority(head).ok()?.as_ref(), head.transport);
        if host.mounts.is_empty() && host.options.answers.rewrites.is_empty() {
            return None;
        }
        let target = target(head, head.uri.path_and_query()?).ok()?;
        let scope = host.at(&target.path);
        let answers = &scope.options.answers;
        if self.is_sent_to_https(scope, head) || answers.redirects.find(&target).is_some() {
            return None;
        }
        let mut parts = head.uri.clone().into_parts();
        parts.path_and_query = Some(answers.rewrites.find(&target)?.try_into().ok()?);
        Uri::from_parts(parts).ok()
    }

    /// Decides what is to be done about a request. Pure: the same head gives
    /// the same plan, whether it is then performed or only explained.
    pub fn plan<'s, 'u>(&'s self, head: &Head<'u, '_>) -> Plan<'s, 'u> {
        self.decide(head, TargetOrigin::Client)
    }

    /// The plan of a request whose target was rewritten, see
    /// [`Site::rewritten`], with what was `asked` for: whatever is redirected was so before, but
    /// to https, which the scope that answers demands by itself.
    pub fn plan_rewritten<'s, 'u>(&'s self, head: &Head<'u, '_>, asked: &Uri) -> Plan<'s, 'u> {
        self.decide(head, TargetOrigin::Rewrite { asked })
    }

    fn scope_of(&self, authority: Option<&Authority<'_>>, transport: Transport) -> &Arc<Scope> {
        match authority {
            Some(named) => self.scope_for(&named.host, named.port.unwrap_or(transport.port)),
            None => &self.global,
        }
    }

    fn decide<'s, 'u>(&'s self, head: &Head<'u, '_>, origin: TargetOrigin<'_>) -> Plan<'s, 'u> {
        if head.transport.security == Security::PlainToTls {
            return self.plain_to_tls(head);
        }
        let authority = match authority(head) {
            Ok(authority) => authority,
            Err(refusal) => return Plan::only(&self.global, Action::Refuse(refusal)),
        };
        let host = self.scope_of(authority.as_ref(), head.transport);
        // CONNECT is for forward proxies (RFC 9110 section 9.3.6): nothing here answers it.
        let Some(path_and_query) = head.uri.path_and_query() else {
            let methods = self.methods_of(host);
            return Plan::only(host, Action::Refuse(Refusal::MethodNotAllowed(methods)));
        };
        if path_and_query.as_str() == "*" {
            return Plan::only(host, self.asterisk_action(host, head));
        }
        let target = match target(head, path_and_query) {
            Ok(target) => target,
            Err(refusal) => return Plan::only(host, Action::Refuse(refusal)),
        };
        let scope = host.at(&target.path);
        let action = match self.decided((scope, authority.as_ref()), &target, head, origin) {
            Some(action) => Ok(smallvec::smallvec![action]),
            None => self.actions(host, scope, &target, head),
        };
        let actions = action.unwrap_or_else(|no| smallvec::smallvec![Action::Refuse(no)]);
        Plan { host, scope, target: Some(target), actions }
    }

    /// What the site itself answers, whoever would be asked.
    fn decided<'s>(
        &'s self,
        (scope, named): (&'s Scope, Option<&Authority<'_>>),
        target: &Target<'_>,
        head: &Head<'_, '_>,
        origin: TargetOrigin<'_>,
    ) -> Option<Action<'s>> {
        let before = origin.asked().and_then(|asked| https::target_of(head, asked));
        if let Some(action) = self.to_https(scope, named, before.as_ref().unwrap_or(target), head) {
            return Some(action);
        }
        // No browser follows a preflight that is redirected, and none sends what
        // handlers ask for, such as a token.
        let answers = &scope.options.answers;
        let preflight = answers.cors.as_ref();
        if let Some(fields) = preflight.and_then(|cors| cors.preflight(head.method, head.headers)) {
            return Some(Action::Preflight(Box::new(fields)));
        }
        if matches!(origin, TargetOrigin::Client) {
            let (location, status) = answers.redirects.find(target)?;
            return Some(Action::Redirect { location, status });
        }
        None
    }

    /// Who is asked for a target, in turn: its route, then the proxy or the module, whoever
    /// answers the method, the files and the application. Routes are those of `host`, all
    /// others those of the scope that has the path.
    ///
    /// # Errors
    /// A route of this path answers other methods only, or its handshake is refused; or who
    /// forwards it would not be sure whose it is.
    fn actions<'s>(
        &'s self,
        host: &'s Arc<Scope>,
        scope: &'s Arc<Scope>,
        target: &Target<'_>,
        head: &Head<'_, '_>,
    ) -> Result<Actions<'s>, Refusal> {
        let readings = match is_read_by_others(host, scope) {
            true => target.readings()?,
            false => Readings::new(),
        };
        if !readings.is_empty() && !host.mounts.is_empty() {
            one_mount(host, scope, target, &readings)?;
        }
        let found = match &scope.options.proxy {
            None => host.routes.find(&target.path, head.method),
            Some(_) => before_proxy(host, &readings, head.method)?,
        };
        let mut actions = Actions::new();
        match found {
            RouteMatch::Handler(handler, RouteKind::WebSocket(rules), params) => {
                let Head { method, version, headers, .. } = *head;
                let compress = scope.options.websocket.compress;
                let handshake = websocket::negotiate(method, version, headers, &rules, compress)?;
                actions.push(Action::WebSocket(handler, params, Box::new(handshake)));
                return Ok(actions);
            }
            RouteMatch::Handler(_, RouteKind::Application(app), _) => {
                actions.push(application_action(app.at(&target.path), scope, head)?);
                return Ok(actions);
            }
            RouteMatch::Handler(handler, kind, params) => {
                actions.push(Action::Call(handler, kind, params));
            }
            RouteMatch::OtherMethods(methods) => return Err(Refusal::MethodNotAllowed(methods)),
            RouteMatch::Nothing => {}
        }
        if let Some(proxy) = &scope.options.proxy {
            actions.push(proxy_action(proxy, head));
            return Ok(actions);
        }
        if let Some(module) = &scope.options.module {
            actions.push(Action::Module(module));
        }
        if let Some(handler) = self.instance.methods.find(head.method) {
            actions.push(Action::Call(handler, RouteKind::Whole, Params::new()));
        }
        match &scope.options.app {
            Some(app) => {
                actions.extend(before_application(scope, target, head.method));
                actions.push(application_action(Arc::clone(app), scope, head)?);
            }
            None if scope.options.web_root.is_some() => {
                actions.push(file_action(scope, target, head.method));
            }
            None => {}
        }
        Ok(actions)
    }
}

impl Site {
    /// What answers the target `*`, which names no resource but the server itself (RFC 9110
    /// section 7.1): who answers for the whole scope. Routes have paths, and are not asked.
    fn asterisk_action<'s>(&self, scope: &'s Scope, head: &Head<'_, '_>) -> Action<'s> {
        if *head.method != Method::OPTIONS {
            return Action::Refuse(Refusal::BadRequest("the target * is for OPTIONS"));
        }
        match &scope.options.proxy {
            Some(proxy) => proxy_action(proxy, head),
            None => Action::Options(self.methods_of(scope)),
        }
    }

    /// The methods that anything in a scope or its mounts answers, `OPTIONS` among them: it answers
    /// that to `*`.
    fn methods_of(&self, scope: &Scope) -> Methods {
        if scope.options.takes_every_method() || scope.mounts.take_every_method() {
            return Methods::Any;
        }
        let routes = scope.routes.iter().map(|route| &route.methods);
        let all = routes.fold(Methods::of_files(), |all, more| all.union(more));
        match self.instance.methods.methods() {
            Some(methods) => all.union(&methods),
            None => all,
        }
    }
}

/// Forwards a request, unless it says that it has come as far as it is to go (RFC 9110 section
/// 7.6.2). Then this server is who answers: it tells the methods, all of which the upstreams are
/// asked, and it reflects no request (section 9.3.8), which could hold what no script is to read.
fn proxy_action<'s>(proxy: &'s Arc<Proxy>, head: &Head<'_, '_>) -> Action<'s> {
    match max_forwards::of(head.method, head.headers) {
        Some(0) if *head.method == Method::OPTIONS => Action::Options(Methods::Any),
        Some(0) => Action::Refuse(Refusal::MethodNotAllowed(Methods::Any)),
        _ => Action::Proxy(proxy),
    }
}

/// Asks an application. What asks for a WebSocket opens one, unless the application is known to
/// speak WSGI, which has none.
///
/// # Errors
/// The handshake is broken, as [`websocket::negotiate`] says.
fn application_action<'s>(
    app: Arc<MountedApplication>,
    scope: &Scope,
    head: &Head<'_, '_>,
) -> Result<Action<'s>, Refusal> {
    let Head { method, version, headers, .. } = *head;
    let speaks_wsgi = app.application.spec.interface == Interface::Wsgi;
    if speaks_wsgi || !websocket::is_asked(method, version, headers) {
        return Ok(Action::Application(app, None));
    }
    let compress = scope.options.websocket.compress;
    // The application decides whose pages it serves, and which subprotocol is spoken.
    let rules = WebSocketRules { origins: Origins::Any, subprotocols: Vec::new() };
    let handshake = websocket::negotiate(method, version, headers, &rules, compress)?;
    Ok(Action::Application(app, Some(Box::new(handshake))))
}

/// Where the target that is planned comes from.
#[derive(Clone, Copy)]
enum TargetOrigin<'a> {
    /// The request line, or `:path`.
    Client,
    /// A rule of the option `rewrites`, see [`Site::rewritten`].
    Rewrite { asked: &'a Uri },
}

impl<'a> TargetOrigin<'a> {
    /// What the client has asked for, where that is another target.
    fn asked(self) -> Option<&'a Uri> {
        match self {
            Self::Client => None,
            Self::Rewrite { asked } => Some(asked),
        }
    }
}

/// The actions of a plan, in the order in which they are tried.
pub type Actions<'s> = smallvec::SmallVec<[Action<'s>; 3]>;

impl<'s, 'r> Plan<'s, 'r> {
    /// That of a request without a target of its own.
    fn only(host: &'s Arc<Scope>, action: Action<'s>) -> Self {
        Self { host, scope: host, target: None, actions: smallvec::smallvec![action] }
    }
}

/// The target of a request. Only an absolute form may leave the path out: in HTTP/2 `:path` has
/// it always (RFC 9113 section 8.3.1).
fn target<'u>(head: &Head<'u, '_>, raw: &'u PathAndQuery) -> Result<Target<'u>, Refusal> {
    match head.uri.authority() {
        Some(_) if head.version < Version::HTTP_2 => Target::parse_behind_authority(raw.as_str()),
        _ => Target::parse(raw.as_str()),
    }
}

/// Whether it matters how other servers read a target: it is forwarded, or a mount of the host
/// would forward it if it were read otherwise.
fn is_read_by_others(host: &Scope, scope: &Scope) -> bool {
    forwards(scope) || (!host.mounts.is_empty() && (forwards(host) || host.mounts.forward()))
}

fn forwards(scope: &Scope) -> bool {
    scope.options.proxy.is_some()
}

/// Sees that whoever forwards a target, or would, reads it as a path of the mount that was
/// chosen.
///
/// # Errors
/// Another reading leads to another mount, or out of it, and one of the two forwards what it
/// gets.
fn one_mount(
    host: &Arc<Scope>,
    scope: &Arc<Scope>,
    target: &Target<'_>,
    readings: &Readings<'_>,
) -> Result<(), Refusal> {
    let readings = readings.iter().map(|path| &**path);
    for path in readings.chain(target.unmerged().as_deref()) {
        let other = host.at(path);
        if !Arc::ptr_eq(scope, other) && (forwards(scope) || forwards(other)) {
            return Err(AMBIGUOUS);
        }
    }
    Ok(())
}

const AMBIGUOUS: Refusal = Refusal::BadRequest("a target that servers read in different ways");

/// The route that answers before a proxy does, in whatever way the servers behind
/// it read the target.
///
/// # Errors
/// Two readings lead to two routes.
fn before_proxy(
    scope: &Scope,
    readings: &Readings<'_>,
    method: &Method,
) -> Result<RouteMatch, Refusal> {
    let mut found = RouteMatch::Nothing;
    for path in readings.iter().filter(|_| !scope.routes.is_empty()) {
        let other = scope.routes.find(path, method);
        let agree = match (&found, &other) {
            (_, RouteMatch::Nothing) => true,
            (RouteMatch::Nothing, _) => {
                found = other.with_slashes_of_names();
                true
            }
            (RouteMatch::Handler(one, ..), RouteMatch::Handler(other, ..)) => one == other,
            (one, other) => one == other,
        };
        if !agree {
            return Err(AMBIGUOUS);
        }
    }
    Ok(found)
}

/// Files answer `GET` and `HEAD`, and tell so when asked; a script below
/// `web_root` answers every method, and whether a folder's index is one is known
/// only on disk.
fn file_action<'s>(scope: &Scope, target: &Target<'_>, method: &Method) -> Action<'s> {
    let target = target.below(scope.options.web_root_prefix());
    let Some(path) = target.safe_path() else {
        return Action::Refuse(Refusal::NotFound);
    };
    // Written out, because most requests end here.
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return Action::File(path);
    }
    if may_be_script(scope, &target) {
        Action::File(path)
    } else {
        Action::Refuse(Refusal::MethodNotAllowed(Methods::of_files()))
    }
}

/// The file that may answer before an application does: to `GET` and `HEAD`, and to every
/// method where it is a script.
fn before_application<'s>(
    scope: &Scope,
    target: &Target<'_>,
    method: &Method,
) -> Option<Action<'s>> {
    let target = target.below(scope.options.web_root_prefix());
    let may_be_file = matches!(*method, Method::GET | Method::HEAD);
    if !scope.options.files_before_app || !(may_be_file || may_be_script(scope, &target)) {
        return None;
    }
    target.safe_path().map(Action::RegularFile)
}

/// Whether the names tell that a file may be a script, which answers every method.
fn may_be_script(scope: &Scope, target: &Target<'_>) -> bool {
    let is_script = |tried: &TryFile| matches!(tried, TryFile::Path(path) if path.ends_with(".py"));
    match scope.options.scripts {
        Scripts::Off => false,
        _ if scope.options.files.try_files.iter().any(is_script) => true,
        Scripts::On | Scripts::Executable if target.is_folder() => {
            scope.options.index.iter().any(|name| name.ends_with(".py"))
        }
        Scripts::On | Scripts::Executable => target.path.ends_with(b".py"),
    }
}

#[cfg(test)]
mod tests;
