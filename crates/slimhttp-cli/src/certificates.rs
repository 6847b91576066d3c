//! How certificates stand, as the command `certificates` tells it: for a person, a paragraph each, or
//! as JSON for programs. What time it is is an argument.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use slimhttp_server::{CertificateSource, CertificateState, CertificateStatus, StatusFacts};
use slimhttp_site::escape::{Escaped, is_printable};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

#[cfg(test)]
mod tests;

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// For a person.
pub(crate) fn as_text(all: &[CertificateStatus], now: SystemTime) -> String {
    let paragraphs: Vec<_> = all.iter().map(|status| paragraph(status, now)).collect();
    paragraphs.join("\n")
}

/// For programs: a list of objects.
pub(crate) fn as_json(all: &[CertificateStatus], now: SystemTime) -> String {
    let list: Vec<_> = all.iter().map(|status| object(status, now)).collect();
    format!("{:#}\n", Value::from(list))
}

/// Whether nobody has to do anything: each is there, valid, and not about to end. What is obtained
/// on demand is obtained again when somebody asks for it.
pub(crate) fn are_fine(all: &[CertificateStatus], now: SystemTime) -> bool {
    all.iter().all(|status| {
        let is_valid = match status.state {
            CertificateState::Valid | CertificateState::Expiring => true,
            CertificateState::Missing => is_for_others(status),
            CertificateState::NotYetValid | CertificateState::Expired => false,
        };
        let ends = |facts: &StatusFacts| ends_soon(facts.not_before, facts.not_after, now);
        let is_about_to_end = status.facts.as_ref().is_some_and(ends);
        is_on_demand(status) || (is_valid && !is_about_to_end)
    })
}

/// Whether a certificate ends within seven days; of one that lives for two weeks at most, within
/// one.
fn ends_soon(not_before: SystemTime, not_after: SystemTime, now: SystemTime) -> bool {
    let length = |from: SystemTime| not_after.duration_since(from).unwrap_or_default().as_secs();
    let days = if length(not_before) > 14 * DAY { 7 } else { 1 };
    length(now) <= days * DAY
}

/// Whether it stands for the hosts for which none is configured, or none is to be obtained before
/// somebody asks: the server makes one by itself.
fn is_for_others(status: &CertificateStatus) -> bool {
    status.state == CertificateState::Missing && status.names.is_empty()
}

/// Whether nobody has written its name down.
fn is_on_demand(status: &CertificateStatus) -> bool {
    status.source == CertificateSource::Automatic && status.presented_by.is_empty()
}

fn paragraph(status: &CertificateStatus, now: SystemTime) -> String {
    let mut told = String::new();
    let mut line = |text: &str| {
        let _ = writeln!(told, "{}", plain(text));
    };
    if is_for_others(status) {
        line("all other hosts: no certificate, but what the server makes itself");
        return told;
    }
    let names = match status.names.is_empty() {
        true => "no names".to_owned(),
        false => status.names.join(", "),
    };
    line(&format!("{names}: {}", state(status, now)));
    match &status.source {
        CertificateSource::Files { certificate, key } if certificate == key => {
            line(&format!("  in {}", certificate.display()));
        }
        CertificateSource::Files { certificate, key } => {
            line(&format!("  in {} and {}", certificate.display(), key.display()));
        }
        CertificateSource::Automatic if is_on_demand(status) => line("  obtained on demand"),
        CertificateSource::Automatic if status.facts.is_none() => {
            line("  to be obtained by the server");
        }
        CertificateSource::Automatic => line("  obtained by the server"),
    }
    if let Some(facts) = &status.facts {
        line(&format!("  issued by {}", facts.issuer));
    }
    if let Some(fault) = &status.fault {
        let failed = match status.attempts {
            0 => "failed".to_owned(),
            1 => "1 attempt has failed".to_owned(),
            many => format!("{many} attempts have failed"),
        };
        line(&format!("  {failed}: {fault}"));
    }
    if let Some(next) = status.next_attempt {
        line(&format!("  next attempt at {}", moment(next, now)));
    }
    told
}

/// What there is, and until when.
fn state(status: &CertificateStatus, now: SystemTime) -> String {
    let name = status.state.name();
    match (&status.facts, status.state) {
        (None, _) | (_, CertificateState::Missing) => name.to_owned(),
        (Some(facts), CertificateState::NotYetValid) => {
            format!("{name} before {}", moment(facts.not_before, now))
        }
        (Some(facts), CertificateState::Expired) => {
            format!("{name} at {}", moment(facts.not_after, now))
        }
        (Some(facts), CertificateState::Valid | CertificateState::Expiring) => {
            format!("{name}, until {}", moment(facts.not_after, now))
        }
    }
}

/// A time, and how far it is: `2027-01-14 08:12:04 UTC, in 45 days`.
fn moment(time: SystemTime, now: SystemTime) -> String {
    let date = OffsetDateTime::from(time);
    let (day, clock) = (date.date(), date.time());
    let clock = format!("{:02}:{:02}:{:02}", clock.hour(), clock.minute(), clock.second());
    let far = match time.duration_since(now) {
        Ok(left) => format!("in {}", length(left)),
        Err(past) => format!("{} ago", length(past.duration())),
    };
    format!("{day} {clock} UTC, {far}")
}

/// A length of time, as exact as a person wants it.
fn length(length: Duration) -> String {
    let seconds = length.as_secs();
    let counted = |count: u64, unit: &str| match count {
        1 => format!("1 {unit}"),
        count => format!("{count} {unit}s"),
    };
    match seconds {
        0..HOUR => counted(seconds / 60, "minute"),
        HOUR..=172_799 => counted(seconds / HOUR, "hour"),
        _ => counted(seconds / DAY, "day"),
    }
}

/// A text that others may have written, for a terminal.
fn plain(text: &str) -> String {
    text.chars().fold(String::new(), |mut shown, character| {
        if is_printable(character) {
            shown.push(character);
        } else {
            let _ = write!(shown, "{}", Escaped(character));
        }
        shown
    })
}

fn object(status: &CertificateStatus, now: SystemTime) -> Value {
    let (source, paths) = match &status.source {
        CertificateSource::Files { certificate, key } => {
            ("files", Some([certificate, key].map(|path| path.to_string_lossy().into_owned())))
        }
        CertificateSource::Automatic => ("automatic", None),
    };
    let [cert, key] = paths.map_or([None, None], |paths| paths.map(Some));
    let facts = status.facts.as_ref();
    json!({
        "names": status.names,
        "vhosts": status.presented_by,
        "state": status.state.name(),
        "source": source,
        "on_demand": is_on_demand(status),
        "cert": cert,
        "key": key,
        "issuer": facts.map(|facts| &*facts.issuer),
        "serial": facts.map(|facts| &*facts.serial),
        "not_before": facts.map(|facts| timestamp(facts.not_before)),
        "not_after": facts.map(|facts| timestamp(facts.not_after)),
        "days_left": facts.map(|facts| days_left(facts.not_after, now)),
        "key_type": facts.map(|facts| &*facts.key),
        "fingerprint": facts.map(|facts| &*facts.fingerprint),
        "fault": status.fault,
        "attempts": status.attempts,
        "next_attempt": status.next_attempt.map(timestamp),
    })
}

/// A time as RFC 3339 writes it, to the second.
fn timestamp(time: SystemTime) -> Option<String> {
    OffsetDateTime::from(time).replace_nanosecond(0).ok()?.format(&Rfc3339).ok()
}

/// Whole days; below zero once it is over.
fn days_left(not_after: SystemTime, now: SystemTime) -> i64 {
    let whole = |length: Duration| i64::try_from(length.as_secs() / DAY).unwrap_or(i64::MAX);
    match not_after.duration_since(now) {
        Ok(left) => whole(left),
        Err(past) => -whole(past.duration()) - 1,
    }
}
