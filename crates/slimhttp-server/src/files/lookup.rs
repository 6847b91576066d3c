//! Finding a file: in memory where it is cached, else opened below the root, and
//! read where it is short.
//!
//! `exchange` makes a [`FileLookup`] for one request, on whose I/O thread all of this runs.
//! Opening waits for the disk there: a path is resolved in microseconds where the system knows
//! it, and a thread for each would cost more. Reading never waits there, see
//! [`crate::fs::read`]. Whoever is cancelled leaves nothing behind: a file is cached when it
//! has been read.

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Instant, SystemTime};

use rustix::io::Errno;
use slimhttp_site::candidates::is_withheld;
use slimhttp_site::coding::Coding;
use slimhttp_site::conditions::LastModified;
use slimhttp_site::file_rules::{FileCache, FileRules};
use slimhttp_site::path::SafePath;
use slimhttp_site::refusal::Refusal;
use slimhttp_site::site::ScopeOptions;

use crate::files::cache::FileKey;
use crate::files::cache_time::CacheTime;
use crate::files::cached_file::{CachedFile, MediaInfo};
use crate::files::etag::is_stable;
use crate::files::lookup_budget::{Absence, LookupBudget};
use crate::files::never_sent::is_never_sent;
use crate::files::static_file::{StaticFile, StreamedFile};
use crate::files::store::FileStore;
use crate::fs::read::read_whole;
use crate::fs::root::{Opened, Root};
use crate::fs::root_cache::RootCache;
use crate::message::refused::ErrorResponse;
use crate::sys::clock;

/// Why some names are never answered, for those who may know.
const NEVER_SENT: &str = "is code, compiled or compressed, never sent";

/// Files up to this length are read whole though they are not cached, for a tag of
/// their content. Longer ones are then read as they are sent, so that slow
/// clients hold little memory.
const READ_WHOLE: u64 = 64 << 10;

/// Where files are looked for, and by which rules.
pub(crate) struct FileLookup<'a> {
    pub(super) store: &'a Arc<FileStore>,
    roots: &'a RootCache,
    pub(super) root: &'a Path,
    pub(super) rules: &'a Arc<FileRules>,
    /// Whether the client may learn why something is refused.
    debug: bool,
    /// Whether the disk is looked at each time: pages are loaded anew when it changes.
    pub(super) bypass_cache: bool,
    /// Whether no URL reaches it.
    pub(super) is_private: bool,
    freshness: &'a FreshnessNote,
    pub(super) now: CacheTime,
}

/// What a search has seen of the disk. `exchange` has one for each request, and reads it when
/// the request is answered.
#[derive(Debug, Default)]
pub(crate) struct FreshnessNote {
    /// Whether any of it was changed just now: then a further change may follow at
    /// once, of somebody who waits for it. Written by one task, one after another.
    unstable: AtomicBool,
}

impl FreshnessNote {
    /// Whether all of it has been as it is for a while.
    pub(crate) fn is_stable(&self) -> bool {
        !self.unstable.load(Ordering::Relaxed)
    }
}

/// What a path turned out to name.
pub(super) enum Resolved {
    /// A file that may be sent.
    File(StaticFile),
    /// A script: its source is never sent.
    Script(Opened),
    /// A folder.
    Folder(Opened),
}

impl Resolved {
    /// The name to which the requested one leads over a link.
    fn real_name(&self) -> Option<&SafePath> {
        match self {
            Self::File(file) => file.real_name(),
            Self::Script(opened) | Self::Folder(opened) => opened.real_name.as_ref(),
        }
    }
}

/// For whom a path is looked up.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// For a request that names it.
    Request,
    /// For a handler that names it.
    Handler,
    /// For a file beside which another one may stand that holds it in a coding.
    Sibling(Coding),
}

/// How a file was opened, and by what it may be cached.
struct Opening<'o> {
    /// The requested path; its name decides the media type.
    path: &'o SafePath,
    /// The path that was opened: another one for a sibling.
    opened_path: &'o SafePath,
    key: &'o FileKey,
    /// `None` where it is not cached.
    cache: Option<FileCache>,
    /// Whether the identity can be trusted from now on.
    stable: bool,
    /// When it was known to lie below the root.
    opened_at: CacheTime,
}

impl<'a> FileLookup<'a> {
    /// The folder at `root` as it is at this moment.
    pub(crate) fn new(
        store: &'a Arc<FileStore>,
        roots: &'a RootCache,
        root: &'a Path,
        options: &'a ScopeOptions,
        freshness: &'a FreshnessNote,
    ) -> Self {
        let ScopeOptions { files: rules, debug, live_reload, .. } = options;
        let (debug, bypass_cache) = (*debug, *live_reload);
        let (is_private, now) = (false, store.cache.clock().now());
        Self { store, roots, root, rules, debug, bypass_cache, is_private, freshness, now }
    }

    /// The same, where what is found there is for whom a handler lets have it.
    pub(crate) fn for_handlers_only(self) -> Self {
        Self { is_private: true, ..self }
    }

    /// What the search has seen may be otherwise in a moment, without a sign.
    pub(super) fn mark_unstable(&self) {
        self.freshness.unstable.store(true, Ordering::Relaxed);
    }

    /// The same for another folder.
    pub(super) fn in_root(&self, root: &'a Path) -> Self {
        Self { root, ..*self }
    }

    /// The folder's path.
    pub(crate) fn root(&self) -> &'a Path {
        self.root
    }

    /// Refuses `path`, and says why to those who may know.
    pub(super) fn refuse(
        &self,
        refusal: Refusal,
        path: &SafePath,
        why: impl Display,
    ) -> ErrorResponse {
        if self.debug {
            let name = self.root.join(path.as_path());
            return ErrorResponse::because(refusal, format!("{} {why}", name.display()));
        }
        refusal.into()
    }

    /// The open folder itself.
    pub(super) fn handle(&self) -> Result<Arc<Root>, ErrorResponse> {
        self.roots.get(self.root).map_err(|_| Refusal::NotFound.into())
    }

    /// What a request names: nothing that is hidden or never sent, by whatever
    /// name.
    pub(super) async fn find(
        &self,
        path: &SafePath,
        budget: &mut LookupBudget,
    ) -> Result<Resolved, ErrorResponse> {
        if is_withheld(self.rules, path) {
            return Err(self.refuse(Refusal::NotFound, path, "is hidden"));
        }
        let resolved = self.find_configured(path, budget).await?;
        match self.hidden_by_link(&resolved) {
            Some(real) => {
                let why = format_args!("leads to {}, which is hidden", real.as_path().display());
                Err(self.refuse(Refusal::NotFound, path, why))
            }
            None => Ok(resolved),
        }
    }

    /// What the configuration names, hidden or not.
    pub(super) async fn find_configured(
        &self,
        path: &SafePath,
        budget: &mut LookupBudget,
    ) -> Result<Resolved, ErrorResponse> {
        if is_never_sent(path) {
            return Err(self.refuse(Refusal::NotFound, path, NEVER_SENT));
        }
        self.resolve(path, Purpose::Request, budget).await
    }

    /// What a handler names: a script too is sent as it is.
    pub(super) async fn find_for_handler(
        &self,
        path: &SafePath,
    ) -> Result<Resolved, ErrorResponse> {
        self.resolve(path, Purpose::Handler, &mut LookupBudget::default()).await
    }

    /// The file beside the one at `path` that holds it in `coding`.
    pub(super) async fn find_sibling(&self, path: &SafePath, coding: Coding) -> Option<StaticFile> {
        let purpose = Purpose::Sibling(coding);
        let sibling = self.resolve(path, purpose, &mut LookupBudget::default()).await.ok()?;
        if self.hidden_by_link(&sibling).is_some() {
            return None;
        }
        match sibling {
            Resolved::File(file) => Some(file),
            Resolved::Script(_) | Resolved::Folder(_) => None,
        }
    }

    /// The hidden name to which a link led.
    fn hidden_by_link<'l>(&self, resolved: &'l Resolved) -> Option<&'l SafePath> {
        resolved.real_name().filter(|real| is_withheld(self.rules, real))
    }

    /// What `path` names.
    async fn resolve(
        &self,
        path: &SafePath,
        purpose: Purpose,
        budget: &mut LookupBudget,
    ) -> Result<Resolved, ErrorResponse> {
        if budget.knows_missing(path) {
            return Err(self.refuse(Refusal::NotFound, path, "lies in a folder that is not there"));
        }
        budget.count().await;
        let coding = match purpose {
            Purpose::Sibling(coding) => Some(coding),
            Purpose::Request | Purpose::Handler => None,
        };
        let key = FileKey::new(self.root, path, coding, self.rules.follow_symlinks);
        // Code is not cached: a request would get what only a handler may send.
        let is_code = || is_script(path) || purpose == Purpose::Handler && is_never_sent(path);
        let cache = self.rules.cache.filter(|_| !self.bypass_cache && !is_code());
        if let Some(cache) = cache
            && let Some(file) = self.store.cache.get(&key, cache.step(), self.now)
        {
            return Ok(Resolved::File(StaticFile::InMemory(self.retyped(file, &key, path))));
        }
        // Before the file is looked at: a time that is old now was old then.
        let time = SystemTime::now();
        let sibling = match coding {
            Some(coding) => Some(sibling_of(path, coding).ok_or(Refusal::NotFound)?),
            None => None,
        };
        let opened_path = sibling.as_ref().unwrap_or(path);
        let (root_seen, opened) = self.open(opened_path).inspect_err(|_| {
            self.store.cache.remove(&key);
            if coding.is_none() {
                self.record_absence(opened_path, time, budget);
            }
        })?;
        let stable = is_stable(&opened.facts.identity(), time);
        if !stable || opened.facts.is_folder() {
            self.mark_unstable();
        }
        if opened.facts.is_folder() {
            return Ok(Resolved::Folder(opened));
        }
        let leads_to = |is: fn(&SafePath) -> bool| opened.real_name.as_ref().is_some_and(is);
        if purpose != Purpose::Handler {
            if leads_to(is_never_sent) {
                return Err(self.refuse(Refusal::NotFound, path, NEVER_SENT));
            }
            if is_script(opened_path) || leads_to(is_script) {
                return Ok(Resolved::Script(opened));
            }
        }
        let cache = cache.filter(|_| !leads_to(is_script) && !leads_to(is_never_sent));
        // As the root was then, so is the file.
        let opened_at = self.now.min(self.store.cache.clock().at(root_seen));
        let opening = Opening { path, opened_path, key: &key, cache, stable, opened_at };
        self.load(opened, opening).await.map(Resolved::File)
    }

    /// Remembers what a path that leads to nothing says of others.
    fn record_absence(&self, path: &SafePath, time: SystemTime, budget: &mut LookupBudget) {
        let absence = Absence::of(self.root, path, time);
        budget.record(path, &absence);
        if !absence.stable {
            self.mark_unstable();
        }
    }

    /// An opened file, read where it is short, and cached where it may be.
    async fn load(
        &self,
        opened: Opened,
        opening: Opening<'_>,
    ) -> Result<StaticFile, ErrorResponse> {
        let Opening { path, opened_path, key, cache, stable, opened_at } = opening;
        let Opened { file, facts, real_name } = opened;
        let (file, identity) = (Arc::new(file), facts.identity());
        // A validator must not lie in the future (RFC 9110 section 8.8.2.1).
        let last_modified = LastModified::new(identity.modified.seconds.min(this_second()));
        let store = self.store;
        let longest = match cache {
            Some(cache) => cache.entry.min(store.cache.max_content_length().max(READ_WHOLE)),
            None => READ_WHOLE,
        };
        let short = usize::try_from(identity.length).ok().filter(|_| identity.length <= longest);
        let Some(length) = short else {
            let file = StreamedFile { file, identity, stable, last_modified, real_name };
            return Ok(StaticFile::Streamed(file));
        };
        if cache.is_some()
            && let Some(file) = store.cache.confirm(key, &identity, real_name.as_ref(), opened_at)
        {
            return Ok(StaticFile::InMemory(self.retyped(file, key, path)));
        }
        let bytes = read_whole(&file, length).await.map_err(|error| {
            let name = self.root.join(opened_path.as_path());
            tracing::error!("{} cannot be read: {error}", name.display());
            ErrorResponse::because(Refusal::Internal, error.to_string())
        })?;
        // One that was cut meanwhile is sent as it is, and read again next time.
        let is_cached = cache.is_some() && stable && bytes.len() == length;
        let media = MediaInfo::new(self.rules, path);
        let file = CachedFile::new(identity, real_name, bytes, last_modified, media, opened_at);
        let file = Arc::new(file);
        if is_cached {
            store.cache.insert(key, file.clone());
        }
        Ok(StaticFile::InMemory(file))
    }

    /// A cached file under the rules in force: those by which it was cached may be
    /// of an earlier configuration.
    fn retyped(&self, file: Arc<CachedFile>, key: &FileKey, path: &SafePath) -> Arc<CachedFile> {
        if file.media.is_made_by(self.rules) || !file.media.is_outdated() {
            return file;
        }
        let file = Arc::new(file.with_media(MediaInfo::new(self.rules, path)));
        self.store.cache.insert(key, file.clone());
        file
    }

    fn open(&self, path: &SafePath) -> Result<(Instant, Opened), ErrorResponse> {
        let opened = self.roots.open(self.root, path, self.rules.follow_symlinks);
        opened.map_err(|error| {
            let name = || self.root.join(path.as_path());
            let refusal = match error.raw_os_error().map(Errno::from_raw_os_error) {
                Some(Errno::ACCESS | Errno::PERM) => Refusal::Forbidden,
                Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM) => {
                    tracing::error!("{} cannot be opened: {error}", name().display());
                    Refusal::Unavailable
                }
                Some(Errno::IO) => {
                    tracing::error!("{} cannot be read: {error}", name().display());
                    Refusal::Internal
                }
                _ => Refusal::NotFound,
            };
            if self.debug {
                self.refuse(refusal, path, format_args!(": {error}"))
            } else {
                refusal.into()
            }
        })
    }
}

fn is_script(path: &SafePath) -> bool {
    path.extension_is("py")
}

/// The path of the file beside `path` that holds it in `coding`.
fn sibling_of(path: &SafePath, coding: Coding) -> Option<SafePath> {
    let name = path.as_path().as_os_str().as_encoded_bytes();
    SafePath::of_names(&[name, b".", coding.extension().as_bytes()].concat())
}

/// The second by the clock of the `Date` field, so that no file is younger than
/// the answer (RFC 9110 section 8.8.2.1).
fn this_second() -> i64 {
    i64::try_from(clock::seconds()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
