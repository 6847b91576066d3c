//! Log records on their way from `tracing` to Python's `logging`: a bounded ring, one for the
//! process. Any thread writes into it, under a short lock; threads that hold Python take what is
//! there. When nobody takes them the oldest records are dropped, and a record says how many.

use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::{Mutex, MutexGuard};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

use crate::bridge::Bridge;

/// How many records wait for Python.
const CAPACITY: usize = 1024;
/// The level of a warning in Python's `logging`.
const WARNING: u8 = 30;

/// One line for Python's `logging`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// As `logging` numbers levels: 10, 20, 30, 40.
    pub level: u8,
    /// The text.
    pub message: String,
    /// The application whose own text it is.
    pub application: Option<String>,
}

#[derive(Default)]
struct Ring {
    filled: AtomicBool,
    state: Mutex<RingState>,
}

#[derive(Default)]
struct RingState {
    records: VecDeque<Record>,
    dropped: usize,
    /// The bridges whose threads are woken when there are records.
    readers: Vec<Weak<Bridge>>,
}

fn ring() -> &'static Ring {
    static RING: OnceLock<Ring> = OnceLock::new();
    RING.get_or_init(Ring::default)
}

/// Wakes the threads at `bridge` when there are records.
pub fn attach(bridge: &Arc<Bridge>) {
    let mut state = ring().lock();
    state.readers.retain(|reader| reader.strong_count() > 0);
    state.readers.push(Arc::downgrade(bridge));
}

/// The records since the last time; without a lock when there are none.
pub fn take() -> Vec<Record> {
    let ring = ring();
    if !ring.filled.load(Ordering::Acquire) {
        return Vec::new();
    }
    let mut state = ring.lock();
    ring.filled.store(false, Ordering::Release);
    let dropped = std::mem::take(&mut state.dropped);
    let mut records: Vec<Record> = state.records.drain(..).collect();
    drop(state);
    if dropped > 0 {
        let message = format!("{dropped} older log records were dropped: nobody took them in time");
        records.insert(0, Record { level: WARNING, message, application: None });
    }
    records
}

impl Ring {
    fn push(&self, record: Record) {
        let mut state = self.lock();
        let first = state.records.is_empty();
        if state.records.len() == CAPACITY {
            state.records.pop_front();
            state.dropped += 1;
        }
        state.records.push_back(record);
        self.filled.store(true, Ordering::Release);
        let readers = if first { state.readers.clone() } else { Vec::new() };
        drop(state);
        for bridge in readers.iter().filter_map(Weak::upgrade) {
            bridge.queue.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, RingState> {
        self.state.lock()
    }
}

/// Writes what `tracing` reports into the ring.
pub struct ToRing;

impl<S: Subscriber> Layer<S> for ToRing {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Line::default();
        event.record(&mut line);
        let level = python_level(*event.metadata().level());
        let application = line.application.take();
        ring().push(Record { level, message: line.text(), application });
    }
}

/// A level as Python's `logging` numbers it.
pub fn python_level(level: Level) -> u8 {
    match level {
        Level::ERROR => 40,
        Level::WARN => WARNING,
        Level::INFO => 20,
        _ => 10,
    }
}

/// The message, then every other field but `application` as `name=value`.
#[derive(Default)]
struct Line {
    application: Option<String>,
    message: String,
    fields: String,
}

impl Line {
    fn text(self) -> String {
        if self.message.is_empty() {
            return self.fields.trim_start().to_owned();
        }
        self.message + &self.fields
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "application" => self.application = Some(value.to_owned()),
            _ => self.record_debug(field, &value),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing into a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests;
