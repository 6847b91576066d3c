//! Releases: the folders that a scope's `web_root` named before, for as long as
//! `pin_releases` says. A browser that has loaded a page from one of them gets
//! the rest of that page from it too.
//!
//! A snapshot of the site holds them, immutable: a change makes new ones of those before. Which
//! folders a request is looked for in is decided here, by names and times alone.
//!
//! Pages come from the release in force and set a cookie with its id. Whatever
//! else is requested with the cookie of an earlier release is looked for there
//! first, and what the release in force lacks is looked for in the earlier ones.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use slimhttp_site::host::HostKey;
use slimhttp_site::path::SafePath;
use slimhttp_site::site::{Scope, Site};
use smallvec::SmallVec;

/// The cookie that names a release.
const COOKIE_NAME: &str = "slimhttp-release";

/// How many earlier releases of one scope are kept.
const MAX_EARLIER: usize = 16;

/// The releases of every scope that pins them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Releases {
    /// By the name of the virtual host (the global level is the empty one), and the prefix of the
    /// mount that names the folder, if one does.
    scopes: HashMap<Key, Arc<History>>,
    /// Counts the releases that were given an id.
    generation: u64,
    /// Makes ids: those of another start of the server mean nothing to this one.
    ids: RandomState,
}

/// What names the releases of a scope: mounts that inherit its folder have those too.
type Key = (Arc<str>, Option<Arc<str>>);

/// The releases of one scope.
#[derive(Debug)]
struct History {
    current: Release,
    /// The value of `Set-Cookie` that names the release in force.
    cookie: HeaderValue,
    /// For how long a release is kept.
    pinned: Duration,
    /// The newest first.
    earlier: Vec<EarlierRelease>,
}

#[derive(Clone, Debug)]
struct Release {
    root: Arc<Path>,
    id: Box<str>,
}

#[derive(Clone, Debug)]
struct EarlierRelease {
    release: Release,
    /// When it is given up.
    end: Instant,
}

/// Where a request is looked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SearchRoots<'r> {
    /// In this order, until something is found.
    pub(crate) roots: SmallVec<[SearchRoot<'r>; 2]>,
    /// Whether the cookie decides what is found: then the answer says so
    /// (`Vary: Cookie`, RFC 9110 section 12.5.5), or a cache would give the file
    /// of one release to a page of another one.
    pub(crate) varies: bool,
}

/// A folder in which a request is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SearchRoot<'r> {
    /// The folder.
    pub(crate) root: &'r Path,
    /// Whether it is that of an earlier release.
    pub(crate) earlier: bool,
}

impl Releases {
    /// The releases once `site` is in force, after those before it.
    pub(crate) fn open(site: &Site, previous: Option<(&Self, &Site)>, now: Instant) -> Self {
        let mut releases = match previous {
            Some((before, _)) => Self {
                scopes: HashMap::new(),
                generation: before.generation,
                ids: before.ids.clone(),
            },
            None => Self::default(),
        };
        for (key, (pinned, root, host)) in pinning(site) {
            let name = (&*key.0, key.1.as_deref());
            let history = match previous.map(|(before, site)| (before.scopes.get(&key), site)) {
                Some((Some(history), _)) => releases.after(history, name, root, pinned, now),
                // It begins to pin with this change: the folder of before, if it
                // had another one, is the first to be kept.
                Some((None, site)) => {
                    let scope = host.map_or(Some(&site.global), |host| site.hosts.get(host));
                    let scope = match &key.1 {
                        Some(prefix) => scope.and_then(|scope| scope.mounts.get(prefix)),
                        None => scope,
                    };
                    let scope = scope.filter(|scope| key_of(scope) == key);
                    let before = scope.and_then(|scope| scope.options.web_root.as_deref());
                    let before =
                        before.filter(|before| *before != root).map(|before| EarlierRelease {
                            release: releases.release(name, before),
                            end: now + pinned,
                        });
                    let current = releases.release(name, root);
                    let earlier = before.into_iter().collect();
                    Arc::new(History::new(name.1, current, pinned, earlier))
                }
                None => {
                    let current = releases.release(name, root);
                    Arc::new(History::new(name.1, current, pinned, Vec::new()))
                }
            };
            releases.scopes.insert(key, history);
        }
        releases
    }

    /// What becomes of the releases of a scope.
    fn after(
        &mut self,
        before: &Arc<History>,
        name: (&str, Option<&str>),
        root: &Path,
        pinned: Duration,
        now: Instant,
    ) -> Arc<History> {
        let same = *before.current.root == *root;
        if same && before.pinned == pinned {
            return before.clone();
        }
        let mut earlier = Vec::new();
        let current = if same {
            before.current.clone()
        } else {
            // What the cookies of its pages say, or what holds from now on.
            let end = now + before.pinned.max(pinned);
            earlier.push(EarlierRelease { release: before.current.clone(), end });
            self.release(name, root)
        };
        earlier.extend(before.earlier.iter().filter(|earlier| earlier.end > now).cloned());
        earlier.truncate(MAX_EARLIER);
        Arc::new(History::new(name.1, current, pinned, earlier))
    }

    /// A release that has not been before, even if its folder has.
    fn release(&mut self, name: (&str, Option<&str>), root: &Path) -> Release {
        self.generation += 1;
        let id = self.ids.hash_one((name, root, self.generation));
        Release { root: root.into(), id: format!("{id:016x}").into() }
    }

    /// The id of the release in force of a scope that pins.
    #[cfg(test)]
    pub(crate) fn current_id(&self, scope: &Scope) -> Option<&str> {
        self.of(scope).map(|history| &*history.current.id)
    }

    /// The folder of the earlier release of `scope` that has this id and has not
    /// been given up.
    fn named(&self, scope: &Scope, id: &[u8], now: Instant) -> Option<&Path> {
        let mut earlier = self.of(scope)?.searched(scope, now);
        earlier.find(|release| release.id.as_bytes() == id).map(|release| &*release.root)
    }

    /// The folders of the earlier releases of `scope`, the newest first, each
    /// once and without the one in force.
    fn earlier(&self, scope: &Scope, now: Instant) -> SmallVec<[&Path; 2]> {
        let mut roots = SmallVec::new();
        let Some(history) = self.of(scope) else { return roots };
        for release in history.searched(scope, now) {
            let root = &*release.root;
            if *root != *history.current.root && !roots.contains(&root) {
                roots.push(root);
            }
        }
        roots
    }

    /// The value of `Set-Cookie` that a page of `scope` carries, where it pins.
    pub(crate) fn cookie(&self, scope: &Scope) -> Option<&HeaderValue> {
        self.of(scope).map(|history| &history.cookie)
    }

    /// Where a file is looked for. `is_page` says whether what is looked for
    /// would be a page (see [`crate::files::page`]) or the index of a folder: these come from
    /// the release in force and from no other, so that nobody stays on an
    /// earlier one. None where the scope has no `web_root`.
    pub(crate) fn roots_for<'r>(
        &'r self,
        scope: &'r Scope,
        is_page: bool,
        request: &HeaderMap,
        now: Instant,
    ) -> SearchRoots<'r> {
        let mut search = SearchRoots { roots: SmallVec::new(), varies: false };
        let Some(current) = scope.options.web_root.as_deref() else { return search };
        search.roots.push(SearchRoot { root: current, earlier: false });
        if is_page || scope.options.files.pin_releases.is_zero() {
            return search;
        }
        let earlier = self.earlier(scope, now);
        search.varies = !earlier.is_empty();
        if !search.varies {
            return search;
        }
        let named = release_cookies(request).find_map(|id| self.named(scope, id, now));
        let earlier = earlier.into_iter().filter(|root| Some(*root) != named);
        search.roots.extend(earlier.map(|root| SearchRoot { root, earlier: true }));
        if let Some(root) = named.filter(|root| *root != current) {
            search.roots.insert(0, SearchRoot { root, earlier: true });
        }
        search
    }

    fn of(&self, scope: &Scope) -> Option<&History> {
        self.scopes.get(&key_of(scope)).map(|history| &**history)
    }
}

impl History {
    fn new(
        prefix: Option<&str>,
        current: Release,
        pinned: Duration,
        earlier: Vec<EarlierRelease>,
    ) -> Self {
        // RFC 6265 section 5.2.2: whole seconds. A part of one is rounded up, and
        // so never makes the cookie end at once.
        let seconds = pinned.as_secs() + u64::from(pinned.subsec_nanos() > 0);
        let id = &current.id;
        // RFC 6265 section 5.1.4: it is sent for this path and for what is below it.
        let path = SafePath::root().url_path_below(prefix.unwrap_or_default());
        let path = path.strip_suffix('/').filter(|path| !path.is_empty()).unwrap_or("/");
        let path = path.replace(';', "%3B");
        let cookie =
            format!("{COOKIE_NAME}={id}; Path={path}; Max-Age={seconds}; SameSite=Lax; HttpOnly");
        let cookie = HeaderValue::try_from(cookie).expect("ASCII without control characters");
        Self { current, cookie, pinned, earlier }
    }

    /// The earlier releases that are still searched for `scope`, the newest first.
    /// One below which its `private_root` lies by now is left out: no URL reaches that.
    fn searched(&self, scope: &Scope, now: Instant) -> impl Iterator<Item = &Release> {
        let private = scope.options.private_root.as_deref();
        let is_apart =
            move |release: &&Release| !private.is_some_and(|path| path.starts_with(&release.root));
        let earlier = self.earlier.iter().filter(move |earlier| earlier.end > now);
        earlier.map(|earlier| &earlier.release).filter(is_apart)
    }
}

/// The values of the cookies that name a release (RFC 6265 section 5.4; HTTP/2
/// sends each cookie in a field of its own, RFC 9113 section 8.2.3).
fn release_cookies(request: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let pairs = request
        .get_all(COOKIE)
        .iter()
        .flat_map(|field| field.as_bytes().split(|byte| *byte == b';'));
    pairs.filter_map(|pair| {
        pair.trim_ascii().strip_prefix(COOKIE_NAME.as_bytes())?.strip_prefix(b"=")
    })
}

fn key_of(scope: &Scope) -> Key {
    let mount = scope.options.web_root_mount.as_ref();
    (scope.name.clone().unwrap_or_default(), mount.map(|mount| mount.prefix.clone()))
}

/// For how long which folder of which virtual host is pinned. What several scopes have is pinned
/// for as long as one of them says.
fn pinning(site: &Site) -> HashMap<Key, (Duration, &Path, Option<&HostKey>)> {
    let mut pinning = HashMap::new();
    if !site.pins_releases {
        return pinning;
    }
    let hosts = site.hosts.iter().map(|(key, scope)| (Some(key), scope));
    for (host, around) in std::iter::once((None, &site.global)).chain(hosts) {
        for scope in std::iter::once(around).chain(around.mounts.iter()) {
            let pinned = scope.options.files.pin_releases;
            let Some(root) = scope.options.web_root.as_deref() else { continue };
            if !pinned.is_zero() {
                let entry = pinning.entry(key_of(scope)).or_insert((pinned, root, host));
                entry.0 = pinned.max(entry.0);
            }
        }
    }
    pinning
}

#[cfg(test)]
mod tests;
