//! Finding a file: in memory where it is kept, else opened below the root, and
//! read where it is short.

use std::fmt::Display;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Instant, SystemTime};

use rustix::io::Errno;
use slimhttp_site::candidates::is_withheld;
use slimhttp_site::coding::Coding;
use slimhttp_site::conditions::LastModified;
use slimhttp_site::file_rules::FileRules;
use slimhttp_site::path::SafePath;
use slimhttp_site::refusal::Refusal;
use slimhttp_site::site::ScopeOptions;

use crate::files::cache::{Moment, Place};
use crate::files::cached_file::{CachedFile, Typed};
use crate::files::etag::is_stable;
use crate::files::lookup_budget::{Absence, LookupBudget};
use crate::files::never_sent::is_unsent;
use crate::files::store::FileStore;
use crate::fs::file_id::FileId;
use crate::fs::read::read_whole;
use crate::fs::root::{Opened, Root};
use crate::fs::root_cache::Roots;
use crate::message::refused::ErrorResponse;
use crate::sys::clock;

/// Why some names are never answered, for those who may know.
const UNSENT: &str = "is code, compiled or compressed, never sent";

/// Files up to this length are read whole though they are not kept, for a tag of
/// their content. Longer ones are then read as they are sent, so that slow
/// clients hold little memory.
const READ_WHOLE: u64 = 64 << 10;

/// Where files are looked for, and by which rules.
pub(crate) struct FileLookup<'a> {
    pub(super) store: &'a Arc<FileStore>,
    roots: &'a Roots,
    pub(super) root: &'a Path,
    pub(super) rules: &'a Arc<FileRules>,
    /// Whether the client may be told why something is refused.
    debug: bool,
    /// Whether the disk is asked each time: pages are loaded anew when it changes.
    pub(super) unkept: bool,
    /// Whether no URL reaches it.
    pub(super) is_private: bool,
    seen: &'a FreshnessNote,
    pub(super) now: Moment,
}

/// What a search has seen of the disk.
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
pub(super) enum Located {
    /// A file, read whole.
    CachedFile(Arc<CachedFile>),
    /// A file that is read as it is sent.
    Streamed(Streamed),
    /// A script: its source is never sent.
    Script(Opened),
    /// A folder.
    Folder(Opened),
}

/// An open file.
pub(super) struct Streamed {
    pub(super) file: Arc<File>,
    pub(super) identity: FileId,
    /// Whether the identity can be trusted from now on.
    pub(super) stable: bool,
    pub(super) last_modified: Option<LastModified>,
    /// See [`Opened::real_name`].
    real_name: Option<SafePath>,
}

impl Located {
    /// The name to which the one that was asked for leads over a link.
    fn real_name(&self) -> Option<&SafePath> {
        match self {
            Self::CachedFile(kept) => kept.real_name.as_ref(),
            Self::Streamed(long) => long.real_name.as_ref(),
            Self::Script(opened) | Self::Folder(opened) => opened.real_name.as_ref(),
        }
    }
}

impl<'a> FileLookup<'a> {
    /// The folder at `root` as it is at this moment.
    pub(crate) fn new(
        store: &'a Arc<FileStore>,
        roots: &'a Roots,
        root: &'a Path,
        options: &'a ScopeOptions,
        seen: &'a FreshnessNote,
    ) -> Self {
        let ScopeOptions { files: rules, debug, live_reload: unkept, .. } = options;
        let (debug, unkept) = (*debug, *unkept);
        let (is_private, now) = (false, store.cache.now());
        Self { store, roots, root, rules, debug, unkept, is_private, seen, now }
    }

    /// The same, where what is found there is for whom a handler lets have it.
    pub(crate) fn for_handlers_only(self) -> Self {
        Self { is_private: true, ..self }
    }

    /// What the search has seen may be otherwise in a moment, without a sign.
    pub(super) fn note_unstable(&self) {
        self.seen.unstable.store(true, Ordering::Relaxed);
    }

    /// The same for another folder.
    pub(super) fn in_root(&self, root: &'a Path) -> Self {
        Self { root, ..*self }
    }

    /// The folder's path.
    pub(crate) fn root(&self) -> &'a Path {
        self.root
    }

    /// Says no to `path`, and why to those who may know.
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
        lookups: &mut LookupBudget,
    ) -> Result<Located, ErrorResponse> {
        if is_withheld(self.rules, path) {
            return Err(self.refuse(Refusal::NotFound, path, "is hidden"));
        }
        let located = self.find_page(path, lookups).await?;
        match self.hidden_by_link(&located) {
            Some(real) => {
                let why = format_args!("leads to {}, which is hidden", real.as_path().display());
                Err(self.refuse(Refusal::NotFound, path, why))
            }
            None => Ok(located),
        }
    }

    /// What the configuration names, hidden or not.
    pub(super) async fn find_page(
        &self,
        path: &SafePath,
        lookups: &mut LookupBudget,
    ) -> Result<Located, ErrorResponse> {
        if is_unsent(path) {
            return Err(self.refuse(Refusal::NotFound, path, UNSENT));
        }
        self.look(path, Asker::Request, lookups).await
    }

    /// What a handler names: a script too is sent as it is.
    pub(super) async fn find_any(&self, path: &SafePath) -> Result<Located, ErrorResponse> {
        self.look(path, Asker::Handler, &mut LookupBudget::default()).await
    }

    /// The file beside the one at `path` that holds it in `coding`.
    pub(super) async fn find_sibling(&self, path: &SafePath, coding: Coding) -> Option<Located> {
        let beside =
            self.look(path, Asker::Original(coding), &mut LookupBudget::default()).await.ok()?;
        self.hidden_by_link(&beside).is_none().then_some(beside)
    }

    /// The hidden name to which a link led.
    fn hidden_by_link<'l>(&self, located: &'l Located) -> Option<&'l SafePath> {
        located.real_name().filter(|real| is_withheld(self.rules, real))
    }

    async fn look(
        &self,
        path: &SafePath,
        asker: Asker,
        lookups: &mut LookupBudget,
    ) -> Result<Located, ErrorResponse> {
        if lookups.lack(path) {
            return Err(self.refuse(Refusal::NotFound, path, "lies in a folder that is not there"));
        }
        lookups.begin().await;
        let Self { store, rules, now, .. } = *self;
        let coding = match asker {
            Asker::Original(coding) => Some(coding),
            Asker::Request | Asker::Handler => None,
        };
        let place = Place::new(self.root, path, coding, rules.follow_symlinks);
        // Code is not kept: a request would get what only a handler may send.
        let is_code = || is_script(path) || asker == Asker::Handler && is_unsent(path);
        let mut cache = rules.cache.as_ref().filter(|_| !self.unkept && !is_code());
        if let Some(cache) = cache
            && let Some(kept) = store.cache.file(&place, cache.step(), now)
        {
            return Ok(Located::CachedFile(self.retyped(kept, &place, path)));
        }
        // Before the file is looked at: a time that is old now was old then.
        let time = SystemTime::now();
        let sibling = match coding {
            Some(coding) => Some(sibling_of(path, coding).ok_or(Refusal::NotFound)?),
            None => None,
        };
        let named = sibling.as_ref().unwrap_or(path);
        let (seen, opened) = self.open(named).inspect_err(|_| {
            store.cache.forget(&place);
            if coding.is_none() {
                let absence = Absence::of(self.root, named, time);
                lookups.note(named, &absence);
                if !absence.stable {
                    self.note_unstable();
                }
            }
        })?;
        // As the root was then, so is the file.
        let now = now.min(store.cache.moment(seen));
        let identity = opened.facts.identity();
        let stable = is_stable(&identity, time);
        if !stable || opened.facts.is_folder() {
            self.note_unstable();
        }
        if opened.facts.is_folder() {
            return Ok(Located::Folder(opened));
        }
        let real_name = opened.real_name.as_ref();
        if asker == Asker::Handler {
            cache =
                cache.filter(|_| !real_name.is_some_and(|name| is_script(name) || is_unsent(name)));
        } else if real_name.is_some_and(is_unsent) {
            return Err(self.refuse(Refusal::NotFound, path, UNSENT));
        } else if is_script(named) || real_name.is_some_and(is_script) {
            return Ok(Located::Script(opened));
        }
        // A validator must not lie in the future (RFC 9110 section 8.8.2.1).
        let last_modified = LastModified::new(identity.modified.seconds.min(this_second()));
        let most = match cache {
            Some(cache) => cache.entry.min(store.cache.longest().max(READ_WHOLE)),
            None => READ_WHOLE,
        };
        let Opened { file, real_name, .. } = opened;
        let file = Arc::new(file);
        let short = usize::try_from(identity.length).ok().filter(|_| identity.length <= most);
        let Some(length) = short else {
            return Ok(Located::Streamed(Streamed {
                file,
                identity,
                stable,
                last_modified,
                real_name,
            }));
        };
        if cache.is_some()
            && let Some(kept) = store.cache.reopened(&place, &identity, real_name.as_ref(), now)
        {
            return Ok(Located::CachedFile(self.retyped(kept, &place, path)));
        }
        let bytes = read_whole(&file, length).await.map_err(|error| {
            tracing::error!(
                "{} cannot be read: {error}",
                self.root.join(named.as_path()).display()
            );
            ErrorResponse::because(Refusal::Internal, error.to_string())
        })?;
        // One that was cut meanwhile is sent as it is, and read again next time.
        let keep = cache.is_some() && stable && bytes.len() == length;
        let typed = Typed::new(rules, path);
        let kept = Arc::new(CachedFile::new(identity, real_name, bytes, last_modified, typed, now));
        if keep {
            store.cache.keep(&place, kept.clone());
        }
        Ok(Located::CachedFile(kept))
    }

    /// A kept file under the rules in force: those by which it was kept may be
    /// of an earlier configuration.
    fn retyped(&self, kept: Arc<CachedFile>, place: &Place, path: &SafePath) -> Arc<CachedFile> {
        if kept.typed.is_by(self.rules) || !kept.typed.is_outdated() {
            return kept;
        }
        let kept = Arc::new(kept.retyped(Typed::new(self.rules, path)));
        self.store.cache.keep(place, kept.clone());
        kept
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

/// For whom a path is looked up.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asker {
    /// For a request that names it.
    Request,
    /// For a handler that names it.
    Handler,
    /// For a file beside which another one may stand that holds it in a coding.
    Original(Coding),
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
