//! Rotation, overflow and failing writes, as the thread of a log meets them.

use std::fs;
use std::io::Read as _;
use std::sync::{Arc, Mutex, mpsc};

use rustix::fs::{CWD, Mode};
use slimhttp_site::site::AccessFormat;
use tracing::field::{Field, Visit};
use tracing::span;

use super::*;
use crate::observe::access_log::tests::{Folder, entry, numbered, render, statuses};
use crate::observe::access_log::{BACKLOG, Log, OVERHEAD};

/// Makes the time come at which the path is looked at once more.
fn next_look(sink: &mut Sink) {
    let Sink::File(log) = sink else { return };
    log.checked_at -= CHECK_INTERVAL;
}

/// Those that wait together too, and though a second has gone since the path was
/// looked at.
#[test]
fn what_was_recorded_before_a_log_is_opened_anew_stands_in_the_file_before() {
    let folder = Folder::new();
    let (path, moved) = (folder.0.path().join("a.log"), folder.0.path().join("a.log.1"));
    let mut sink = Sink::open(&LogFile::Path(path.clone()), None).expect("a log");
    fs::rename(&path, &moved).expect("moved");
    next_look(&mut sink);
    let (lines, taken) = mpsc::channel();
    let line = |status| Message::Line(numbered(status).render(AccessFormat::Common));
    for message in [line(201), line(202), Message::Reopen, line(203), Message::Reopen] {
        lines.send(message).expect("somebody takes it");
    }
    drop(lines);
    sink.drain(&taken, &Backlog::default());
    assert_eq!((statuses(&moved), statuses(&path)), (vec![201, 202], vec![203]));
}

#[test]
fn a_log_that_is_moved_or_removed_is_opened_anew() {
    let folder = Folder::new();
    let (path, moved) = (folder.0.path().join("a.log"), folder.0.path().join("a.log.1"));
    let mut sink = Sink::open(&LogFile::Path(path.clone()), None).expect("a log");
    let write = |sink: &mut Sink, status| {
        let line = numbered(status).render(AccessFormat::Common);
        sink.write(&line, false).expect("written");
    };

    write(&mut sink, 1);
    fs::rename(&path, &moved).expect("moved");
    write(&mut sink, 2);
    next_look(&mut sink);
    write(&mut sink, 3);
    assert_eq!((statuses(&moved), statuses(&path)), (vec![1, 2], vec![3]));

    fs::remove_file(&path).expect("removed");
    next_look(&mut sink);
    write(&mut sink, 4);
    assert_eq!((statuses(&moved), statuses(&path)), (vec![1, 2], vec![4]));

    // `copytruncate` of logrotate.
    File::create(&path).expect("truncated");
    write(&mut sink, 5);
    assert_eq!(statuses(&path), [5]);
}

/// Collects the messages of log events.
#[derive(Clone, Default)]
struct Messages(Arc<Mutex<Vec<String>>>);

impl Visit for Messages {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0.lock().expect("no panic").push(format!("{value:?}"));
        }
    }
}

impl tracing::Subscriber for Messages {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut self.clone());
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// A log on `sink` whose warnings are collected, and its thread.
fn log_with_messages(sink: Sink) -> (Log, Messages, thread::JoinHandle<()>) {
    let backlog = Arc::new(Backlog::default());
    let (lines, taken) = mpsc::channel();
    let messages = Messages::default();
    let (shared, subscriber) = (backlog.clone(), messages.clone());
    let thread = thread::spawn(move || {
        tracing::subscriber::with_default(subscriber, || sink.drain(&taken, &shared));
    });
    (Log { lines, backlog }, messages, thread)
}

#[test]
fn a_full_backlog_drops_lines_counts_them_and_never_waits() {
    let folder = Folder::new();
    let path = folder.0.path().join("fifo");
    rustix::fs::mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).expect("a FIFO");
    // Somebody who opened the log and does not read it.
    let mut reader = File::options()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(&path)
        .expect("a reader");
    let (log, messages, thread) =
        log_with_messages(Sink::open(&LogFile::Path(path.clone()), None).expect("a log"));

    let line = entry().render(AccessFormat::Json);
    // Twice what the backlog can hold.
    let recorded = 2 * BACKLOG / (line.capacity() + OVERHEAD);
    for _ in 0..recorded {
        log.push(entry().render(AccessFormat::Json));
    }
    let waiting = log.backlog.waiting.load(Ordering::Relaxed);
    assert!(waiting <= BACKLOG, "{waiting}");

    drop(log);
    rustix::fs::fcntl_setfl(&reader, OFlags::empty()).expect("a reader that waits");
    let mut written = Vec::new();
    reader.read_to_end(&mut written).expect("all lines");
    thread.join().expect("no panic");

    assert_eq!(written.len() % line.len(), 0, "whole lines");
    assert!(written.chunks(line.len()).all(|found| found == line));
    let messages = messages.0.lock().expect("no panic");
    let (before, after) = (
        format!("access log {}: ", path.display()),
        " lines dropped, requests come faster than they are written",
    );
    let dropped: usize = messages
        .iter()
        .map(|message| {
            let rest = message.strip_prefix(&before).and_then(|rest| rest.strip_suffix(after));
            rest.unwrap_or_else(|| panic!("{message}")).parse::<usize>().expect("a number")
        })
        .sum();
    assert!(dropped >= recorded / 3, "{dropped} of {recorded}");
    assert_eq!(written.len() / line.len() + dropped, recorded);
}

#[test]
fn lines_that_cannot_be_written_are_counted_and_the_next_ones_tried() {
    let folder = Folder::new();
    let path = folder.0.path().join("fifo");
    rustix::fs::mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).expect("a FIFO");
    let open_reader = || {
        let mut options = File::options();
        options.read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed());
        options.open(&path).expect("a reader")
    };
    let reader = open_reader();
    let (log, messages, thread) =
        log_with_messages(Sink::open(&LogFile::Path(path.clone()), None).expect("a log"));
    let put = |status| {
        log.push(numbered(status).render(AccessFormat::Common));
        while !log.backlog.is_empty() {
            thread::sleep(Duration::from_millis(1));
        }
    };

    // Nobody reads: EPIPE.
    drop(reader);
    put(1);
    let mut reader = open_reader();
    put(2);
    drop(log);
    thread.join().expect("no panic");
    let mut written = String::new();
    reader.read_to_string(&mut written).expect("a line");
    assert_eq!(written, render(&numbered(2), AccessFormat::Common));
    let messages = messages.0.lock().expect("no panic");
    let expected =
        format!("access log {}: up to 1 lines lost: Broken pipe (os error 32)", path.display());
    assert_eq!(*messages, [expected]);
}
