//! When the authority wants a certificate renewed (ARI, RFC 9773).

use std::time::SystemTime;

use serde_json::Value;

use super::{Authority, object};
use crate::clock;
use crate::failure::{Failure, told};
use crate::https::Url;

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
    pub(crate) retry_after: Option<SystemTime>,
}

impl Authority {
    /// When a certificate is to be renewed. `None`: the authority does not say it of any.
    pub(crate) async fn renewal_info(&self, id: &str) -> Result<Option<RenewalInfo>, Failure> {
        let directory = self.directory().await?;
        let Some(url) = &directory.renewal_info else { return Ok(None) };
        let url = Url::parse(&format!("{}/{id}", url.text.trim_end_matches('/')))?;
        let what = "when to renew";
        let reply = self.get(what, &url).await?;
        let info = read(&object(&reply, what)?)?;
        Ok(Some(RenewalInfo { retry_after: self.retry_after(&reply), ..info }))
    }
}

pub(super) fn read(object: &Value) -> Result<RenewalInfo, Failure> {
    let time = |key: &str| {
        let text = object.pointer(&format!("/suggestedWindow/{key}"))?.as_str()?;
        clock::parse(text)
    };
    match (time("start"), time("end")) {
        // RFC 9773 section 4.2: a window that ends before it starts is none.
        (Some(start), Some(end)) if start < end => {
            let explanation = object.get("explanationURL").and_then(Value::as_str).map(told);
            Ok(RenewalInfo { start, end, explanation, retry_after: None })
        }
        _ => Err(Failure::Unexpected("the time to renew is no window".to_owned())),
    }
}
