//! `meta.json` of a certificate: what is to be known of it beside the files themselves.

use std::time::SystemTime;

use serde_json::{Value, json};
use slimhttp_site::acme::{ChallengeType, Identifier};

use super::json;
use crate::names::Names;

/// What is known of a certificate. Who changes it holds the certificate's lock.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Meta {
    /// What it is for.
    pub(crate) names: Option<Names>,
    /// Whether nobody wrote its name down.
    pub(crate) on_demand: bool,
    /// When the one that is there was obtained.
    pub(crate) obtained: Option<SystemTime>,
    /// The attempts that have failed since then.
    pub(crate) attempts: u32,
    /// Why the last one did, in one line.
    pub(crate) last_error: Option<String>,
    /// When it did.
    pub(crate) last_attempt: Option<SystemTime>,
    /// Before when there is no other, with the options that it was made with.
    pub(crate) next_attempt: Option<SystemTime>,
    /// Before when the authority allows none, whatever the options are.
    pub(crate) not_before: Option<SystemTime>,
    /// The options that the last attempt was made with, as a digest.
    pub(crate) options: Option<String>,
    /// The challenges that have failed, the last one last: others are taken first.
    pub(crate) failed_challenges: Vec<ChallengeType>,
    /// When the authority wants it renewed.
    pub(crate) ari: Option<Ari>,
    /// The order that is under way.
    pub(crate) order: Option<OrderNote>,
}

/// What the authority says about renewal, and what was made of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ari {
    /// The certificate it is about.
    pub(crate) id: String,
    /// The window; `None`: the authority does not say.
    pub(crate) window: Option<(SystemTime, SystemTime)>,
    /// The moment within it.
    pub(crate) selected: Option<SystemTime>,
    /// A page that says why.
    pub(crate) explanation: Option<String>,
    /// When it is asked again.
    pub(crate) next_check: SystemTime,
}

/// An order that is under way.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OrderNote {
    /// Its URL. `None`: it was about to be asked for, so that the authority may know one.
    pub(crate) url: Option<String>,
    /// When it was asked for.
    pub(crate) asked: SystemTime,
    /// The records that were set for it, name and value: somebody has to take them away.
    pub(crate) records: Vec<(String, String)>,
}

impl Meta {
    /// What is known, for who has these options: with other ones an attempt may come to something,
    /// so that it is not put off but by the authority.
    pub(crate) fn for_options(mut self, digest: &str) -> Self {
        if self.options.as_deref() != Some(digest) {
            self.next_attempt = self.not_before;
        }
        self
    }

    pub(super) fn read(value: &Value) -> Self {
        let names = json::list(value, "names").map(|name| Identifier::parse(name.as_str()?).ok());
        let names = names.collect::<Option<Vec<_>>>().and_then(Names::new);
        let attempts = value.get("attempts").and_then(Value::as_u64).unwrap_or(0);
        Self {
            names,
            on_demand: value.get("on_demand").and_then(Value::as_bool).unwrap_or(false),
            obtained: json::time(value, "obtained"),
            attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
            last_error: json::text(value, "last_error"),
            last_attempt: json::time(value, "last_attempt"),
            next_attempt: json::time(value, "next_attempt"),
            not_before: json::time(value, "not_before"),
            options: json::text(value, "options"),
            failed_challenges: json::list(value, "failed_challenges")
                .filter_map(|name| {
                    ChallengeType::ALL.into_iter().find(|it| Some(it.name()) == name.as_str())
                })
                .collect(),
            ari: value.get("ari").and_then(Ari::read),
            order: value.get("order").and_then(OrderNote::read),
        }
    }

    pub(super) fn value(&self) -> Value {
        let names: Vec<_> =
            self.names.iter().flat_map(Names::iter).map(ToString::to_string).collect();
        let failed: Vec<_> = self.failed_challenges.iter().map(|it| it.name()).collect();
        json!({
            "names": names,
            "on_demand": self.on_demand,
            "obtained": json::of_time(self.obtained),
            "attempts": self.attempts,
            "last_error": self.last_error,
            "last_attempt": json::of_time(self.last_attempt),
            "next_attempt": json::of_time(self.next_attempt),
            "not_before": json::of_time(self.not_before),
            "options": self.options,
            "failed_challenges": failed,
            "ari": self.ari.as_ref().map(Ari::value),
            "order": self.order.as_ref().map(OrderNote::value),
        })
    }
}

impl Ari {
    fn read(value: &Value) -> Option<Self> {
        Some(Self {
            id: json::text(value, "certificate")?,
            window: json::time(value, "start").zip(json::time(value, "end")),
            selected: json::time(value, "selected"),
            explanation: json::text(value, "explanation"),
            next_check: json::time(value, "next_check")?,
        })
    }

    fn value(&self) -> Value {
        json!({
            "certificate": self.id,
            "start": json::of_time(self.window.map(|(start, _)| start)),
            "end": json::of_time(self.window.map(|(_, end)| end)),
            "selected": json::of_time(self.selected),
            "explanation": self.explanation,
            "next_check": json::of_time(Some(self.next_check)),
        })
    }
}

impl OrderNote {
    fn read(value: &Value) -> Option<Self> {
        let record = |record: &Value| {
            let [name, value] = record.as_array()?.as_slice() else { return None };
            Some((name.as_str()?.to_owned(), value.as_str()?.to_owned()))
        };
        Some(Self {
            url: json::text(value, "url"),
            asked: json::time(value, "asked")?,
            records: json::list(value, "records").filter_map(record).collect(),
        })
    }

    fn value(&self) -> Value {
        let records: Vec<_> =
            self.records.iter().map(|(name, value)| json!([name, value])).collect();
        json!({"url": self.url, "asked": json::of_time(Some(self.asked)), "records": records})
    }
}
