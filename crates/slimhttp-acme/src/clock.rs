//! What time it is, as an argument, so that tests may stand near the end of a certificate; and
//! times as the files of `storage` have them (RFC 3339, UTC, whole seconds).

use std::time::{Duration, SystemTime};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Tells the time. Asked on the thread `slimhttp-acme`.
pub trait Clock: Send + Sync + 'static {
    /// What time it is.
    fn now(&self) -> SystemTime;
}

/// The clock of the system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// A time as text.
pub(crate) fn text(time: SystemTime) -> String {
    let time = date(time).replace_nanosecond(0).expect("zero is a nanosecond");
    time.format(&Rfc3339).unwrap_or_default()
}

/// A time as it is told again when it has been written.
pub(crate) fn whole_seconds(time: SystemTime) -> SystemTime {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_secs(since.as_secs())
}

/// The time that a text of RFC 3339 says.
pub(crate) fn parse(text: &str) -> Option<SystemTime> {
    let time = OffsetDateTime::parse(text.trim(), &Rfc3339).ok()?.unix_timestamp();
    seconds(time)
}

/// So many seconds since 1970. `None`: before it, or later than this machine can tell.
pub(crate) fn seconds(seconds: i64) -> Option<SystemTime> {
    let seconds = Duration::from_secs(u64::try_from(seconds).ok()?);
    let time = SystemTime::UNIX_EPOCH.checked_add(seconds)?;
    // What `date` can tell, too.
    (time < latest()).then_some(time)
}

/// `time` and `length` later; the latest time there is where that cannot be told.
pub(crate) fn after(time: SystemTime, length: Duration) -> SystemTime {
    time.checked_add(length).unwrap_or_else(latest).min(latest())
}

/// How long it is from one time to another; nothing where that one is past.
pub(crate) fn until(now: SystemTime, then: SystemTime) -> Duration {
    then.duration_since(now).unwrap_or_default()
}

/// The end of the year 9999, the last that RFC 3339 can write.
fn latest() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_799)
}

fn date(time: SystemTime) -> OffsetDateTime {
    let time = time.clamp(SystemTime::UNIX_EPOCH, latest());
    OffsetDateTime::from(time)
}

#[cfg(test)]
mod tests;
