//! When a certificate is renewed, and when a failure is followed by another attempt: pure
//! decisions about times.

use std::time::{Duration, SystemTime};

use crate::certificate::Certificate;
use crate::clock;
use crate::protocol::RenewalInfo;
use crate::store::{Ari, Meta};

#[cfg(test)]
mod tests;

const DAY: Duration = Duration::from_secs(86_400);
/// Certificates of a shorter life are renewed at its half, others at two thirds.
const SHORT_LIFE: Duration = Duration::from_secs(10 * 86_400);

/// How long is waited for what. Tests have shorter times.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// How long after the first failure of a certificate there is another attempt; it doubles with
    /// each. With two minutes there are five in an hour, which is how many failures the usual
    /// authority allows a name.
    pub retry: Duration,
    /// What it grows to.
    pub longest_retry: Duration,
    /// For how long an authority that cannot be reached is not asked; it doubles with each time.
    pub pause: Duration,
    /// What it grows to.
    pub longest_pause: Duration,
    /// How long there are at least between two certificates for the same names, whatever a clock
    /// or an authority says.
    pub between: Duration,
    /// The shortest time after which an authority is asked again when to renew.
    pub shortest_check: Duration,
    /// How often certificates that another process may have obtained are looked for.
    pub look: Duration,
    /// How long one attempt may take, without what the DNS needs.
    pub attempt: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            retry: Duration::from_secs(120),
            longest_retry: Duration::from_secs(6 * 3600),
            pause: Duration::from_secs(30),
            longest_pause: Duration::from_secs(1800),
            between: Duration::from_secs(6 * 3600),
            shortest_check: Duration::from_secs(60),
            look: Duration::from_secs(60),
            attempt: Duration::from_secs(600),
        }
    }
}

/// What is to be done about a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Nothing until then.
    Nothing(SystemTime),
    /// The authority is asked when it is to be renewed.
    Check,
    /// It is obtained.
    Obtain,
}

/// The times of a certificate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Life<'c> {
    pub(crate) not_before: SystemTime,
    pub(crate) not_after: SystemTime,
    pub(crate) id: Option<&'c str>,
}

impl Certificate {
    pub(crate) fn life(&self) -> Life<'_> {
        let Self { not_before, not_after, id, .. } = self;
        Life { not_before: *not_before, not_after: *not_after, id: id.as_deref() }
    }
}

/// When a certificate is to be renewed: when the authority says, but before its end; else when a
/// third of its life is left, half of a short one.
pub(crate) fn renew_at(life: Life<'_>, meta: &Meta, timing: &Timing) -> SystemTime {
    let length = clock::until(life.not_before, life.not_after);
    let usual = if length < SHORT_LIFE { length / 2 } else { length * 2 / 3 };
    let usual = clock::after(life.not_before, usual);
    let latest = clock::after(life.not_before, length / 10 * 9);
    let said = meta.ari.as_ref().filter(|ari| Some(&*ari.id) == life.id);
    let at = said.and_then(|ari| ari.selected).unwrap_or(usual).min(latest);
    // One that is to be renewed as soon as it comes would be ordered again and again.
    let between = timing.between.min(length / 10);
    meta.obtained.map_or(at, |time| at.max(clock::after(time, between)))
}

/// What is to be done about a certificate, the one that there is being `life`.
pub(crate) fn due(now: SystemTime, life: Option<Life<'_>>, meta: &Meta, timing: &Timing) -> Due {
    let retry = meta.next_attempt.filter(|time| *time > now);
    let Some(life) = life else { return retry.map_or(Due::Obtain, Due::Nothing) };
    let renew_at = renew_at(life, meta, timing);
    let checked = meta.ari.as_ref().filter(|ari| Some(&*ari.id) == life.id);
    let is_checked = life.id.is_none() || checked.is_some_and(|ari| now < ari.next_check);
    if !is_checked && now < life.not_after {
        return Due::Check;
    }
    let at = retry.map_or(renew_at, |retry| retry.max(renew_at));
    if at <= now {
        return Due::Obtain;
    }
    Due::Nothing(checked.map_or(at, |ari| at.min(ari.next_check)))
}

/// What an authority's answer comes to: a moment within its window, which stays the same for as
/// long as it is within it (RFC 9773 section 4.2). `window` is `None` where it says none.
pub(crate) fn checked(
    id: &str,
    window: Option<RenewalInfo>,
    before: Option<&Ari>,
    now: SystemTime,
    timing: &Timing,
    chance: f64,
) -> Ari {
    let wait = match &window {
        // RFC 9773 section 4.3: what it says, within bounds of our own.
        Some(info) => info.retry_after.map_or(DAY / 4, |time| clock::until(now, time)),
        None => DAY,
    };
    let next_check = clock::after(now, wait.clamp(timing.shortest_check, DAY));
    let window_of = |info: &RenewalInfo| (info.start, info.end);
    let before = before.filter(|before| before.id == id).and_then(|before| before.selected);
    let selected = window.as_ref().map(|RenewalInfo { start, end, .. }| {
        let within = |time: &SystemTime| (*start..*end).contains(time);
        let chosen = || clock::after(*start, clock::until(*start, *end).mul_f64(chance));
        before.filter(within).unwrap_or_else(chosen)
    });
    Ari {
        id: id.to_owned(),
        window: window.as_ref().map(window_of),
        selected,
        explanation: window.and_then(|info| info.explanation),
        next_check,
    }
}

/// The authority could not be asked when to renew: what it said before holds for longer.
pub(crate) fn unchecked(
    id: &str,
    before: Option<&Ari>,
    now: SystemTime,
    timing: &Timing,
    chance: f64,
) -> Ari {
    let wait = (DAY / 24).max(timing.shortest_check).mul_f64(1.0 + chance);
    let next_check = clock::after(now, wait);
    match before.filter(|before| before.id == id) {
        Some(before) => Ari { next_check, ..before.clone() },
        None => {
            Ari { id: id.to_owned(), window: None, selected: None, explanation: None, next_check }
        }
    }
}

/// When there is another attempt after `attempts` that have failed: later each time, and never
/// before the authority allows it. `chance` spreads what would happen at the same moment, always
/// to a later one.
pub(crate) fn retry_at(
    now: SystemTime,
    attempts: u32,
    allowed: Option<SystemTime>,
    timing: &Timing,
    chance: f64,
) -> SystemTime {
    let at = clock::after(now, backed_off(timing.retry, timing.longest_retry, attempts, chance));
    allowed.map_or(at, |allowed| at.max(allowed))
}

/// Until when an authority that has failed so many times in turn is not asked.
pub(crate) fn pause_until(
    now: SystemTime,
    failures: u32,
    allowed: Option<SystemTime>,
    timing: &Timing,
    chance: f64,
) -> SystemTime {
    let until = clock::after(now, backed_off(timing.pause, timing.longest_pause, failures, chance));
    allowed.map_or(until, |allowed| until.max(allowed))
}

fn backed_off(first: Duration, longest: Duration, count: u32, chance: f64) -> Duration {
    let factor = 2_u32.saturating_pow(count.saturating_sub(1));
    first.saturating_mul(factor).min(longest).mul_f64(1.0 + chance / 4.0)
}
