//! The program's log: `tracing` to standard error, one compact line an event.
//!
//! `SLIMHTTP_LOG` chooses: a bare level (`debug`) for slimHTTP's own events, or
//! filter directives (`slimhttp_server::proxy=trace,hyper=debug`) in the syntax
//! of [`EnvFilter`]. The default is `info`; libraries are heard from `warn` on.

use std::io::IsTerminal as _;

use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{LevelFilter, ParseError};

#[cfg(test)]
mod tests;

/// The variable that chooses what is logged.
const VARIABLE: &str = "SLIMHTTP_LOG";

/// What `SLIMHTTP_LOG` chose, and what is wrong with it if that is so: then the
/// default holds.
pub fn chosen() -> (EnvFilter, Option<String>) {
    let chosen = std::env::var(VARIABLE).unwrap_or_default();
    match filter(&chosen) {
        Ok(filter) => (filter, None),
        Err(error) => {
            let complaint = format!(
                "{VARIABLE}: expected a level or filter directives, found `{chosen}` ({error}); \
                 logging at `info`"
            );
            (standard(LevelFilter::INFO), Some(complaint))
        }
    }
}

/// Begins to log. A second call does nothing, nor does a call in a program that
/// has set up `tracing` itself.
///
/// Lines are written by a thread of their own: where nobody reads standard
/// error, lines are lost beyond 128,000 and nothing waits. What is returned
/// writes the last ones when it is dropped.
pub fn init() -> WorkerGuard {
    let (writer, guard) = tracing_appender::non_blocking(std::io::stderr());
    let (filter, complaint) = chosen();
    // Who asks for details wants to know whose they are.
    let detailed = filter.max_level_hint().is_none_or(|level| level > LevelFilter::INFO);
    let begun = tracing_subscriber::fmt()
        .compact()
        .with_env_filter(filter)
        .with_target(detailed)
        .with_ansi(colour(std::env::var_os("NO_COLOR"), std::io::stderr().is_terminal()))
        // A closed standard error must not end the server.
        .log_internal_errors(false)
        .with_writer(writer)
        .try_init();
    if let (Ok(()), Some(complaint)) = (begun, complaint) {
        tracing::warn!("{complaint}");
    }
    guard
}

/// What `chosen` lets through; empty is the default.
fn filter(chosen: &str) -> Result<EnvFilter, ParseError> {
    match chosen.trim() {
        "" => Ok(standard(LevelFilter::INFO)),
        chosen => match chosen.parse::<LevelFilter>() {
            Ok(LevelFilter::OFF) => Ok(EnvFilter::default().add_directive(LevelFilter::OFF.into())),
            Ok(level) => Ok(standard(level)),
            Err(_) => EnvFilter::builder().parse(chosen),
        },
    }
}

/// slimHTTP's events from `level` on, those of the libraries from `warn` on.
fn standard(level: LevelFilter) -> EnvFilter {
    // A directive covers every target that begins with its name: all our crates.
    EnvFilter::new(format!("{},slimhttp={level},_slimhttp={level}", level.min(LevelFilter::WARN)))
}

/// Colour only on a terminal, and where `NO_COLOR` is not set to anything
/// (no-color.org).
fn colour(no_color: Option<std::ffi::OsString>, terminal: bool) -> bool {
    terminal && no_color.is_none_or(|value| value.is_empty())
}
