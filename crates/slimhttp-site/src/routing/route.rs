//! Routes: which handler answers a path. Exact paths first, then patterns, the
//! most specific first; a route answers nothing below its path unless it is a
//! prefix route.
//!
//! The order is total. Two routes are compared segment by segment from the
//! left, and the first segment in which they differ decides:
//!
//! 1. a literal segment;
//! 2. a variable: the one with more literal text around it, then `int`, text,
//!    `path`;
//! 3. the end of the path;
//! 4. for a prefix route whatever follows.
//!
//! So an exact path is the first of all, the longest prefix wins, `/files` with
//! `prefix` comes behind `/files/<name>` and before `/<path:rest>`. Of the
//! routes that match a path, the first in this order that has the method
//! answers.

use std::sync::Arc;

use http::Method;
use smallvec::SmallVec;

use crate::protocol::methods::Methods;
use crate::protocol::websocket::WebSocketRules;
use crate::routing::application::MountedApplication;
use crate::routing::path::readings;
use crate::routing::route::pattern::{Capture, Pattern, Shape};

pub(crate) mod pattern;
#[cfg(test)]
mod tests;

/// The number under which a handler is known outside the site. Python objects
/// never enter a site; they wait behind such a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HandlerId(pub u64);

/// How a route takes the requests that it answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum RouteKind {
    /// Once the whole body is there.
    #[default]
    Whole,
    /// Once the head is there; the handler reads the body as it comes in.
    Streamed,
    /// As the opening of a WebSocket.
    WebSocket(Arc<WebSocketRules>),
    /// As any request of this application.
    Application(Arc<MountedApplication>),
}

/// One registered route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The pattern as written: `/users/<name>`, `/files/<path:rest>`, `/n/<int:id>`.
    pub pattern: Arc<str>,
    /// The methods it answers.
    pub methods: Methods,
    /// Whether it answers everything below its path too (whole segments).
    pub prefix: bool,
    /// How it takes its requests.
    pub kind: RouteKind,
    /// Who answers.
    pub handler: HandlerId,
}

impl Route {
    fn matched(&self, params: Params) -> RouteMatch {
        RouteMatch::Handler(self.handler, self.kind.clone(), params)
    }
}

/// A value taken from a path by a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Param {
    /// The decoded text.
    Text(String),
    /// The number of an `<int:…>`.
    Integer(i64),
}

/// The values that a pattern took from a path, by name.
pub type Params = Vec<(Arc<str>, Param)>;

/// What a table says of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteMatch {
    /// This handler answers.
    Handler(HandlerId, RouteKind, Params),
    /// The path is known, but not for this method.
    OtherMethods(Methods),
    /// No route has this path.
    Nothing,
}

impl RouteMatch {
    /// With the slashes in values that belong to a name, see [`readings`].
    pub(crate) fn with_slashes_of_names(mut self) -> Self {
        if let Self::Handler(_, _, params) = &mut self {
            for (_, param) in params {
                if let Param::Text(text) = param {
                    *text = text.replace(char::from(readings::SLASH_OF_NAME), "/");
                }
            }
        }
        self
    }
}

/// The routes of one scope. Cloning is cheap.
#[derive(Clone, Debug, Default)]
pub struct RouteTable {
    /// By the whole path, for one look-up; first in the order by its nature.
    exact: imbl::HashMap<Arc<[u8]>, Siblings>,
    /// All others, in the order in which they are asked.
    patterns: imbl::OrdMap<Shape, Siblings>,
    /// Whether an application may answer one. It stays set where that is replaced.
    has_applications: bool,
}

/// The routes of one path, in the order of registration: one, or several whose
/// methods are named and disjoint.
type Siblings = SmallVec<[Arc<Entry>; 1]>;

/// A route and the names of its variables, from left to right. The names are
/// not part of the shape: `/<a>` and `/<b>` are the same path.
#[derive(Debug)]
struct Entry {
    route: Route,
    names: SmallVec<[Arc<str>; 2]>,
}

impl RouteTable {
    /// Registers `route`. One of the same path (patterns are the same when they
    /// differ in names only) is replaced and its handlers returned; two routes
    /// whose methods are both named and disjoint stand side by side.
    ///
    /// A prefix route and one that is none have different paths. A route for
    /// `HEAD` and one for `GET` are disjoint; the former then answers `HEAD`.
    ///
    /// # Errors
    /// What was expected of the pattern instead, for a message.
    pub fn insert(&mut self, route: Route) -> Result<Vec<HandlerId>, String> {
        let Pattern { shape, names } = Pattern::parse(&route.pattern, route.prefix)?;
        self.has_applications |= matches!(route.kind, RouteKind::Application(_));
        let siblings = match shape {
            Some(shape) => self.patterns.entry(shape).or_default(),
            None => self.exact.entry(route.pattern.as_bytes().into()).or_default(),
        };
        let mut replaced = Vec::new();
        siblings.retain(|old| {
            let stays = old.route.methods.is_disjoint(&route.methods);
            if !stays {
                replaced.push(old.route.handler);
            }
            stays
        });
        siblings.push(Arc::new(Entry { route, names }));
        Ok(replaced)
    }

    /// Finds who answers `path` (decoded, as [`crate::routing::path::Target::path`]).
    ///
    /// A variable takes at least one byte; an `int` takes decimal digits that
    /// fit an `i64`; only a `path` takes slashes. Bytes in a text that are not
    /// UTF-8 become U+FFFD.
    pub fn find(&self, path: &[u8], method: &Method) -> RouteMatch {
        let mut others = Vec::new();
        if let Some(siblings) = self.exact.get(path) {
            match that_answers(siblings, method) {
                Some(entry) => return entry.route.matched(Params::new()),
                None => others.push(siblings),
            }
        }
        for (shape, siblings) in &self.patterns {
            let Some(captures) = shape.captures(path) else { continue };
            match that_answers(siblings, method) {
                Some(entry) => {
                    let params = entry
                        .names
                        .iter()
                        .cloned()
                        .zip(captures.into_iter().map(Param::from))
                        .collect();
                    return entry.route.matched(params);
                }
                None => others.push(siblings),
            }
        }
        let mut methods = others.into_iter().flatten().map(|entry| &entry.route.methods);
        match methods.next() {
            None => RouteMatch::Nothing,
            Some(first) => {
                RouteMatch::OtherMethods(methods.fold(first.clone(), |all, more| all.union(more)))
            }
        }
    }

    /// Every route, exact ones first, the others in the order in which they are
    /// asked.
    pub fn iter(&self) -> impl Iterator<Item = &Route> {
        self.exact.values().chain(self.patterns.values()).flatten().map(|entry| &entry.route)
    }

    /// Whether an application may answer one of them.
    pub(crate) fn has_applications(&self) -> bool {
        self.has_applications
    }

    /// The applications that answer routes, as often as they do.
    pub(crate) fn applications(&self) -> impl Iterator<Item = &Arc<MountedApplication>> {
        // Routes are many, and seldom one of them is an application's.
        let routes = self.has_applications.then(|| self.iter());
        routes.into_iter().flatten().filter_map(|route| match &route.kind {
            RouteKind::Application(app) => Some(app),
            RouteKind::Whole | RouteKind::Streamed | RouteKind::WebSocket(_) => None,
        })
    }

    /// Whether there is no route.
    pub fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.patterns.is_empty()
    }
}

/// The one of `siblings` that answers `method`: one that names it before one
/// that answers `HEAD` because of its `GET`.
fn that_answers<'s>(siblings: &'s Siblings, method: &Method) -> Option<&'s Arc<Entry>> {
    let named = |entry: &&Arc<Entry>| {
        entry.route.methods.names().is_some_and(|names| names.contains(method))
    };
    let allowed = |entry: &&Arc<Entry>| entry.route.methods.allows(method);
    siblings.iter().find(named).or_else(|| siblings.iter().find(allowed))
}

impl From<Capture<'_>> for Param {
    fn from(capture: Capture<'_>) -> Self {
        match capture {
            Capture::Text(text) => Self::Text(String::from_utf8_lossy(text).into_owned()),
            Capture::Integer(number, _) => Self::Integer(number),
        }
    }
}
