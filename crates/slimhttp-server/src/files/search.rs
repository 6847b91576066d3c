//! Which of the candidates for a path is there, and what becomes of it: a file
//! is sent, a script handed on, a folder answered by its index or its listing.

use std::sync::Arc;

use http::{HeaderValue, Method, StatusCode};
use slimhttp_site::candidates::{Candidate, candidates, clean_redirect, is_withheld};
use slimhttp_site::methods::Methods;
use slimhttp_site::path::{SafePath, Target};
use slimhttp_site::refusal::Refusal;
use slimhttp_site::site::{ScopeOptions, Scripts};
use slimhttp_site::vary::merge_vary;

use crate::files::answer::answer;
use crate::files::listing::{Coded, Form, Text};
use crate::files::listing_cache::{Unlisted, Wanted};
use crate::files::lookup::{FileLookup, Located};
use crate::files::lookup_budget::LookupBudget;
use crate::files::never_sent::is_unsent;
use crate::files::request::FileRequest;
use crate::files::request::Found;
use crate::files::request::names_page;
use crate::fs::root::Opened;
use crate::message::error_page;
use crate::message::refused::ErrorResponse;
use crate::sys::clock::LogThrottle;

/// By what a navigation is known: a cache must not give the page of a fallback to
/// a script that asks for the same path (RFC 9110 section 12.5.5).
const NAVIGATION: HeaderValue = HeaderValue::from_static("Accept, Sec-Fetch-Dest");

/// A search for what answers one request, in one root.
pub(super) struct Search<'s> {
    pub(super) below: FileLookup<'s>,
    pub(super) options: &'s ScopeOptions,
    pub(super) target: &'s Target<'s>,
    pub(super) asked: FileRequest<'s>,
    pub(super) pin: Pin<'s>,
}

/// Which release a root is, where a scope pins them.
#[derive(Clone, Copy)]
pub(super) enum Pin<'s> {
    /// It does not.
    No,
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
        lookups: &mut LookupBudget,
    ) -> Result<Found, ErrorResponse> {
        lookups.enter_root();
        let mut missing = None;
        for candidate in candidates(self.below.rules, path, self.target, self.asked.headers) {
            let outcome = match self.pin {
                Pin::Earlier => self.try_earlier(&candidate, lookups).await,
                Pin::No | Pin::Current(_) => self.try_one(&candidate, lookups).await,
            };
            match outcome {
                Err(refused) if refused.refusal == Refusal::NotFound => {
                    // What is told of is what was asked for.
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
        lookups: &mut LookupBudget,
    ) -> Result<Found, ErrorResponse> {
        match candidate {
            // The name that was asked for need not tell that it comes to a page.
            Candidate::Target(path) | Candidate::File(path)
                if names_page(self.below.rules, path) =>
            {
                Err(Refusal::NotFound.into())
            }
            Candidate::Target(path) | Candidate::File(path) => {
                match self.below.find(path, lookups).await? {
                    Located::Script(_) | Located::Folder(_) => Err(Refusal::NotFound.into()),
                    located => self.found(path, located).await,
                }
            }
            _ => Err(Refusal::NotFound.into()),
        }
    }

    async fn try_one(
        &self,
        candidate: &Candidate,
        lookups: &mut LookupBudget,
    ) -> Result<Found, ErrorResponse> {
        match candidate {
            Candidate::Target(path) if self.target.is_folder() => self.index(path, lookups).await,
            Candidate::Target(path) => match self.below.find(path, lookups).await? {
                Located::Folder(_) => self.redirect_to_folder(path),
                located => self.page(path, located).await,
            },
            Candidate::Folder(path) if !self.target.is_folder() => {
                match self.below.find(path, lookups).await? {
                    // The folder that was asked for has its own name.
                    Located::Folder(_) if self.target.safe_path().as_ref() == Some(path) => {
                        self.redirect_to_folder(path)
                    }
                    Located::Folder(_) => self.index(path, lookups).await,
                    _ => Err(Refusal::NotFound.into()),
                }
            }
            Candidate::Folder(path) => self.index(path, lookups).await,
            Candidate::Clean(path) | Candidate::File(path) => {
                let located = self.below.find(path, lookups).await?;
                self.page(path, located).await
            }
            Candidate::Fallback(path) if self.is_read() => {
                let located = self.below.find_page(path, lookups).await.inspect_err(|refused| {
                    static TOLD: LogThrottle = LogThrottle::new();
                    if TOLD.allow() {
                        let name = self.below.root.join(path.as_path());
                        let status = refused.refusal.status();
                        tracing::warn!("the fallback {} cannot be sent: {status}", name.display());
                    }
                })?;
                let mut found = self.found(path, located).await?;
                if let Found::Reply(response) = &mut found {
                    merge_vary(response.headers_mut(), &NAVIGATION);
                }
                Ok(found)
            }
            Candidate::Fallback(_) | Candidate::NotFound => Err(Refusal::NotFound.into()),
        }
    }

    /// Whether the request only asks to see something.
    fn is_read(&self) -> bool {
        matches!(*self.asked.method, Method::GET | Method::HEAD)
    }

    /// The first index that a folder has.
    async fn index(
        &self,
        folder: &SafePath,
        lookups: &mut LookupBudget,
    ) -> Result<Found, ErrorResponse> {
        for name in &self.options.index {
            let Some(path) = folder.join(name) else { continue };
            match self.below.find(&path, lookups).await {
                Ok(Located::Folder(_)) => {}
                Ok(located) => return self.found(&path, located).await,
                Err(refused) if refused.refusal == Refusal::NotFound => {}
                Err(refused) => return Err(refused),
            }
        }
        if self.below.rules.listing && self.is_read() {
            return self.list(folder, lookups).await;
        }
        let why = format_args!("has none of {:?}", self.options.index);
        Err(self.below.refuse(Refusal::NotFound, folder, why))
    }

    /// What is in a folder.
    async fn list(
        &self,
        folder: &SafePath,
        lookups: &mut LookupBudget,
    ) -> Result<Found, ErrorResponse> {
        let Located::Folder(opened) = self.below.find(folder, lookups).await? else {
            return Err(Refusal::NotFound.into());
        };
        self.below.note_unstable();
        let FileRequest { method, headers, .. } = self.asked;
        let form = Form::asked(headers, self.target.query);
        let (folder, url) = (folder.clone(), self.target.path.to_vec());
        let (root, rules) = (self.below.handle()?, self.below.rules.clone());
        let coded = Coded::asked(form, headers, &rules);
        let links = rules.follow_symlinks;
        let runs = self.options.scripts != Scripts::Off;
        let places = (self.below.root, &folder);
        let mut wanted = Wanted::new(places, &opened, &url, (form, coded), &rules, runs);
        wanted.kept &= !self.below.unkept;
        let make = move || {
            let hidden = |path: &SafePath| {
                is_withheld(&rules, path) || is_unsent(path) || !runs && path.extension_is("py")
            };
            // By the name in the URL, and by that of the folder that a link leads to.
            let withheld = |path: &SafePath| {
                let real = opened.real_name.as_ref().zip(path.as_path().file_name());
                let real = real.and_then(|(folder, name)| folder.join_name(name));
                hidden(path) || real.is_some_and(|real| hidden(&real))
            };
            let resolve = |path: &SafePath| {
                let led_to = root.open(path, links).ok()?;
                let seen = led_to.real_name.as_ref().is_none_or(|real| !hidden(real));
                seen.then_some(led_to.facts)
            };
            Text::of(&opened.file, &folder, &url, form, withheld, resolve)
        };
        match self.below.store.listings.page(wanted, make).await {
            Ok(page) => Ok(Found::Reply(page.respond(method, headers, coded))),
            Err(Unlisted::Busy) => {
                static TOLD: LogThrottle = LogThrottle::new();
                if TOLD.allow() {
                    tracing::warn!("too many listings are being made or taken");
                }
                let why = "too many listings are being made or taken";
                Err(ErrorResponse::because(Refusal::Unavailable, why))
            }
            Err(Unlisted::Failed(error)) => {
                tracing::error!("a folder cannot be listed: {error}");
                Err(ErrorResponse::because(Refusal::Internal, error.to_string()))
            }
        }
    }

    /// A file under the name that was asked for, unless it has a cleaner one. The
    /// name that a rewrite gave it was not asked for, and stays inside.
    async fn page(&self, path: &SafePath, located: Located) -> Result<Found, ErrorResponse> {
        let is_file = matches!(located, Located::CachedFile(_) | Located::Streamed(_));
        if is_file
            && !self.asked.rewritten
            && let Some(location) =
                clean_redirect(self.below.rules, self.target, &self.options.index)
        {
            return self.redirect(location);
        }
        self.found(path, located).await
    }

    /// Sends a file, or tells that it is a script.
    async fn found(&self, path: &SafePath, located: Located) -> Result<Found, ErrorResponse> {
        match located {
            Located::Script(Opened { file, facts, .. }) => {
                let runs = match self.options.scripts {
                    Scripts::On => true,
                    Scripts::Executable => facts.is_executable(),
                    Scripts::Off => false,
                };
                // A script's source is never sent.
                if runs {
                    Ok(Found::Script(Arc::new(file), path.clone()))
                } else {
                    Err(self.below.refuse(Refusal::NotFound, path, "is not run: see `scripts`"))
                }
            }
            Located::Folder(_) => Err(Refusal::NotFound.into()),
            _ if !Methods::of_files().allows(self.asked.method) => {
                Err(Refusal::MethodNotAllowed(Methods::of_files()).into())
            }
            located => {
                let cookie = match self.pin {
                    Pin::Current(cookie) => cookie,
                    Pin::No | Pin::Earlier => None,
                };
                let response = answer(&self.below, path, located, self.asked, cookie).await?;
                Ok(Found::Reply(response))
            }
        }
    }

    /// To the path with a trailing slash.
    fn redirect_to_folder(&self, path: &SafePath) -> Result<Found, ErrorResponse> {
        // Built from the names and not from what was sent, so that `//host` can
        // never become a redirect to another host.
        let mut location = path.url_path();
        location.push('/');
        if let Some(query) = self.target.query {
            location.push('?');
            location.push_str(query);
        }
        self.redirect(location)
    }

    /// 301 for `GET` and `HEAD`, 308 where the method must stay (RFC 9110 section
    /// 15.4.9).
    fn redirect(&self, location: String) -> Result<Found, ErrorResponse> {
        let location = HeaderValue::try_from(location).map_err(|_| Refusal::NotFound)?;
        let status = if self.is_read() {
            StatusCode::MOVED_PERMANENTLY
        } else {
            StatusCode::PERMANENT_REDIRECT
        };
        Ok(Found::Reply(error_page::redirect(location, status)))
    }
}
