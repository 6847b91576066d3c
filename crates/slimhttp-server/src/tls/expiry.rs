//! When certificates end, for the log: thirty days before, seven, one, and when it is over, each
//! once for each certificate. Looked at by whoever opens certificates and whoever watches their
//! files, neither an I/O thread. The clock is an argument.

use std::collections::{HashMap, HashSet};
use std::fmt::Display;

use time::{Duration, OffsetDateTime};

use crate::tls::facts::CertificateFacts;

/// What the log has said, by the fingerprint of the certificate.
#[derive(Debug, Default)]
pub(crate) struct ExpiryLog {
    told: HashMap<[u8; 32], Told>,
}

/// How near the end of a certificate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Not near enough to be told.
    Far,
    Days(Nearness),
    Over,
}

/// The days that are left, at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Nearness {
    Thirty,
    Seven,
    One,
}

#[derive(Clone, Copy, Debug)]
struct Told {
    stage: Stage,
    not_yet_valid: bool,
}

impl Stage {
    /// A number of days counts only if a certificate is valid for more than twice as long: what
    /// lives for a week would else be told of with its first breath.
    pub(super) fn of(facts: &CertificateFacts, now: OffsetDateTime) -> Self {
        if facts.not_after < now {
            return Self::Over;
        }
        let (left, lifetime) = (facts.not_after - now, facts.not_after - facts.not_before);
        let nearest = [(1, Nearness::One), (7, Nearness::Seven), (30, Nearness::Thirty)]
            .into_iter()
            .find(|(days, _)| left <= Duration::days(*days) && lifetime > Duration::days(2 * days));
        nearest.map_or(Self::Far, |(_, nearness)| Self::Days(nearness))
    }
}

impl ExpiryLog {
    /// Says of these certificates, by what they are called, what is to be said now and was not
    /// yet. Gives the lines as they are logged.
    pub(super) fn tell<'c, N: Display>(
        &mut self,
        certificates: impl Iterator<Item = (N, &'c CertificateFacts)>,
        now: OffsetDateTime,
    ) -> Vec<String> {
        let mut lines = Vec::new();
        for (name, facts) in certificates {
            let stage = Stage::of(facts, now);
            let not_yet_valid = facts.not_before > now;
            let before = self.told.insert(facts.fingerprint, Told { stage, not_yet_valid });
            if before.is_none_or(|before| before.stage < stage) {
                lines.extend(line(&name, stage, facts));
            }
            if not_yet_valid && before.is_none_or(|before| !before.not_yet_valid) {
                let begin = facts.not_before.date();
                lines.push(format!("{name} is valid from {begin} (UTC) on only"));
            }
        }
        for line in &lines {
            match line.contains(" ended on ") {
                true => tracing::error!("{line}"),
                false => tracing::warn!("{line}"),
            }
        }
        lines
    }

    /// Forgets what was said of certificates that are not among these.
    pub(super) fn retain<'c>(&mut self, certificates: impl Iterator<Item = &'c CertificateFacts>) {
        let known: HashSet<_> = certificates.map(|facts| facts.fingerprint).collect();
        self.told.retain(|fingerprint, _| known.contains(fingerprint));
    }
}

fn line(name: &impl Display, stage: Stage, facts: &CertificateFacts) -> Option<String> {
    let end = facts.not_after.date();
    match stage {
        Stage::Far => None,
        Stage::Days(_) => Some(format!("{name} ends on {end} (UTC): renew it")),
        Stage::Over => {
            Some(format!("{name} ended on {end} (UTC), and clients refuse it: renew it"))
        }
    }
}

#[cfg(test)]
mod tests;
