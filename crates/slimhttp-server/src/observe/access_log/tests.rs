//! Access logs: exact lines, forged ones, rotation and overflow.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, SystemTime};

use http::Version;
use rustix::fs::{CWD, Mode, OFlags};
use slimhttp_site::site::{AccessFormat, AccessLog, LogFile};
use tempfile::TempDir;
use tracing::field::{Field, Visit};
use tracing::span;

use crate::observe::access_log::{AccessLogs, Backlog, Entry, Log, Message, Sink};

const PATIENCE: Duration = Duration::from_secs(10);

/// 22 November 2026, 14:04:19.123456 UTC.
fn moment() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_micros(1_795_356_259_123_456)
}

fn entry() -> Entry<'static> {
    Entry {
        time: moment(),
        peer: "192.0.2.7:5000".parse().expect("an address"),
        method: "GET",
        target: "/a%20b?x=1",
        version: Version::HTTP_11,
        status: 200,
        bytes: 612,
        referer: Some(b"https://a.example/"),
        user_agent: Some(b"curl/8.5"),
        host: Some(b"a.example:8080"),
        vhost: Some("a.example"),
        duration: Duration::from_micros(1_234),
    }
}

fn render(entry: &Entry<'_>, format: AccessFormat) -> String {
    String::from_utf8(entry.render(format)).expect("ASCII")
}

#[test]
fn each_format_has_its_line() {
    let whole = entry();
    let bare = Entry {
        peer: "[2001:db8::1]:1".parse().expect("an address"),
        method: "HEAD",
        version: Version::HTTP_2,
        status: 304,
        bytes: 0,
        referer: None,
        user_agent: None,
        host: None,
        vhost: None,
        duration: Duration::from_secs(61),
        time: SystemTime::UNIX_EPOCH,
        ..whole
    };
    // A listener on `::` sees IPv4 clients as mapped addresses.
    let mapped = Entry { peer: "[::ffff:192.0.2.7]:5000".parse().expect("an address"), ..whole };
    let malformed = Entry { method: "", target: "", status: 400, ..bare };

    let common = "192.0.2.7 - - [22/Nov/2026:14:04:19 +0000] \"GET /a%20b?x=1 HTTP/1.1\" 200 612";
    for (entry, format, expected) in [
        (&whole, AccessFormat::Common, common.to_owned()),
        (&mapped, AccessFormat::Common, common.to_owned()),
        (&whole, AccessFormat::Combined, format!("{common} \"https://a.example/\" \"curl/8.5\"")),
        (
            &whole,
            AccessFormat::Json,
            "{\"ts\":\"2026-11-22T14:04:19.123Z\",\"client\":\"192.0.2.7\",\"method\":\"GET\",\
             \"target\":\"/a%20b?x=1\",\"protocol\":\"HTTP/1.1\",\"status\":200,\"bytes\":612,\
             \"referer\":\"https://a.example/\",\"user_agent\":\"curl/8.5\",\
             \"host\":\"a.example:8080\",\"vhost\":\"a.example\",\"duration_ms\":1.234}"
                .to_owned(),
        ),
        (
            &bare,
            AccessFormat::Combined,
            "2001:db8::1 - - [01/Jan/1970:00:00:00 +0000] \"HEAD /a%20b?x=1 HTTP/2.0\" 304 0 \
             \"-\" \"-\""
                .to_owned(),
        ),
        (
            &bare,
            AccessFormat::Json,
            "{\"ts\":\"1970-01-01T00:00:00.000Z\",\"client\":\"2001:db8::1\",\"method\":\"HEAD\",\
             \"target\":\"/a%20b?x=1\",\"protocol\":\"HTTP/2.0\",\"status\":304,\"bytes\":0,\
             \"referer\":null,\"user_agent\":null,\"host\":null,\"vhost\":null,\
             \"duration_ms\":61000.000}"
                .to_owned(),
        ),
        (
            &malformed,
            AccessFormat::Common,
            "2001:db8::1 - - [01/Jan/1970:00:00:00 +0000] \"-\" 400 0".to_owned(),
        ),
    ] {
        assert_eq!(render(entry, format), expected + "\n", "{format:?}");
    }
}

#[test]
fn no_client_can_forge_a_line() {
    let forged = "x\" 200 1\n10.0.0.1 - - [] \"GET /";
    for (text, nginx, json) in [
        (
            forged.as_bytes(),
            "x\\x22 200 1\\x0A10.0.0.1 - - [] \\x22GET /",
            "x\\\" 200 1\\u000a10.0.0.1 - - [] \\\"GET /",
        ),
        (b"\\", "\\x5C", "\\\\"),
        (b"\\x22", "\\x5Cx22", "\\\\x22"),
        (b"\r\n\0\t", "\\x0D\\x0A\\x00\\x09", "\\u000d\\u000a\\u0000\\u0009"),
        (b"\x1b[2J\x7f", "\\x1B[2J\\x7F", "\\u001b[2J\\u007f"),
        (
            "é\u{85}\u{2028}".as_bytes(),
            "\\xC3\\xA9\\xC2\\x85\\xE2\\x80\\xA8",
            "\\u00e9\\u0085\\u2028",
        ),
        ("\u{1f600}".as_bytes(), "\\xF0\\x9F\\x98\\x80", "\\ud83d\\ude00"),
        (b"a\xff\xc3(", "a\\xFF\\xC3(", "a\\ufffd\\ufffd("),
        (b"", "", ""),
    ] {
        let entry = Entry {
            referer: Some(text),
            user_agent: Some(text),
            host: Some(text),
            method: std::str::from_utf8(text).unwrap_or("GET"),
            target: std::str::from_utf8(text).unwrap_or("/"),
            vhost: std::str::from_utf8(text).ok(),
            ..entry()
        };
        let combined = render(&entry, AccessFormat::Combined);
        assert!(combined.ends_with(&format!(" 200 612 \"{nginx}\" \"{nginx}\"\n")), "{combined}");
        let object = render(&entry, AccessFormat::Json);
        for name in ["referer", "user_agent", "host"] {
            assert!(object.contains(&format!("\"{name}\":\"{json}\",")), "{name} in {object}");
        }
        for line in [combined, object.clone()] {
            assert!(line.is_ascii(), "{line}");
            assert_eq!(line.find(|c: char| c.is_ascii_control()), Some(line.len() - 1), "{line}");
        }
        let read: serde_json::Value = serde_json::from_str(&object).expect("one JSON object");
        assert_eq!(read["host"], String::from_utf8_lossy(text).as_ref());
        assert_eq!(read["status"], 200);
    }
}

/// The folder of one test.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().expect("a folder"))
    }

    fn log(&self, name: &str, format: AccessFormat) -> AccessLog {
        AccessLog { format, file: LogFile::Path(self.0.path().join(name)) }
    }
}

/// The status of each line of a log in common format.
fn statuses(path: &Path) -> Vec<u16> {
    let text = fs::read_to_string(path).expect("a log");
    let status = |line: &str| line.split(' ').nth_back(1).expect("a status").parse();
    text.lines().map(|line| status(line).expect("a number")).collect()
}

fn numbered(status: u16) -> Entry<'static> {
    Entry { status, ..entry() }
}

#[test]
fn lines_are_appended_in_order_to_a_file_that_others_cannot_read() {
    let folder = Folder::new();
    let wanted = folder.log("a.log", AccessFormat::Common);
    for round in 0..2 {
        let logs = AccessLogs::default();
        let writer = logs.open(&wanted).expect("a log");
        for status in 0..1000 {
            writer.note(&numbered(round * 1000 + status));
        }
        assert!(logs.flush(PATIENCE));
    }
    let path = folder.0.path().join("a.log");
    assert_eq!(statuses(&path), (0..2000).collect::<Vec<_>>());
    let mode = fs::metadata(&path).expect("a log").permissions().mode();
    assert_eq!(mode & 0o777 & !0o640, 0, "{mode:o}");
}

#[test]
fn a_file_is_opened_once_and_closed_with_its_last_writer() {
    let folder = Folder::new();
    let logs = AccessLogs::default();
    let common = logs.open(&folder.log("a.log", AccessFormat::Common)).expect("a log");
    let json = logs.open(&folder.log("a.log", AccessFormat::Json)).expect("a log");
    let other = logs.open(&folder.log("b.log", AccessFormat::Common)).expect("a log");
    assert!(Arc::ptr_eq(&common.log, &json.log));
    assert!(!Arc::ptr_eq(&common.log, &other.log));

    common.note(&entry());
    json.note(&entry());
    let log = Arc::downgrade(&common.log);
    drop((common, json));
    assert!(log.upgrade().is_none(), "nobody holds it");
    // What was noted is written nevertheless.
    assert!(logs.flush(PATIENCE));
    let text = fs::read_to_string(folder.0.path().join("a.log")).expect("a log");
    assert_eq!(
        text,
        render(&entry(), AccessFormat::Common) + &render(&entry(), AccessFormat::Json)
    );

    let again = logs.open(&folder.log("a.log", AccessFormat::Common)).expect("a log");
    assert_eq!(logs.open.lock().len(), 2);
    again.note(&entry());
    assert!(logs.flush(PATIENCE));
}

#[test]
fn a_file_that_cannot_be_opened_is_an_error_at_once() {
    let folder = Folder::new();
    let logs = AccessLogs::default();
    let error =
        |name: &str| logs.open(&folder.log(name, AccessFormat::Common)).expect_err(name).kind();
    assert_eq!(error("missing/a.log"), std::io::ErrorKind::NotFound);
    fs::create_dir(folder.0.path().join("folder")).expect("a folder");
    assert_eq!(error("folder"), std::io::ErrorKind::IsADirectory);
    // A FIFO that nobody reads would hold the change of the site for ever.
    let fifo = folder.0.path().join("fifo");
    rustix::fs::mkfifoat(CWD, &fifo, Mode::RUSR | Mode::WUSR).expect("a FIFO");
    logs.open(&folder.log("fifo", AccessFormat::Common)).expect_err("nobody reads");
}

#[test]
fn logs_are_opened_anew_when_it_is_asked_for() {
    let folder = Folder::new();
    let logs = AccessLogs::default();
    let writer = logs.open(&folder.log("a.log", AccessFormat::Common)).expect("a log");
    let stdout = AccessLog { format: AccessFormat::Common, file: LogFile::Stdout };
    let _also = logs.open(&stdout).expect("standard output");
    let (path, moved) = (folder.0.path().join("a.log"), folder.0.path().join("a.log.1"));
    writer.note(&numbered(201));
    assert!(logs.flush(PATIENCE));
    fs::rename(&path, &moved).expect("moved");
    // At once, and not with the next line: whoever has moved it may pack it now.
    logs.reopen();
    let deadline = std::time::Instant::now() + PATIENCE;
    while !path.exists() {
        assert!(std::time::Instant::now() < deadline, "no new file");
        thread::sleep(Duration::from_millis(1));
    }
    writer.note(&numbered(202));
    assert!(logs.flush(PATIENCE));
    assert_eq!((statuses(&moved), statuses(&path)), (vec![201], vec![202]));
    // Where it cannot be opened, the file before goes on.
    fs::rename(&path, &moved).expect("moved");
    fs::create_dir(&path).expect("a folder");
    logs.reopen();
    writer.note(&numbered(203));
    assert!(logs.flush(PATIENCE));
    assert_eq!(statuses(&moved), vec![202, 203]);
}

/// Those that wait together too, and though a second has gone since the path was
/// looked at.
#[test]
fn what_was_noted_before_a_log_is_opened_anew_stands_in_the_file_before() {
    let folder = Folder::new();
    let (path, moved) = (folder.0.path().join("a.log"), folder.0.path().join("a.log.1"));
    let sink = Sink::open(&LogFile::Path(path.clone()), None).expect("a log");
    fs::rename(&path, &moved).expect("moved");
    thread::sleep(Duration::from_millis(1050));
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
    let logs = AccessLogs::default();
    let writer = logs.open(&folder.log("a.log", AccessFormat::Common)).expect("a log");
    let (path, moved) = (folder.0.path().join("a.log"), folder.0.path().join("a.log.1"));
    let note = |status| {
        writer.note(&numbered(status));
        assert!(logs.flush(PATIENCE));
    };
    // The path is looked at once a second.
    let next_look = || thread::sleep(Duration::from_millis(1050));

    note(1);
    fs::rename(&path, &moved).expect("moved");
    note(2);
    next_look();
    note(3);
    assert_eq!((statuses(&moved), statuses(&path)), (vec![1, 2], vec![3]));

    fs::remove_file(&path).expect("removed");
    next_look();
    note(4);
    assert_eq!((statuses(&moved), statuses(&path)), (vec![1, 2], vec![4]));

    // `copytruncate` of logrotate.
    fs::File::create(&path).expect("truncated");
    note(5);
    assert_eq!(statuses(&path), [5]);
}

/// Keeps the messages of events.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Visit for Heard {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0.lock().expect("no panic").push(format!("{value:?}"));
        }
    }
}

impl tracing::Subscriber for Heard {
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

/// A log on `sink` whose warnings are heard, and its thread.
fn heard_log(sink: Sink) -> (Log, Heard, thread::JoinHandle<()>) {
    let backlog = Arc::new(Backlog::default());
    let (lines, taken) = mpsc::channel();
    let heard = Heard::default();
    let (shared, subscriber) = (backlog.clone(), heard.clone());
    let thread = thread::spawn(move || {
        tracing::subscriber::with_default(subscriber, || sink.drain(&taken, &shared));
    });
    (Log { lines, backlog }, heard, thread)
}

#[test]
fn a_full_backlog_drops_lines_counts_them_and_never_waits() {
    let folder = Folder::new();
    let path = folder.0.path().join("fifo");
    rustix::fs::mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).expect("a FIFO");
    // Somebody who opened the log and does not read it.
    let mut reader = fs::File::options()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(&path)
        .expect("a reader");
    let (log, heard, thread) =
        heard_log(Sink::open(&LogFile::Path(path.clone()), None).expect("a log"));

    let line = entry().render(AccessFormat::Json);
    // Twice what the backlog can hold.
    let noted = 2 * crate::observe::access_log::BACKLOG
        / (line.capacity() + crate::observe::access_log::OVERHEAD);
    for _ in 0..noted {
        log.put(entry().render(AccessFormat::Json));
    }
    let waiting = log.backlog.waiting.load(Ordering::Relaxed);
    assert!(waiting <= crate::observe::access_log::BACKLOG, "{waiting}");

    drop(log);
    rustix::fs::fcntl_setfl(&reader, OFlags::empty()).expect("a reader that waits");
    let mut written = Vec::new();
    reader.read_to_end(&mut written).expect("all lines");
    thread.join().expect("no panic");

    assert_eq!(written.len() % line.len(), 0, "whole lines");
    assert!(written.chunks(line.len()).all(|found| found == line));
    let heard = heard.0.lock().expect("no panic");
    let (before, after) = (
        format!("access log {}: ", path.display()),
        " lines dropped, requests come faster than they are written",
    );
    let dropped: usize = heard
        .iter()
        .map(|message| {
            let rest = message.strip_prefix(&before).and_then(|rest| rest.strip_suffix(after));
            rest.unwrap_or_else(|| panic!("{message}")).parse::<usize>().expect("a number")
        })
        .sum();
    assert!(dropped >= noted / 3, "{dropped} of {noted}");
    assert_eq!(written.len() / line.len() + dropped, noted);
}

#[test]
fn lines_that_cannot_be_written_are_counted_and_the_next_ones_tried() {
    let folder = Folder::new();
    let path = folder.0.path().join("fifo");
    rustix::fs::mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).expect("a FIFO");
    let open_reader = || {
        let mut options = fs::File::options();
        options.read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed());
        options.open(&path).expect("a reader")
    };
    let reader = open_reader();
    let (log, heard, thread) =
        heard_log(Sink::open(&LogFile::Path(path.clone()), None).expect("a log"));
    let put = |status| {
        log.put(numbered(status).render(AccessFormat::Common));
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
    let heard = heard.0.lock().expect("no panic");
    let expected =
        format!("access log {}: up to 1 lines lost: Broken pipe (os error 32)", path.display());
    assert_eq!(*heard, [expected]);
}
