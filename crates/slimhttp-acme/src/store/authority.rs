//! What is known of an authority as a whole.

use std::time::SystemTime;

use serde_json::json;

use super::{Store, json};
use crate::clock;
use crate::failure::Failure;

/// That an authority is not asked for a while: it was down, or wants to be left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pause {
    /// Until when.
    pub(crate) until: SystemTime,
    /// How often in turn it was.
    pub(crate) failures: u32,
    /// Why, in one line.
    pub(crate) reason: String,
    /// The options with which it was asked, as a digest; `None`: whatever they are.
    pub(crate) options: Option<String>,
}

impl Store {
    /// The pause that was written last, over or not.
    pub(crate) fn pause(&self) -> Result<Option<Pause>, Failure> {
        let value = json::read(&self.authority.join("authority.json"))?;
        let failures = value.get("failures").and_then(serde_json::Value::as_u64).unwrap_or(0);
        let pause = |until| Pause {
            until,
            failures: u32::try_from(failures).unwrap_or(u32::MAX),
            reason: json::text(&value, "reason").unwrap_or_default(),
            options: json::text(&value, "options"),
        };
        Ok(json::time(&value, "paused_until").map(pause))
    }

    /// Writes a pause, or that there is none.
    pub(crate) fn write_pause(&self, pause: Option<&Pause>) -> Result<(), Failure> {
        let value = match pause {
            Some(Pause { until, failures, reason, options }) => json!({
                "paused_until": json::of_time(Some(*until)),
                "failures": failures,
                "reason": reason,
                "options": options,
            }),
            None => json!({}),
        };
        json::write(&self.authority.join("authority.json"), &value)
    }

    /// When names were obtained on demand, not before `since`.
    pub(crate) fn obtained_on_demand(&self, since: SystemTime) -> Result<Vec<SystemTime>, Failure> {
        let value = json::read(&self.authority.join("on-demand.json"))?;
        let times = json::list(&value, "obtained").filter_map(|time| clock::parse(time.as_str()?));
        Ok(times.filter(|time| *time >= since).collect())
    }

    /// Writes when names were obtained on demand.
    pub(crate) fn write_obtained_on_demand(&self, times: &[SystemTime]) -> Result<(), Failure> {
        let times: Vec<_> = times.iter().map(|time| clock::text(*time)).collect();
        json::write(&self.authority.join("on-demand.json"), &json!({"obtained": times}))
    }
}
