//! One certificate, from the order to the files: RFC 8555 section 7.1, as one attempt that a kill
//! may end at any moment. What the next one needs to go on is on disk before it is needed: the
//! key before the order, the order's URL as soon as it is known, records before they are set. Who
//! calls this holds the certificate's lock.

use std::time::SystemTime;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use slimhttp_site::acme::ChallengeType;

use crate::account::{self, Account};
use crate::certificate::{self, Certificate};
use crate::clock;
use crate::context::Context;
use crate::failure::{Failure, Problem};
use crate::names::Names;
use crate::protocol::{Authority, NewOrder, Order, OrderStatus, Session, next_poll};
use crate::store::{CertificateFolder, Meta, OrderNote};

mod prove;

/// One attempt.
pub(crate) struct Attempt<'a> {
    pub(crate) context: &'a Context,
    pub(crate) folder: &'a CertificateFolder,
    pub(crate) names: &'a Names,
    /// What is known of the certificate; kept as it is on disk.
    pub(crate) meta: &'a mut Meta,
    /// What the authority calls the certificate that is to be replaced.
    pub(crate) replaces: Option<String>,
}

impl Attempt<'_> {
    /// Obtains the certificate; what was there before stays until the new one is whole.
    ///
    /// # Errors
    /// Why there is none. Where `meta.order` is still there the order may come to something yet.
    pub(crate) async fn run(mut self) -> Result<Certificate, Failure> {
        let dns = &self.context.options.dns;
        let limit = self.context.timing.attempt + dns.propagation_timeout + dns.timeout * 4;
        let obtained = tokio::time::timeout(limit, self.obtain()).await;
        obtained.unwrap_or(Err(Failure::Late("the attempt")))
    }

    async fn obtain(&mut self) -> Result<Certificate, Failure> {
        let authority = self.context.authority()?;
        match self.order_and_finish(&authority).await {
            Err(failure) if account::was_lost(self.context, &authority, &failure).await? => {
                self.drop_order(None).await?;
                self.order_and_finish(&authority).await
            }
            done => done,
        }
    }

    async fn order_and_finish(&mut self, authority: &Authority) -> Result<Certificate, Failure> {
        let account = account::of(self.context, authority).await?;
        let mut order = match self.order_under_way(&account).await? {
            Some(order) => order,
            None => self.new_order(&account).await?,
        };
        if order.status() == OrderStatus::Pending {
            self.prove(&mut order).await?;
            self.poll(&mut order, |status| status != OrderStatus::Pending).await?;
        }
        if order.status() == OrderStatus::Ready {
            self.finalize(&mut order).await?;
        }
        let is_over = |status| matches!(status, OrderStatus::Valid | OrderStatus::Invalid);
        self.poll(&mut order, is_over).await?;
        let certificate = self.take(&mut order).await?;
        self.drop_records().await;
        Ok(certificate)
    }

    /// The order that an attempt before this one has made, if it is still good for anything.
    async fn order_under_way(&mut self, account: &Account) -> Result<Option<Order>, Failure> {
        let Some(note) = &self.meta.order else { return Ok(None) };
        let session = &account.session;
        let found = match &note.url {
            Some(url) => session.order(url).await.map(Some),
            // The answer to the order was lost.
            None => session.order_under_way(self.names).await,
        };
        let found = match found {
            Ok(found) => found,
            Err(failure) if is_gone(&failure) => None,
            Err(failure) => return Err(failure),
        };
        let order = found.filter(|order| order.names() == Some(self.names));
        let Some(mut order) = order.filter(|_| matches!(self.folder.next_key(), Ok(Some(_))))
        else {
            self.drop_order(None).await?;
            return Ok(None);
        };
        if order.status() == OrderStatus::Invalid {
            return Err(self.failed(&mut order).await);
        }
        self.note(|note| note.url = Some(order.url().to_owned()))?;
        Ok(Some(order))
    }

    async fn new_order(&mut self, account: &Account) -> Result<Order, Failure> {
        let session = &account.session;
        let profile = self.profile(session)?;
        let kind = self.context.options.key_type;
        let key = tokio::task::spawn_blocking(move || certificate::generate_key(kind)).await;
        let key = key.map_err(|_| Failure::Late("the making of a key"))?;
        self.folder.write_next_key(key.as_bytes())?;
        let asked = self.context.now();
        self.meta.order = Some(OrderNote { url: None, asked, records: Vec::new() });
        self.folder.write_meta(self.meta)?;

        let (profile, replaces) = (profile.as_deref(), self.replaces.clone());
        let mut new = NewOrder { names: self.names, profile, replaces: replaces.as_deref() };
        let mut ordered = session.new_order(&new).await;
        // RFC 9773 section 5: the certificate may have been replaced already, or be of another
        // account, or the authority does not know of it; that is no reason to have none.
        let may_be_that = |failure: &Failure| {
            let is_limit = failure.is("rateLimited");
            matches!(failure, Failure::Configuration(_)) || (is_refused(failure) && !is_limit)
        };
        if ordered.as_ref().is_err_and(may_be_that) && new.replaces.is_some() {
            new.replaces = None;
            ordered = session.new_order(&new).await;
        }
        match ordered {
            Ok(order) => {
                self.note(|note| note.url = Some(order.url().to_owned()))?;
                Ok(order)
            }
            Err(failure) => {
                if is_refused(&failure) {
                    self.meta.order = None;
                    self.folder.write_meta(self.meta)?;
                }
                Err(failure)
            }
        }
    }

    /// The profile, which an authority that does not know it would refuse each time anew.
    fn profile(&self, session: &Session) -> Result<Option<String>, Failure> {
        let Some(profile) = self.context.options.profile.as_deref() else { return Ok(None) };
        let mut offered = session.profiles();
        if offered.contains(&profile) {
            return Ok(Some(profile.to_owned()));
        }
        offered.sort_unstable();
        let offered = if offered.is_empty() { "none".to_owned() } else { offered.join(", ") };
        let offered = crate::failure::told(&offered);
        let why = format!("the authority has no profile `{profile}`; it offers {offered}");
        Err(Failure::Configuration(why))
    }

    /// Asks for the certificate of an order whose names are proven.
    async fn finalize(&mut self, order: &mut Order) -> Result<(), Failure> {
        let key = self.next_key()?;
        let request = certificate::request(&key, self.names).map_err(Failure::Storage)?;
        let finalized = order.finalize(&request).await;
        if let Err(failure) = &finalized
            && is_refused(failure)
            && !failure.is("rateLimited")
        {
            self.drop_order(None).await?;
        }
        finalized
    }

    /// Asks for an order until it has a status that `is_it`.
    async fn poll(
        &mut self,
        order: &mut Order,
        is_it: impl Fn(OrderStatus) -> bool,
    ) -> Result<(), Failure> {
        let mut later: Option<SystemTime> = None;
        let mut looks = 0;
        while !is_it(order.status()) {
            let now = self.context.now();
            let next = next_poll(now, looks, later);
            tokio::time::sleep(clock::until(now, next)).await;
            later = order.refresh().await?;
            looks += 1;
        }
        if order.status() == OrderStatus::Invalid {
            return Err(self.failed(order).await);
        }
        Ok(())
    }

    /// Why an order came to nothing; it is forgotten.
    async fn failed(&mut self, order: &mut Order) -> Failure {
        let why = why_invalid(order).await;
        match self.drop_order(why.challenge().map(|(_, challenge)| challenge)).await {
            Ok(()) => why,
            Err(failure) => failure,
        }
    }

    /// Fetches the certificate of an order that is valid, and puts it on disk.
    async fn take(&mut self, order: &mut Order) -> Result<Certificate, Failure> {
        let chain = order.certificate().await?;
        let chain = chain.ok_or_else(|| Failure::Unexpected("no certificate is there".into()))?;
        let key = self.next_key()?;
        let certificate = match self.check(chain.as_bytes(), &key) {
            Ok(certificate) => certificate,
            Err(why) => {
                self.drop_order(None).await?;
                return Err(Failure::Unexpected(format!("its certificate is of no use: {why}")));
            }
        };
        self.folder.replace(&only_certificates(chain.as_bytes()))?;
        Ok(certificate)
    }

    fn check(&self, chain: &[u8], key: &[u8]) -> Result<Certificate, String> {
        let certificate = Certificate::from_pem(chain, key)?;
        if certificate.names.covered(self.names) != self.names.iter().count() {
            return Err(format!("it is for {}", certificate.names));
        }
        Ok(certificate)
    }

    fn next_key(&self) -> Result<Vec<u8>, Failure> {
        let gone = || Failure::Storage("the key of the order is gone".to_owned());
        self.folder.next_key()?.ok_or_else(gone)
    }

    /// Forgets the order, and takes away what was set for it.
    async fn drop_order(&mut self, failed: Option<ChallengeType>) -> Result<(), Failure> {
        self.drop_records().await;
        if let Some(failed) = failed {
            self.meta.failed_challenges.retain(|challenge| *challenge != failed);
            self.meta.failed_challenges.push(failed);
        }
        self.meta.order = None;
        self.folder.write_meta(self.meta)
    }

    /// Changes what is noted of the order, here and on disk.
    fn note(&mut self, change: impl FnOnce(&mut OrderNote)) -> Result<(), Failure> {
        if let Some(note) = &mut self.meta.order {
            let before = note.clone();
            change(note);
            if *note != before {
                self.folder.write_meta(self.meta)?;
            }
        }
        Ok(())
    }
}

/// Why an order is invalid: because of a name, if one says so.
async fn why_invalid(order: &mut Order) -> Failure {
    let urls: Vec<_> = match order.authorizations().await {
        Ok(all) => all.into_iter().map(|authorization| authorization.url).collect(),
        Err(_) => Vec::new(),
    };
    for url in urls {
        let Ok((authorization, _)) = order.authorization(&url).await else { continue };
        if let Some(failure) = prove::why_over(&authorization) {
            return failure;
        }
    }
    let problem = order.error().unwrap_or_else(|| Problem {
        kind: "the order is invalid".to_owned(),
        ..Problem::default()
    });
    Failure::Refused("the certificate", Box::new(problem))
}

/// Whether a refusal is of what was asked for, and not of the moment.
fn is_refused(failure: &Failure) -> bool {
    failure.problem().is_some_and(|problem| (400..500).contains(&problem.status))
}

/// Whether the authority knows nothing of what it was asked for.
fn is_gone(failure: &Failure) -> bool {
    let spared = ["rateLimited", "accountDoesNotExist", "badNonce"];
    is_refused(failure) && !spared.iter().any(|kind| failure.is(kind))
}

/// The certificates of a PEM file, without anything that stands between them.
fn only_certificates(chain: &[u8]) -> Vec<u8> {
    let certificates = CertificateDer::pem_slice_iter(chain).filter_map(Result::ok);
    let pem = |der: CertificateDer<'_>| certificate::pem("CERTIFICATE", &der);
    certificates.map(pem).collect::<String>().into_bytes()
}
