//! Which of what this process logs reaches Python's `logging`: the filter in front of
//! the ring (`log_ring`), set when the extension is imported and again when a server
//! starts or a program chooses. Called on the thread that does so; nothing here waits.

use std::sync::OnceLock;

use slimhttp_bridge::log_ring::{ToRing, python_level};
use slimhttp_site::logging::Logging;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, reload};

/// Above every level of Python's `logging`.
const OFF: u8 = 51;

/// What is let through into the ring, where it is ours.
static FILTER: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

/// Begins to gather what this process logs; a second call does nothing, and a
/// program that has a subscriber of its own keeps it. What is wrong with
/// `SLIMHTTP_LOG` is said when a server starts, see `_log.configure`.
pub(crate) fn install() {
    let wished = slimhttp_cli::log::from_environment().ok().flatten().unwrap_or_default();
    let (filter, handle) = reload::Layer::new(slimhttp_cli::log::filter(&wished.filter));
    if Registry::default().with(filter).with(ToRing).try_init().is_ok() {
        let _ = FILTER.set(handle);
    }
}

/// Lets through what `words` choose, as those of `SLIMHTTP_LOG` do. Gives the level
/// in Python's numbers that it takes to hear all of it, and whether lines are to be
/// JSON.
///
/// # Errors
/// A sentence about a word that it does not take.
pub(crate) fn choose(words: &str) -> Result<(u8, bool), String> {
    let chosen = Logging::parse(words).map_err(|unknown| unknown.to_string())?;
    let filter = slimhttp_cli::log::filter(&chosen.filter);
    let level = filter.max_level_hint().and_then(|hint| hint.into_level());
    if let Some(handle) = FILTER.get() {
        // It lives as long as the process, so that there is something to exchange.
        let _ = handle.reload(filter);
    }
    Ok((level.map_or(OFF, python_level), chosen.json))
}
