//! When the authority wants a certificate renewed (ARI, RFC 9773).

use std::time::SystemTime;

use instant_acme::{CertificateIdentifier, Error};

use super::{Authority, RetryAfter, failure, generate_key, key_of};
use crate::clock;
use crate::failure::{Failure, told};

/// What an authority says about the renewal of one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RenewalInfo {
    /// When renewal may begin.
    pub(crate) start: SystemTime,
    /// When it has to have begun.
    pub(crate) end: SystemTime,
    /// A page that says why.
    pub(crate) explanation: Option<String>,
    /// When it is to be asked again.
    pub(crate) retry_after: RetryAfter,
}

impl Authority {
    /// When a certificate is to be renewed. `None`: the authority does not say it of any.
    pub(crate) async fn renewal_info(&self, id: &str) -> Result<Option<RenewalInfo>, Failure> {
        let what = "when to renew";
        let (builder, seen) = self.client();
        // Nobody signs the question, so that any account will do.
        let key = key_of(generate_key().as_bytes())?;
        let opened = builder.from_parts(String::new(), key, self.url.text.clone()).await;
        let account = opened.map_err(|error| failure(what, error, &seen))?;
        let (key, serial) = id.split_once('.').unwrap_or_default();
        let id =
            CertificateIdentifier { authority_key_identifier: key.into(), serial: serial.into() };
        match account.renewal_info(&id).await {
            Ok((info, _)) => {
                let time = |time: time::OffsetDateTime| clock::seconds(time.unix_timestamp());
                let window = info.suggested_window;
                let explanation = info.explanation_url.as_deref().map(told);
                let retry_after = seen.retry_after();
                window_of(time(window.start), time(window.end))
                    .map(|(start, end)| Some(RenewalInfo { start, end, explanation, retry_after }))
            }
            Err(Error::Unsupported(_)) => Ok(None),
            Err(error) => Err(failure(what, error, &seen)),
        }
    }
}

/// RFC 9773 section 4.2: a window that ends before it starts is none.
pub(super) fn window_of(
    start: Option<SystemTime>,
    end: Option<SystemTime>,
) -> Result<(SystemTime, SystemTime), Failure> {
    match (start, end) {
        (Some(start), Some(end)) if start < end => Ok((start, end)),
        _ => Err(Failure::Unexpected("the time to renew is no window".to_owned())),
    }
}
