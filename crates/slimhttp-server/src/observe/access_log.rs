//! Access logs: a line for each request, on standard error, standard output or in
//! a file.
//!
//! A request never waits for its line. It renders the line and puts it into a
//! bounded backlog; one thread for each file takes the lines out and writes them
//! in batches. Where the backlog is full, lines are dropped and counted, and a
//! warning says how many.
//!
//! No client can forge a line: whatever it sent is escaped, and a line is ASCII.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use slimhttp_site::site::{AccessFormat, AccessLog, LogFile};

use crate::sys::privileges::Successor;

mod line;
mod sink;
#[cfg(test)]
mod tests;

pub(crate) use line::Entry;
use sink::Sink;

/// How much memory the lines that wait for one file may take, in bytes.
const BACKLOG: usize = 4 << 20;
/// What a waiting line costs beside its buffer.
const OVERHEAD: usize = 64;

/// The access logs of one server, each opened once however many scopes name it.
///
/// A log is closed when the last [`AccessWriter`] is gone and its lines are
/// written; a snapshot that holds its writers thereby holds its logs.
#[derive(Debug, Default)]
pub(crate) struct AccessLogs {
    open: Mutex<HashMap<LogFile, OpenLog>>,
}

/// A log that was opened: whoever writes to it, and what is on the way. The
/// latter may outlast the former.
#[derive(Debug)]
struct OpenLog {
    log: Weak<Log>,
    backlog: Arc<Backlog>,
}

impl AccessLogs {
    /// A writer for the log that `config` names; the file is created, readable by
    /// its owner and group only (0640), where there is none.
    ///
    /// # Errors
    /// The file cannot be opened for appending, or no thread can be started.
    #[cfg(test)]
    pub(crate) fn open(&self, config: &AccessLog) -> io::Result<AccessWriter> {
        self.open_for(config, None)
    }

    /// The same in a process of root that is about to be somebody else.
    ///
    /// # Errors
    /// As [`Self::open`]; that user may not open it, and could lead root elsewhere.
    pub(crate) fn open_for(
        &self,
        config: &AccessLog,
        successor: Option<&Successor>,
    ) -> io::Result<AccessWriter> {
        let mut open = self.open.lock();
        open.retain(|_, opened| opened.log.strong_count() > 0 || !opened.backlog.is_empty());
        let log = match open.get(&config.file).and_then(|opened| opened.log.upgrade()) {
            Some(log) => log,
            None => {
                let log = Arc::new(Log::start(Sink::open(&config.file, successor)?)?);
                let backlog = log.backlog.clone();
                open.insert(config.file.clone(), OpenLog { log: Arc::downgrade(&log), backlog });
                log
            }
        };
        Ok(AccessWriter { format: config.format, log })
    }

    /// Opens every file anew by its path, as after a rotation; in a moment, on the
    /// threads that write them. Where that fails, the old file goes on.
    pub(crate) fn reopen(&self) {
        let open = self.open.lock();
        for log in open.values().filter_map(|opened| opened.log.upgrade()) {
            // Nobody is there only where the thread has panicked.
            let _ = log.lines.send(Message::Reopen);
        }
    }

    /// Waits until every line that was written before is in its file, at most
    /// `timeout`; whether it is. For the end of a server.
    pub(crate) fn flush(&self, timeout: Duration) -> bool {
        let backlogs: Vec<_> = {
            let open = self.open.lock();
            open.values().map(|opened| opened.backlog.clone()).collect()
        };
        let deadline = Instant::now() + timeout;
        while !backlogs.iter().all(|backlog| backlog.is_empty()) {
            if Instant::now() >= deadline {
                return false;
            }
            thread::sleep(Duration::from_millis(1));
        }
        true
    }
}

/// Records requests in one log, in one format. Cloning shares the log.
#[derive(Clone, Debug)]
pub(crate) struct AccessWriter {
    format: AccessFormat,
    log: Arc<Log>,
}

impl AccessWriter {
    /// Records a request. Never waits.
    pub(crate) fn record(&self, entry: &Entry<'_>) {
        self.log.push(entry.render(self.format));
    }
}

/// One open log: the near end of its backlog. The far end is a [`sink`]'s, on a
/// thread of its own, which ends when this is dropped.
#[derive(Debug)]
struct Log {
    lines: Sender<Message>,
    backlog: Arc<Backlog>,
}

impl Log {
    fn start(sink: Sink) -> io::Result<Self> {
        let backlog = Arc::new(Backlog::default());
        let (lines, taken) = mpsc::channel();
        let shared = backlog.clone();
        thread::Builder::new()
            .name("slimhttp-log".to_owned())
            .spawn(move || sink.drain(&taken, &shared))?;
        Ok(Self { lines, backlog })
    }

    fn push(&self, line: Vec<u8>) {
        let cost = cost(&line);
        // Relaxed: the count is a bound, the channel orders the lines. It may be
        // overshot by a line for each thread that pushes at this moment.
        if self.backlog.waiting.load(Ordering::Relaxed) + cost > BACKLOG {
            self.backlog.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.backlog.waiting.fetch_add(cost, Ordering::Relaxed);
        if self.lines.send(Message::Line(line)).is_err() {
            // The thread lives as long as this sender, unless it panicked.
            self.backlog.waiting.fetch_sub(cost, Ordering::Relaxed);
            self.backlog.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What is sent to the thread of a log.
#[derive(Debug)]
enum Message {
    /// Write this.
    Line(Vec<u8>),
    /// Open the file anew.
    Reopen,
}

/// What is on the way to one log.
#[derive(Debug, Default)]
struct Backlog {
    /// The cost of the lines that are sent and not yet written.
    waiting: AtomicUsize,
    /// Lines that were dropped, and of which no warning was given yet.
    dropped: AtomicU64,
}

impl Backlog {
    fn is_empty(&self) -> bool {
        self.waiting.load(Ordering::Acquire) == 0
    }

    /// Lines that cost this much are written.
    fn written(&self, cost: usize) {
        self.waiting.fetch_sub(cost, Ordering::Release);
    }
}

/// What a line costs while it waits, in bytes of memory.
fn cost(line: &Vec<u8>) -> usize {
    line.capacity() + OVERHEAD
}
