//! Accounts with an authority: made, found, given another address or another key.

use serde_json::{Value, json};

use super::{Authority, Signer, location, object, url_in};
use crate::failure::Failure;
use crate::https::{Repeat, Url};
use crate::jws::{self, AccountKey};

/// An account that is asked for. One that there is already for the key is found by it, and stays
/// as it is (RFC 8555 section 7.3.1): to ask twice is harmless.
pub(crate) struct NewAccount<'a> {
    pub(crate) email: Option<&'a str>,
    pub(crate) binding: Option<Binding<'a>>,
}

/// The account elsewhere that an account is bound to (RFC 8555 section 7.3.4).
pub(crate) struct Binding<'a> {
    pub(crate) kid: &'a str,
    pub(crate) key: &'a [u8],
}

impl Authority {
    /// Makes the account of `key`, or finds it: its URL.
    pub(crate) async fn new_account(
        &self,
        key: &AccountKey,
        new: &NewAccount<'_>,
    ) -> Result<Url, Failure> {
        let directory = self.directory().await?;
        let url = &directory.new_account;
        let mut payload = json!({"termsOfServiceAgreed": true, "contact": contact(new.email)});
        if let Some(Binding { kid, key: secret }) = new.binding {
            let bound = key.jwk().to_string();
            payload["externalAccountBinding"] = jws::bind(secret, kid, &url.text, bound.as_bytes());
        }
        self.account_of(key, url, &payload).await
    }

    /// The URL of the account that `key` has; `None`: it has none.
    pub(crate) async fn find_account(&self, key: &AccountKey) -> Result<Option<Url>, Failure> {
        let directory = self.directory().await?;
        let payload = json!({"onlyReturnExisting": true});
        match self.account_of(key, &directory.new_account, &payload).await {
            Ok(url) => Ok(Some(url)),
            Err(failure) if failure.is("accountDoesNotExist") => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    async fn account_of(
        &self,
        key: &AccountKey,
        url: &Url,
        payload: &Value,
    ) -> Result<Url, Failure> {
        let signer = Signer { key, account: None };
        let what = "an account";
        let reply = self.post(what, signer, url, Some(payload), Repeat::Harmless).await?;
        location(&reply, what)
    }

    /// Gives the account another address.
    pub(crate) async fn update_contact(
        &self,
        signer: Signer<'_>,
        account: &Url,
        email: Option<&str>,
    ) -> Result<(), Failure> {
        let payload = json!({"contact": contact(email)});
        let what = "the change of the account's address";
        self.post(what, signer, account, Some(&payload), Repeat::Harmless).await.map(drop)
    }

    /// Gives the account another key (RFC 8555 section 7.3.5): both keys sign.
    pub(crate) async fn change_key(
        &self,
        signer: Signer<'_>,
        account: &Url,
        new: &AccountKey,
    ) -> Result<(), Failure> {
        let directory = self.directory().await?;
        let Some(url) = &directory.key_change else {
            let why = "the authority does not change keys of accounts";
            return Err(Failure::Configuration(why.to_owned()));
        };
        let payload = json!({"account": account.text, "oldKey": signer.key.jwk()});
        let header = json!({"jwk": new.jwk(), "url": url.text});
        let inner = new.sign(header, payload.to_string().as_bytes());
        let what = "another key of the account";
        self.post(what, signer, url, Some(&inner), Repeat::Never).await.map(drop)
    }

    /// Where the orders of an account are listed (RFC 8555 section 7.1.2.1), if they are.
    pub(super) async fn orders_of(
        &self,
        signer: Signer<'_>,
        account: &Url,
    ) -> Result<Option<Url>, Failure> {
        let what = "the account";
        let reply = self.post(what, signer, account, None, Repeat::Harmless).await?;
        url_in(&object(&reply, what)?, "orders")
    }
}

fn contact(email: Option<&str>) -> Value {
    Value::Array(email.map(|email| json!(format!("mailto:{email}"))).into_iter().collect())
}
