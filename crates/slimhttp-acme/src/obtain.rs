//! One certificate, from the order to the files: RFC 8555 section 7.1, as one attempt that a kill
//! may end at any moment. What the next one needs to go on is on disk before it is needed: the
//! key before the order, the order's URL as soon as it is known, records before they are set. Who
//! calls this holds the certificate's lock.

use std::time::SystemTime;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::account::{self, Account};
use crate::certificate::{self, Certificate};
use crate::clock;
use crate::context::Context;
use crate::failure::{Failure, Problem};
use crate::names::Names;
use crate::protocol::{Authority, NewOrder, Order, OrderStatus, next_poll};
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
            Err(failure) if failure.is("accountDoesNotExist") => {
                // An authority may forget; the key is the same for the account that is made now.
                account::forget(self.context)?;
                self.drop_order(None).await?;
                self.order_and_finish(&authority).await
            }
            done => done,
        }
    }

    async fn order_and_finish(&mut self, authority: &Authority) -> Result<Certificate, Failure> {
        let account = account::of(self.context, authority).await?;
        let order = match self.order_under_way(authority, &account).await? {
            Some(order) => order,
            None => self.new_order(authority, &account).await?,
        };
        let order = match order.status {
            OrderStatus::Pending => {
                self.prove(authority, &account, &order).await?;
                self.poll(authority, &account, order, |status| status != OrderStatus::Pending)
                    .await?
            }
            _ => order,
        };
        let order = match order.status {
            OrderStatus::Ready => self.finalize(authority, &account, order).await?,
            _ => order,
        };
        let is_over = |status| matches!(status, OrderStatus::Valid | OrderStatus::Invalid);
        let order = self.poll(authority, &account, order, is_over).await?;
        let certificate = self.take(authority, &account, &order).await?;
        self.drop_records().await;
        Ok(certificate)
    }

    /// The order that an attempt before this one has made, if it is still good for anything.
    async fn order_under_way(
        &mut self,
        authority: &Authority,
        account: &Account,
    ) -> Result<Option<Order>, Failure> {
        let Some(note) = &self.meta.order else { return Ok(None) };
        let found = match &note.url {
            Some(url) => {
                let url = crate::https::Url::parse(url)?;
                authority.order(account.signer(), &url).await.map(|polled| Some(polled.value))
            }
            // The answer to the order was lost.
            None => authority.order_under_way(account.signer(), account.url(), self.names).await,
        };
        let found = match found {
            Ok(found) => found,
            Err(failure) if is_gone(&failure) => None,
            Err(failure) => return Err(failure),
        };
        let order = found.filter(|order| order.names.as_ref() == Some(self.names));
        let Some(order) = order.filter(|_| matches!(self.folder.next_key(), Ok(Some(_)))) else {
            self.drop_order(None).await?;
            return Ok(None);
        };
        if order.status == OrderStatus::Invalid {
            return Err(self.failed(authority, account, &order).await);
        }
        self.note(|note| note.url = Some(order.url.text.clone()))?;
        Ok(Some(order))
    }

    async fn new_order(
        &mut self,
        authority: &Authority,
        account: &Account,
    ) -> Result<Order, Failure> {
        let profile = self.profile(authority).await?;
        let kind = self.context.options.key_type;
        let key = tokio::task::spawn_blocking(move || certificate::generate_key(kind)).await;
        let key = key.map_err(|_| Failure::Late("the making of a key"))?;
        self.folder.write_next_key(key.as_bytes())?;
        let asked = self.context.now();
        self.meta.order = Some(OrderNote { url: None, asked, records: Vec::new() });
        self.folder.write_meta(self.meta)?;

        let replaces = self.replaces.clone();
        let mut new = NewOrder {
            names: self.names,
            profile: profile.as_deref(),
            replaces: replaces.as_deref(),
        };
        let mut ordered = authority.new_order(account.signer(), &new).await;
        if let Err(failure) = &ordered
            && new.replaces.is_some()
            && is_refused(failure)
            && !failure.is("rateLimited")
        {
            // RFC 9773 section 5: the certificate may have been replaced already, or be of another
            // account; that is no reason to have none.
            new.replaces = None;
            ordered = authority.new_order(account.signer(), &new).await;
        }
        match ordered {
            Ok(order) => {
                self.note(|note| note.url = Some(order.url.text.clone()))?;
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
    async fn profile(&self, authority: &Authority) -> Result<Option<String>, Failure> {
        let Some(profile) = self.context.options.profile.as_deref() else { return Ok(None) };
        let offered = &authority.directory().await?.profiles;
        if offered.iter().any(|offered| offered == profile) {
            return Ok(Some(profile.to_owned()));
        }
        let offered = if offered.is_empty() { "none".to_owned() } else { offered.join(", ") };
        let offered = crate::failure::told(&offered);
        let why = format!("the authority has no profile `{profile}`; it offers {offered}");
        Err(Failure::Configuration(why))
    }

    /// Asks for the certificate of an order whose names are proven.
    async fn finalize(
        &mut self,
        authority: &Authority,
        account: &Account,
        order: Order,
    ) -> Result<Order, Failure> {
        let key = self.next_key()?;
        let request = certificate::request(&key, self.names).map_err(Failure::Storage)?;
        match authority.finalize(account.signer(), &order, &request).await {
            Ok(polled) => Ok(polled.value),
            Err(failure) => {
                if is_refused(&failure) && !failure.is("rateLimited") {
                    self.drop_order(None).await?;
                }
                Err(failure)
            }
        }
    }

    /// Asks for an order until it has a status that `is_it`.
    async fn poll(
        &mut self,
        authority: &Authority,
        account: &Account,
        mut order: Order,
        is_it: impl Fn(OrderStatus) -> bool,
    ) -> Result<Order, Failure> {
        let mut later: Option<SystemTime> = None;
        let mut looks = 0;
        while !is_it(order.status) {
            let now = self.context.now();
            let next = next_poll(now, looks, later);
            tokio::time::sleep(clock::until(now, next)).await;
            let polled = authority.order(account.signer(), &order.url).await?;
            (order, later) = (polled.value, polled.retry_after);
            looks += 1;
        }
        if order.status == OrderStatus::Invalid {
            return Err(self.failed(authority, account, &order).await);
        }
        Ok(order)
    }

    /// Why an order came to nothing; it is forgotten.
    async fn failed(&mut self, authority: &Authority, account: &Account, order: &Order) -> Failure {
        let why = self.why_invalid(authority, account, order).await;
        match self.drop_order(why.challenge().map(|(_, challenge)| challenge)).await {
            Ok(()) => why,
            Err(failure) => failure,
        }
    }

    async fn why_invalid(
        &self,
        authority: &Authority,
        account: &Account,
        order: &Order,
    ) -> Failure {
        for url in &order.authorizations {
            let Ok(polled) = authority.authorization(account.signer(), url).await else { continue };
            if let Some(failure) = prove::why_over(&polled.value) {
                return failure;
            }
        }
        let problem = order.error.clone().unwrap_or_else(|| Problem {
            kind: "the order is invalid".to_owned(),
            ..Problem::default()
        });
        Failure::Refused("the certificate", Box::new(problem))
    }

    /// Fetches the certificate of an order that is valid, and puts it on disk.
    async fn take(
        &mut self,
        authority: &Authority,
        account: &Account,
        order: &Order,
    ) -> Result<Certificate, Failure> {
        let url = order.certificate.as_ref();
        let url = url.ok_or_else(|| Failure::Unexpected("an order without certificate".into()))?;
        let chain = authority.certificate(account.signer(), url).await?;
        let key = self.next_key()?;
        let certificate = match self.check(&chain, &key) {
            Ok(certificate) => certificate,
            Err(why) => {
                self.drop_order(None).await?;
                return Err(Failure::Unexpected(format!("its certificate is of no use: {why}")));
            }
        };
        self.folder.replace(&only_certificates(&chain))?;
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
    async fn drop_order(
        &mut self,
        failed: Option<slimhttp_site::acme::ChallengeType>,
    ) -> Result<(), Failure> {
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
    let pem = |der: CertificateDer<'_>| {
        let text = data_encoding::BASE64.encode(&der);
        let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
    };
    certificates.map(pem).collect::<String>().into_bytes()
}
