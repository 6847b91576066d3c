//! Applications (ASGI, WSGI) as a configuration names them. What they are in the interpreter
//! nobody here knows: a program imports and starts them, and answers by
//! `Callee::Application` of the server crate.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use percent_encoding::{AsciiSet, utf8_percent_encode};

use super::path::NOT_IN_SEGMENT;

/// How long an application may take to start where nothing is said (`app_start_timeout`).
pub const START_TIMEOUT: Duration = Duration::from_secs(60);

/// The number of an application: the same for all that are written alike, in every
/// configuration of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ApplicationId(pub u64);

/// An application as it is written.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ApplicationSpec {
    /// Where it is.
    pub reference: AppReference,
    /// What it speaks.
    pub interface: Interface,
    /// Whether an ASGI application hears of its start and its end.
    pub lifespan: Lifespan,
    /// The folder from which it is imported, absolute.
    pub dir: PathBuf,
    /// Variables of the environment that are set before it is imported.
    pub env: Arc<[(Arc<str>, Arc<str>)]>,
    /// How long it may take to start.
    pub start_timeout: Duration,
}

/// Logs and messages may show this, so of the environment it has names only: what an application
/// is to know and nobody else (`SECRET_KEY`, the address of a database) comes that way.
impl fmt::Debug for ApplicationSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reference, interface, lifespan, dir, env, start_timeout } = self;
        let names: Vec<_> = env.iter().map(|(name, _)| name).collect();
        f.debug_struct("ApplicationSpec")
            .field("reference", reference)
            .field("interface", interface)
            .field("lifespan", lifespan)
            .field("dir", dir)
            .field("env", &names)
            .field("start_timeout", start_timeout)
            .finish()
    }
}

/// Where an application is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AppReference {
    /// `package.module:name` or `package.module:name()`.
    Import(Arc<str>),
    /// An object of the program, by its number (see [`crate::value::Value::Object`]), and what
    /// it is called in messages.
    Object(u64, Arc<str>),
}

impl fmt::Display for AppReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Import(text) => f.write_str(text),
            Self::Object(_, name) => f.write_str(name),
        }
    }
}

/// What an application speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Interface {
    /// What it is found to be once it is imported.
    #[default]
    Auto,
    /// ASGI 3.
    Asgi,
    /// WSGI (PEP 3333).
    Wsgi,
}

/// Whether an ASGI application hears of its start and its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Lifespan {
    /// If it takes `lifespan` without an exception.
    #[default]
    Auto,
    /// It has to.
    On,
    /// It is not asked.
    Off,
}

/// An application and its number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Application {
    /// Its number.
    pub id: ApplicationId,
    /// What is written.
    pub spec: ApplicationSpec,
    /// What messages call it, made once: ``application `shop.wsgi:application` ``.
    pub label: Arc<str>,
}

impl Application {
    /// The application that `spec` describes.
    pub fn new(spec: ApplicationSpec) -> Self {
        // Its keys are fixed, so that equal texts have equal numbers.
        let mut hasher = DefaultHasher::new();
        match &spec.reference {
            AppReference::Import(_) => spec.hash(&mut hasher),
            // An object is there already, wherever others are imported from.
            AppReference::Object(..) => {
                ApplicationSpec { dir: PathBuf::new(), ..spec.clone() }.hash(&mut hasher);
            }
        }
        let label = format!("application `{}`", spec.reference).into();
        Self { id: ApplicationId(hasher.finish()), spec, label }
    }
}

/// An application where a scope puts it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MountedApplication {
    /// The application.
    pub application: Arc<Application>,
    /// The path below which it answers, decoded, without a slash at the end: empty at the root.
    /// It is that of the level that names the application, not of a mount that inherits it. Of a
    /// route it is the pattern, until `Self::at` says which path that was.
    pub prefix: Arc<str>,
    /// What a server in front has taken away from the target, in the same form.
    pub root_path: Arc<str>,
}

impl MountedApplication {
    /// An application that answers a route, which is where `pattern` says.
    pub fn of_route(application: Arc<Application>, pattern: &str) -> Self {
        let prefix = pattern.trim_end_matches('/').into();
        Self { application, prefix, root_path: Arc::default() }
    }

    /// What a server in front has taken away from the target, as a URL has it.
    pub fn encoded_root_path(&self) -> String {
        const NOT_IN_PATH: &AsciiSet = &NOT_IN_SEGMENT.remove(b'/');
        utf8_percent_encode(&self.root_path, NOT_IN_PATH).to_string()
    }

    /// The application of a route as it is asked for `path`: what its pattern has taken of that
    /// path is the prefix. What a `<path:…>` takes lies below the application.
    pub(crate) fn at(self: Arc<Self>, path: &[u8]) -> Arc<Self> {
        if !self.prefix.contains('<') {
            return self;
        }
        let taken = |segment: &&str| !segment.contains("<path:");
        let segments = self.prefix.split('/').skip(1).take_while(taken).count();
        let mut slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        let end = slashes.nth(segments).map_or(path.len(), |(index, _)| index);
        // Nothing that is no text can be a prefix: then the application answers at the root.
        let prefix = std::str::from_utf8(&path[..end]).unwrap_or_default().into();
        Arc::new(Self { prefix, ..Self::clone(&self) })
    }
}

#[cfg(test)]
mod tests;
