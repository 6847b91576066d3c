//! Which of the candidates for a path is there, and what becomes of it: a file
//! is sent, a script handed on, a folder answered by its index or its listing. `service` makes a
//! [`Search`] for each root in which a request is looked for.

use std::sync::Arc;

use http::{HeaderValue, Method, StatusCode};
use slimhttp_site::candidates::{Candidate, candidates, clean_redirect, is_withheld};
use slimhttp_site::methods::Methods;
use slimhttp_site::path::{SafePath, Target};
use slimhttp_site::refusal::Refusal;
use slimhttp_site::site::{ScopeOptions, Scripts};
use slimhttp_site::vary::merge_vary;

use crate::files::answer::answer;
use crate::files::listing::{CodingChoice, ListingFormat, RenderedListing};
use crate::files::listing_cache::{ListingError, ListingRequest};
use crate::files::lookup::{FileLookup, Resolved};
use crate::files::lookup_budget::LookupBudget;
use crate::files::never_sent::is_never_sent;
use crate::files::page::is_page_name;
use crate::files::request::{FileOutcome, FileRequest, FileScope};
use crate::fs::root::Opened;
use crate::message::error_page;
use crate::message::refused::ErrorResponse;
use crate::sys::clock::LogThrottle;

/// By what a navigation is known: a cache must not give the page of a fallback to
/// a script that requests the same path (RFC 9110 section 12.5.5).
const NAVIGATION: HeaderValue = HeaderValue::from_static("Accept, Sec-Fetch-Dest");

/// A search for what answers one request, in one root.
pub(super) struct Search<'s> {
    pub(super) lookup: FileLookup<'s>,
    pub(super) options: &'s ScopeOptions,
    pub(super) wanted: FileScope,
    /// What is asked for, below the prefix of the root.
    pub(super) target: &'s Target<'s>,
    pub(super) request: FileRequest<'s>,
    pub(super) release: ReleaseRole<'s>,
}

/// Which release a root is of, where a scope pins them.
#[derive(Clone, Copy)]
pub(super) enum ReleaseRole<'s> {
    /// The scope pins none: its root is no release.
    Unpinned,
    /// The one in force, and the cookie that names it.
    Current(Option<&'s HeaderValue>),
    /// An earlier one: what it has of pages, scripts and folders is over.
    Earlier,
}

impl Search<'_> {
    /// The first candidate that is there.
    pub(super) async fn first(
        &self,
        path: SafePath,
        budget: &mut LookupBudget,
    ) -> Result<FileOutcome, ErrorResponse> {
        budget.enter_root();
        if self.target.path.is_empty() {
            // A mount without the slash that it has as a folder.
            return self.try_candidate(&Candidate::Target(path), budget).await;
        }
        let mut missing = None;
        for candidate in candidates(self.lookup.rules, path, self.target, self.request.headers) {
            let outcome = match self.release {
                ReleaseRole::Earlier => self.try_earlier(&candidate, budget).await,
                ReleaseRole::Unpinned | ReleaseRole::Current(_) => {
                    self.try_candidate(&candidate, budget).await
                }
            };
            match outcome {
                Err(refused) if refused.refusal == Refusal::NotFound => {
                    // The answer speaks of the first candidate, which is what was requested.
                    missing.get_or_insert(refused);
                }
                outcome => return outcome,
            }
        }
        Err(missing.unwrap_or_else(|| Refusal::NotFound.into()))
    }

    /// A candidate in an earlier release: only what a page needs beside itself.
    async fn try_earlier(
        &self,
        candidate: &Candidate,
        budget: &mut LookupBudget,
    ) -> Result<FileOutcome, ErrorResponse> {
        match candidate {
            // A candidate may be a page though the requested name is none.
            Candidate::Target(path) | Candidate::File(path)
                if is_page_name(self.lookup.rules, path) =>
            {
                Err(Refusal::NotFound.into())
            }
            Candidate::Target(path) | Candidate::File(path) => {
                match self.lookup.find(path, budget).await? {
                    Resolved::Script(_) | Resolved::Folder(_) => Err(Refusal::NotFound.into()),
                    resolved => self.send(path, resolved).await,
                }
            }
            _ => Err(Refusal::NotFound.into()),
        }
    }

    async fn try_candidate(
        &self,
        candidate: &Candidate,
        budget: &mut LookupBudget,
    ) -> Result<FileOutcome, ErrorResponse> {
        match candidate {
            Candidate::Target(path) if self.target.is_folder() => self.index(path, budget).await,
            Candidate::Target(path) => match self.lookup.find(path, budget).await? {
                Resolved::Folder(_) => self.redirect_to_folder(path, budget).await,
                resolved => self.send_by_its_name(path, resolved).await,
            },
            Candidate::Folder(path) if !self.target.is_folder() => {
                match self.lookup.find(path, budget).await? {
                    // The requested folder has its own name.
                    Resolved::Folder(_) if self.target.safe_path().as_ref() == Some(path) => {
                        self.redirect_to_folder(path, budget).await
                    }
                    Resolved::Folder(_) => self.index(path, budget).await,
                    _ => Err(Refusal::NotFound.into()),
                }
            }
            Candidate::Folder(path) => self.index(path, budget).await,
            Candidate::Clean(path) | Candidate::File(path) => {
                let resolved = self.lookup.find(path, budget).await?;
                self.send_by_its_name(path, resolved).await
            }
            Candidate::Fallback(path) if self.is_get_or_head() && !self.is_partial() => {
                match self.options.fallback_root.as_deref() {
                    // A mount has it from the scope around it.
                    Some(root) if self.options.web_root.as_deref() != Some(root) => {
                        budget.enter_root();
                        let lookup = self.lookup.in_root(root);
                        Box::pin(Search { lookup, ..*self }.fallback(path, budget)).await
                    }
                    Some(_) => self.fallback(path, budget).await,
                    // That scope has no files, and so not this one.
                    None => Err(Refusal::NotFound.into()),
                }
            }
            Candidate::Fallback(_) | Candidate::NotFound => Err(Refusal::NotFound.into()),
        }
    }

    /// The page of every path that names nothing.
    async fn fallback(
        &self,
        path: &SafePath,
        budget: &mut LookupBudget,
    ) -> Result<FileOutcome, ErrorResponse> {
        let found = self.lookup.find_configured(path, budget).await;
        let resolved = found.inspect_err(|refused| {
            static THROTTLE: LogThrottle = LogThrottle::new();
            if THROTTLE.allow() {
                let name = self.lookup.root.join(path.as_path());
                let status = refused.refusal.status();
                tracing::warn!("the fallback {} cannot be sent: {status}", name.display());
            }
        })?;
        let mut found = self.send(path, resolved).await?;
        if let FileOutcome::Response(response) = &mut found {
            merge_vary(response.headers_mut(), &NAVIGATION);
        }
        Ok(found)
    }

    /// Whether somebody else answers what is no regular file.
    fn is_partial(&self) -> bool {
        self.wanted == FileScope::Regular
    }

    /// Whether the request is a `GET` or `HEAD`.
    fn is_get_or_head(&self) -> bool {
        matches!(*self.request.method, Method::GET | Method::HEAD)
    }

    /// The first index that a folder has.
    async fn index(
        &self,
        folder: &SafePath,
        budget: &mut LookupBudget,
    ) -> Result<FileOutcome, ErrorResponse> {
        for name in &self.options.index {
            let Some(path) = folder.join(name) else { continue };
            match self.lookup.find(&path, budget).await {
                Ok(Resolved::Folder(_)) => {}
                Ok(resolved) => return self.send(&path, resolved).await,
                Err(refused) if refused.refusal == Refusal::NotFound => {}
                Err(refused) => return Err(refused),
            }
        }
        if self.lookup.rules.listing && self.is_get_or_head() && !self.is_partial() {
            return self.listing(folder, budget).await;
        }
        let why = format_args!("has none of {:?}", self.options.index);
        Err(self.lookup.refuse(Refusal::NotFound, folder, why))
    }

    /// The listing of a folder.
    async fn listing(
        &self,
        folder: &SafePath,
        budget: &mut LookupBudget,
    ) -> Result<FileOutcome, ErrorResponse> {
        let Resolved::Folder(opened) = self.lookup.find(folder, budget).await? else {
            return Err(Refusal::NotFound.into());
        };
        self.lookup.mark_unstable();
        let FileRequest { method, headers, .. } = self.request;
        let format = ListingFormat::of_request(headers, self.target.query);
        let folder = folder.clone();
        let url = [self.options.web_root_prefix().as_bytes(), &*self.target.path].concat();
        let (root, rules) = (self.lookup.handle()?, self.lookup.rules.clone());
        let choice = CodingChoice::new(format, headers, &rules);
        let links = rules.follow_symlinks;
        let runs = self.options.scripts != Scripts::Off;
        let places = (self.lookup.root, &folder);
        let mut wanted = ListingRequest::new(places, &opened, &url, (format, choice), &rules, runs);
        wanted.may_reuse &= !self.lookup.bypass_cache;
        let make = move || {
            let is_hidden = |path: &SafePath| {
                is_withheld(&rules, path) || is_never_sent(path) || !runs && path.extension_is("py")
            };
            // By the name in the URL, and by that of the folder that a link leads to.
            let withheld = |path: &SafePath| {
                let real = opened.real_name.as_ref().zip(path.as_path().file_name());
                let real = real.and_then(|(folder, name)| folder.join_name(name));
                is_hidden(path) || real.is_some_and(|real| is_hidden(&real))
            };
            let resolve = |path: &SafePath| {
                let led_to = root.open(path, links).ok()?;
                let seen = led_to.real_name.as_ref().is_none_or(|real| !is_hidden(real));
                seen.then_some(led_to.facts)
            };
            RenderedListing::of(&opened.file, &folder, &url, format, withheld, resolve)
        };
        match self.lookup.store.listings.get_or_make(wanted, make).await {
            Ok(page) => Ok(FileOutcome::Response(page.respond(method, headers, choice))),
            Err(ListingError::Busy) => {
                static THROTTLE: LogThrottle = LogThrottle::new();
                if THROTTLE.allow() {
                    tracing::warn!("too many listings are being made or taken");
                }
                let why = "too many listings are being made or taken";
                Err(ErrorResponse::because(Refusal::Unavailable, why))
            }
            Err(ListingError::Failed(error)) => {
                tracing::error!("a folder cannot be listed: {error}");
                Err(ErrorResponse::because(Refusal::Internal, error.to_string()))
            }
        }
    }

    /// A file under the requested name, unless it has a cleaner one. The
    /// name that a rewrite gave it was not requested, and stays inside.
    async fn send_by_its_name(
        &self,
        path: &SafePath,
        resolved: Resolved,
    ) -> Result<FileOutcome, ErrorResponse> {
        if matches!(resolved, Resolved::File(_))
            && !self.request.rewritten
            && let Some(location) =
                clean_redirect(self.lookup.rules, self.target, &self.options.index)
        {
            let prefix = SafePath::root().url_path_below(self.options.web_root_prefix());
            return self.redirect([prefix.trim_end_matches('/'), &location].concat());
        }
        self.send(path, resolved).await
    }

    /// Sends a file, or hands it on where it is a script.
    async fn send(
        &self,
        path: &SafePath,
        resolved: Resolved,
    ) -> Result<FileOutcome, ErrorResponse> {
        match resolved {
            Resolved::Script(Opened { file, facts, .. }) => {
                let runs = match self.options.scripts {
                    Scripts::On => true,
                    Scripts::Executable => facts.is_executable(),
                    Scripts::Off => false,
                };
                // A script's source is never sent.
                if runs {
                    Ok(FileOutcome::Script(Arc::new(file), path.clone()))
                } else {
                    Err(self.lookup.refuse(Refusal::NotFound, path, "is not run: see `scripts`"))
                }
            }
            Resolved::Folder(_) => Err(Refusal::NotFound.into()),
            Resolved::File(_) if !Methods::of_files().allows(self.request.method) => {
                Err(Refusal::MethodNotAllowed(Methods::of_files()).into())
            }
            Resolved::File(file) => {
                let cookie = match self.release {
                    ReleaseRole::Current(cookie) => cookie,
                    ReleaseRole::Unpinned | ReleaseRole::Earlier => None,
                };
                let response = answer(&self.lookup, path, file, self.request, cookie).await;
                Ok(FileOutcome::Response(response))
            }
        }
    }

    /// To the path with a trailing slash. Where somebody else answers what is no regular file,
    /// there has to be one behind it.
    async fn redirect_to_folder(
        &self,
        path: &SafePath,
        budget: &mut LookupBudget,
    ) -> Result<FileOutcome, ErrorResponse> {
        if self.is_partial() {
            self.index(path, budget).await?;
        }
        // Built from the names and not from what was sent, so that `//host` can
        // never become a redirect to another host.
        let mut location = path.url_path_below(self.options.web_root_prefix());
        if !location.ends_with('/') {
            location.push('/');
        }
        if let Some(query) = self.target.query {
            location.push('?');
            location.push_str(query);
        }
        self.redirect(location)
    }

    /// 301 for `GET` and `HEAD`, 308 where the method must stay (RFC 9110 section
    /// 15.4.9).
    fn redirect(&self, location: String) -> Result<FileOutcome, ErrorResponse> {
        let location = HeaderValue::try_from(location).map_err(|_| Refusal::NotFound)?;
        let status = if self.is_get_or_head() {
            StatusCode::MOVED_PERMANENTLY
        } else {
            StatusCode::PERMANENT_REDIRECT
        };
        Ok(FileOutcome::Response(error_page::redirect(location, status)))
    }
}
