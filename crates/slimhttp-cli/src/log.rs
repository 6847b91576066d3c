//! The program's log: `tracing` to standard error, one compact line or one JSON
//! object an event.
//!
//! `SLIMHTTP_LOG` chooses, or else the option `log`, in the words of
//! [`slimhttp_site::logging`]. By default slimHTTP's own events are logged from
//! `info` on, those of libraries from `warn` on, but for that of HTTP/2, which
//! warns of what clients do: it is logged from `error` on.

use std::io::IsTerminal as _;

use slimhttp_site::logging::{LogFilter, Logging};
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

mod contained;
mod json;
#[cfg(test)]
mod tests;

/// The variable that chooses what is logged.
pub const VARIABLE: &str = "SLIMHTTP_LOG";

/// What `SLIMHTTP_LOG` chooses; `None` where it is not set, or empty.
///
/// # Errors
/// A sentence about the word that it does not take.
pub fn from_environment() -> Result<Option<Logging>, String> {
    let value = std::env::var_os(VARIABLE).unwrap_or_default();
    let value = value.to_string_lossy();
    if value.trim().is_empty() {
        return Ok(None);
    }
    Logging::parse(&value).map(Some).map_err(|unknown| format!("{VARIABLE}: {unknown}"))
}

/// Begins to log. A second call does nothing, nor does a call in a program that
/// has set up `tracing` itself.
///
/// Lines are written by a thread of their own: where nobody reads standard
/// error, lines are lost beyond 128,000 and nothing waits. What is returned
/// writes the last ones when it is dropped.
pub fn init(logging: &Logging) -> WorkerGuard {
    let (writer, guard) = tracing_appender::non_blocking(std::io::stderr());
    let filter = filter(&logging.filter);
    // Among details the target says whose they are.
    let detailed = filter.max_level_hint().is_none_or(|level| level > LevelFilter::INFO);
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(detailed)
        .with_ansi(colour(std::env::var_os("NO_COLOR"), std::io::stderr().is_terminal()))
        // A closed standard error must not end the server.
        .log_internal_errors(false)
        .with_writer(writer);
    // Both fail only where somebody else has set up `tracing`.
    let _ = match logging.json {
        true => builder.event_format(json::Lines).try_init(),
        false => builder.compact().fmt_fields(contained::fields()).try_init(),
    };
    guard
}

/// The filter of events that these words of the option stand for.
pub fn filter(filter: &LogFilter) -> EnvFilter {
    match filter {
        LogFilter::Default => with_level(LevelFilter::INFO),
        LogFilter::Level(name) => match name.parse().unwrap_or(LevelFilter::INFO) {
            LevelFilter::OFF => EnvFilter::default().add_directive(LevelFilter::OFF.into()),
            level => with_level(level),
        },
        // Directives are made of targets and levels, all of which it takes.
        LogFilter::Directives(directives) => EnvFilter::new(directives),
    }
}

/// slimHTTP's events from `level` on, those of the libraries from `warn` on.
fn with_level(level: LevelFilter) -> EnvFilter {
    let libraries = level.min(LevelFilter::WARN);
    // A client could fill the log: each frame that it should not send is a warning.
    let http2 = level.min(LevelFilter::ERROR);
    // A directive covers every target that begins with its name: all our crates.
    EnvFilter::new(format!("{libraries},h2={http2},slimhttp={level},_slimhttp={level}"))
}

/// Colour only on a terminal, and where `NO_COLOR` is not set to anything
/// (no-color.org).
fn colour(no_color: Option<std::ffi::OsString>, terminal: bool) -> bool {
    terminal && no_color.is_none_or(|value| value.is_empty())
}
