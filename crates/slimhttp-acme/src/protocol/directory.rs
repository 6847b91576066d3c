//! The directory of an authority (RFC 8555 section 7.1.1): where it is asked for what.

use serde_json::Value;

use super::{url_in, url_of};
use crate::failure::Failure;
use crate::https::Url;

/// What an authority offers, and where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Directory {
    pub(crate) new_nonce: Url,
    pub(crate) new_account: Url,
    pub(crate) new_order: Url,
    pub(crate) key_change: Option<Url>,
    /// Where it says when a certificate is to be renewed (RFC 9773 section 4.1).
    pub(crate) renewal_info: Option<Url>,
    /// The kinds of certificates that it has names for.
    pub(crate) profiles: Vec<String>,
}

impl Directory {
    pub(super) fn read(object: &Value) -> Result<Self, Failure> {
        const WHAT: &str = "its directory";
        let profiles = object.pointer("/meta/profiles").and_then(Value::as_object);
        Ok(Self {
            new_nonce: url_of(object, "newNonce", WHAT)?,
            new_account: url_of(object, "newAccount", WHAT)?,
            new_order: url_of(object, "newOrder", WHAT)?,
            key_change: url_in(object, "keyChange")?,
            renewal_info: url_in(object, "renewalInfo")?,
            profiles: profiles.map(|known| known.keys().cloned().collect()).unwrap_or_default(),
        })
    }
}
