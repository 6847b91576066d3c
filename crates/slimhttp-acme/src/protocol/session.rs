//! An account in use.

use instant_acme::{CertificateIdentifier, Identifier as LibraryIdentifier};
use serde_json::Value;
use slimhttp_site::acme::Identifier;

use super::client::Seen;
use super::order::names_of;
use super::{Order, contact, failure, pem_of, with_nonces};
use crate::failure::Failure;
use crate::names::Names;

/// How many pages of an account's orders are looked through.
const MOST_PAGES: usize = 50;

/// An account, for one use of it: requests follow each other.
pub(crate) struct Session {
    pub(super) account: instant_acme::Account,
    pub(super) seen: Seen,
}

/// What is ordered.
pub(crate) struct NewOrder<'a> {
    pub(crate) names: &'a Names,
    pub(crate) profile: Option<&'a str>,
    /// The certificate that is to be replaced (RFC 9773 section 5), as the authority calls it.
    pub(crate) replaces: Option<&'a str>,
}

impl Session {
    /// The account's URL.
    pub(crate) fn url(&self) -> &str {
        self.account.id()
    }

    /// The kinds of certificates that the authority has names for.
    pub(crate) fn profiles(&self) -> Vec<&str> {
        self.account.profiles().map(|profile| profile.name).collect()
    }

    /// Gives the account another address.
    pub(crate) async fn update_contact(&self, email: Option<&str>) -> Result<(), Failure> {
        let contact = contact(email);
        let contact: Vec<_> = contact.iter().map(|it| &**it).collect();
        let what = "the change of the account's address";
        with_nonces!(what, &self.seen, self.account.update_contacts(&contact))
    }

    /// Gives the account another key, of the library's: a PEM file.
    pub(crate) async fn update_key(&mut self) -> Result<String, Failure> {
        let what = "another key of the account";
        let updated = with_nonces!(what, &self.seen, self.account.update_key());
        updated.map(|credentials| pem_of(credentials.private_key()))
    }

    /// Orders a certificate. Each time it is another order.
    pub(crate) async fn new_order(&self, new: &NewOrder<'_>) -> Result<Order, Failure> {
        let identifiers: Vec<_> = new.names.iter().map(identifier_of).collect();
        let mut order = instant_acme::NewOrder::new(&identifiers);
        if let Some(profile) = new.profile {
            order = order.profile(profile);
        }
        if let Some((key, serial)) = new.replaces.and_then(|replaces| replaces.split_once('.')) {
            order = order.replaces(CertificateIdentifier {
                authority_key_identifier: key.into(),
                serial: serial.into(),
            });
        }
        let what = "the order";
        match with_nonces!(what, &self.seen, self.account.new_order(&order)) {
            Ok(order) => Ok(self.seen_order(order)),
            // It was made, and the library did not like the answer.
            Err(failure) => match self.seen.location() {
                Some(url) => self.order(&url).await,
                None => Err(failure),
            },
        }
    }

    /// An order that was made before.
    pub(crate) async fn order(&self, url: &str) -> Result<Order, Failure> {
        let order = with_nonces!("the order", &self.seen, self.account.order(url.to_owned()))?;
        Ok(self.seen_order(order))
    }

    /// An order for exactly these names that the account has under way, where the authority lists
    /// its orders (RFC 8555 section 7.1.2.1): one of which only the authority knows, because the
    /// answer to `new_order` was lost.
    pub(crate) async fn order_under_way(&self, names: &Names) -> Result<Option<Order>, Failure> {
        let account = self.read(self.url()).await?;
        let mut next = account.get("orders").and_then(Value::as_str).map(str::to_owned);
        for _ in 0..MOST_PAGES {
            let Some(page) = next else { break };
            let listed = self.read(&page).await?;
            next = self.seen.next_page().filter(|next| *next != page);
            let listed = listed.get("orders").and_then(Value::as_array);
            for url in listed.into_iter().flatten().filter_map(Value::as_str) {
                let mut order = self.order(url).await?;
                if order.is_open() && order.names() == Some(names) {
                    return Ok(Some(order));
                }
            }
        }
        Ok(None)
    }

    /// The order, whose answer was seen last.
    fn seen_order(&self, order: instant_acme::Order) -> Order {
        let names = self.seen.object().as_ref().and_then(names_of);
        let thumbprint = self.account.key_thumbprint().to_owned();
        Order { order, names, thumbprint, seen: self.seen.clone() }
    }

    /// Reads an object that the library has no type for. It signs the request as one for an order,
    /// and does not understand the answer, which was seen on the way.
    async fn read(&self, url: &str) -> Result<Value, Failure> {
        let what = "the account";
        let asked: Result<_, Failure> =
            with_nonces!(what, &self.seen, self.account.order(url.to_owned()));
        match (self.seen.object(), asked) {
            (Some(object), _) => Ok(object),
            (None, Err(failure)) => Err(failure),
            (None, Ok(_)) => Err(failure(what, instant_acme::Error::Str("an object"), &self.seen)),
        }
    }
}

/// An identifier as the library has it. RFC 8555 section 7.1.3: a wildcard is a name with `*.`.
fn identifier_of(name: &Identifier) -> LibraryIdentifier {
    match name {
        Identifier::Ip(address) => LibraryIdentifier::Ip(*address),
        name => LibraryIdentifier::Dns(name.to_string()),
    }
}
