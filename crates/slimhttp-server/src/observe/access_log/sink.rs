//! Where lines end: the thread that takes them from the backlog and writes them
//! to standard error, to standard output or to a file. Each log has one; it may wait for the
//! disk, and ends when the last writer of the log is gone.
//!
//! The file is opened anew on request, and when another one, or none,
//! stands at its path, so that a log may be rotated by moving it away; truncating
//! it works as well, since every write appends.

use std::fs::{File, Metadata};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;

use slimhttp_site::site::LogFile;

use crate::observe::access_log::{Backlog, Message, cost};
use crate::sys::privileges::Successor;

/// How much is written at once; the last line may exceed it.
const BATCH: usize = 64 << 10;
/// How long lines are gathered once they come in quick succession. In this time
/// a new line wakes no thread, which is what makes a line cheap under load.
const GATHER_TIME: Duration = Duration::from_millis(10);
/// How often the path is looked at, and how often a warning is given, at most.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// What a batch is, beside its bytes.
struct Batch {
    /// What its lines cost while they waited.
    cost: usize,
    /// Whether it ends with the order to open the file anew.
    reopen: bool,
}

/// Puts the lines that are there into `batch`, from `first` on, until it is full or
/// the file is to be opened anew: what was recorded before belongs to the file before.
fn gather(first: Message, lines: &Receiver<Message>, batch: &mut Vec<u8>) -> Batch {
    let mut gathered = Batch { cost: 0, reopen: false };
    let mut next = Some(first);
    while let Some(message) = next {
        let Message::Line(line) = message else {
            gathered.reopen = true;
            break;
        };
        gathered.cost += cost(&line);
        batch.extend_from_slice(&line);
        next = if batch.len() < BATCH { lines.try_recv().ok() } else { None };
    }
    gathered
}

/// Where the lines of one log are written.
#[derive(Debug)]
pub(super) enum Sink {
    /// Standard error.
    Stderr,
    /// Standard output.
    Stdout,
    /// A file.
    File(OpenFile),
}

/// An open log file.
#[derive(Debug)]
pub(super) struct OpenFile {
    path: PathBuf,
    file: File,
    /// Device and inode of a regular file. `None` for anything else, which is
    /// not rotated.
    identity: Option<(u64, u64)>,
    /// Whether a write ended amidst a line.
    mid_line: bool,
    /// When the path was looked at last.
    checked_at: Instant,
}

impl Sink {
    /// Opens what is named; a file for appending.
    pub(super) fn open(named: &LogFile, successor: Option<&Successor>) -> io::Result<Self> {
        match named {
            LogFile::Stderr => Ok(Self::Stderr),
            LogFile::Stdout => Ok(Self::Stdout),
            LogFile::Path(path) => OpenFile::open(path, successor).map(Self::File),
        }
    }

    /// Writes what `lines` brings until its other end is dropped.
    pub(super) fn drain(mut self, lines: &Receiver<Message>, backlog: &Backlog) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut losses = LossReport::default();
        loop {
            // Idle: wait for a line and write it at once.
            let mut next = match lines.recv_timeout(losses.timeout()) {
                Ok(message) => Some(message),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            // Busy: as long as each pause brings lines, write what it brought.
            while let Some(first) = next {
                let gathered = gather(first, lines, &mut batch);
                if let Err(cause) = self.write(&batch, gathered.reopen) {
                    let count = batch.iter().filter(|&&byte| byte == b'\n').count();
                    losses.failed(count, cause);
                }
                backlog.written(gathered.cost);
                if gathered.reopen {
                    self.reopen();
                }
                let more = gathered.reopen || batch.len() >= BATCH;
                batch.clear();
                if !more {
                    thread::sleep(GATHER_TIME);
                }
                next = lines.try_recv().ok();
                losses.dropped(backlog);
                losses.warn(&self, CHECK_INTERVAL);
            }
            losses.dropped(backlog);
            losses.warn(&self, CHECK_INTERVAL);
        }
        losses.dropped(backlog);
        losses.warn(&self, Duration::ZERO);
    }

    /// Opens a file anew.
    fn reopen(&mut self) {
        if let Self::File(log) = self {
            log.reopen();
        }
    }

    /// Writes lines; the `last` ones of this file go into it wherever it stands now.
    fn write(&mut self, batch: &[u8], last: bool) -> io::Result<()> {
        match self {
            Self::Stderr => io::stderr().lock().write_all(batch),
            Self::Stdout => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(batch).and_then(|()| stdout.flush())
            }
            Self::File(log) => {
                if !last {
                    log.reopen_if_moved();
                }
                log.write(batch)
            }
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Stderr => LogFile::Stderr.to_string(),
            Self::Stdout => LogFile::Stdout.to_string(),
            Self::File(log) => log.path.display().to_string(),
        }
    }
}

impl OpenFile {
    fn open(path: &Path, successor: Option<&Successor>) -> io::Result<Self> {
        let (file, identity) = match successor {
            None => open(path, OFlags::empty())?,
            Some(successor) => {
                let (opened, as_root) = successor.open(path, open)?;
                if as_root {
                    tracing::warn!(
                        "the access log {} is opened as root, since `{}` may not: once moved away \
                         it cannot be opened anew",
                        path.display(),
                        successor.name()
                    );
                }
                opened
            }
        };
        Ok(Self {
            path: path.to_owned(),
            file,
            identity,
            mid_line: false,
            checked_at: Instant::now(),
        })
    }

    fn write(&mut self, batch: &[u8]) -> io::Result<()> {
        if self.mid_line && !batch.is_empty() {
            self.file.write_all(b"\n")?;
            self.mid_line = false;
        }
        let mut rest = batch;
        while !rest.is_empty() {
            match self.file.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    self.mid_line = rest[count - 1] != b'\n';
                    rest = &rest[count..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Opens the path anew where our file stands there no longer. Where that
    /// fails, the old file goes on and the next look tries again.
    fn reopen_if_moved(&mut self) {
        if self.identity.is_none() || self.checked_at.elapsed() < CHECK_INTERVAL {
            return;
        }
        self.checked_at = Instant::now();
        let there = std::fs::metadata(&self.path).ok().map(|found| identity(&found));
        if there != self.identity {
            self.reopen();
        }
    }

    /// Opens the path anew.
    fn reopen(&mut self) {
        match open(&self.path, OFlags::empty()) {
            Ok((file, identity)) => {
                (self.file, self.identity, self.mid_line) = (file, identity, false);
            }
            Err(cause) => tracing::warn!(
                "the access log {} cannot be opened anew, so the file before goes on: {cause}",
                self.path.display()
            ),
        }
    }
}

/// Opens a file for appending, and says which one it is if it is a regular one.
fn open(path: &Path, further: OFlags) -> io::Result<(File, Option<(u64, u64)>)> {
    // Without NONBLOCK a FIFO that nobody reads would hold the caller for ever.
    // It is taken back at once: our thread may wait.
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY | further;
    let file = File::options()
        .append(true)
        .create(true)
        .mode(0o640)
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    rustix::fs::fcntl_setfl(&file, OFlags::APPEND)?;
    let found = file.metadata()?;
    if found.file_type().is_block_device() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a disk"));
    }
    let identity = found.is_file().then(|| identity(&found));
    Ok((file, identity))
}

fn identity(found: &Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
}

/// Lines that were lost, and when the last warning of it was given.
#[derive(Debug, Default)]
struct LossReport {
    lost: u64,
    cause: Option<io::Error>,
    warned_at: Option<Instant>,
}

impl LossReport {
    /// Counts the lines that found the backlog full.
    fn dropped(&mut self, backlog: &Backlog) {
        self.lost += backlog.dropped.swap(0, Ordering::Relaxed);
    }

    /// Counts `lines` of a batch that could not be written.
    fn failed(&mut self, lines: usize, cause: io::Error) {
        self.lost += lines as u64;
        self.cause = Some(cause);
    }

    /// How long to wait for a line before a warning is due.
    fn timeout(&self) -> Duration {
        if self.lost > 0 { CHECK_INTERVAL } else { Duration::from_secs(3600) }
    }

    /// Warns, unless the last warning is younger than `interval`; what is left
    /// out is part of the next one.
    fn warn(&mut self, sink: &Sink, interval: Duration) {
        if self.lost == 0 || self.warned_at.is_some_and(|last| last.elapsed() < interval) {
            return;
        }
        let (name, lost) = (sink.name(), self.lost);
        match self.cause.take() {
            Some(cause) => {
                tracing::warn!("access log {name}: up to {lost} lines lost: {cause}");
            }
            None => tracing::warn!(
                "access log {name}: {lost} lines dropped, requests come faster than they are written"
            ),
        }
        self.lost = 0;
        self.warned_at = Some(Instant::now());
    }
}

#[cfg(test)]
mod tests;
