//! Access logs: exact lines, forged ones, and when a file is opened.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use http::Version;
use rustix::fs::{CWD, Mode};
use slimhttp_site::site::{AccessFormat, AccessLog, LogFile};
use tempfile::TempDir;

use crate::observe::access_log::{AccessLogs, Entry};

const TIMEOUT: Duration = Duration::from_secs(10);

/// 22 November 2026, 14:04:19.123456 UTC.
fn moment() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_micros(1_795_356_259_123_456)
}

pub(super) fn entry() -> Entry<'static> {
    Entry {
        time: moment(),
        client: "192.0.2.7".parse().expect("an address"),
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

pub(super) fn render(entry: &Entry<'_>, format: AccessFormat) -> String {
    String::from_utf8(entry.render(format)).expect("ASCII")
}

#[test]
fn each_format_has_its_line() {
    let whole = entry();
    let bare = Entry {
        client: "2001:db8::1".parse().expect("an address"),
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
    let mapped = Entry { client: "::ffff:192.0.2.7".parse().expect("an address"), ..whole };
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
pub(super) struct Folder(pub(super) TempDir);

impl Folder {
    pub(super) fn new() -> Self {
        Self(TempDir::new().expect("a folder"))
    }

    fn log(&self, name: &str, format: AccessFormat) -> AccessLog {
        AccessLog { format, file: LogFile::Path(self.0.path().join(name)) }
    }
}

/// The status of each line of a log in common format.
pub(super) fn statuses(path: &Path) -> Vec<u16> {
    let text = fs::read_to_string(path).expect("a log");
    let status = |line: &str| line.split(' ').nth_back(1).expect("a status").parse();
    text.lines().map(|line| status(line).expect("a number")).collect()
}

pub(super) fn numbered(status: u16) -> Entry<'static> {
    Entry { status, ..entry() }
}

#[test]
fn lines_are_appended_in_order_to_a_file_that_others_cannot_read() {
    let folder = Folder::new();
    let config = folder.log("a.log", AccessFormat::Common);
    for round in 0..2 {
        let logs = AccessLogs::default();
        let writer = logs.open(&config).expect("a log");
        for status in 0..1000 {
            writer.record(&numbered(round * 1000 + status));
        }
        assert!(logs.flush(TIMEOUT));
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

    common.record(&entry());
    json.record(&entry());
    let log = Arc::downgrade(&common.log);
    drop((common, json));
    assert!(log.upgrade().is_none(), "nobody holds it");
    // What was recorded is written nevertheless.
    assert!(logs.flush(TIMEOUT));
    let text = fs::read_to_string(folder.0.path().join("a.log")).expect("a log");
    assert_eq!(
        text,
        render(&entry(), AccessFormat::Common) + &render(&entry(), AccessFormat::Json)
    );

    let again = logs.open(&folder.log("a.log", AccessFormat::Common)).expect("a log");
    assert_eq!(logs.open.lock().len(), 2);
    again.record(&entry());
    assert!(logs.flush(TIMEOUT));
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
fn logs_are_opened_anew_on_request() {
    let folder = Folder::new();
    let logs = AccessLogs::default();
    let writer = logs.open(&folder.log("a.log", AccessFormat::Common)).expect("a log");
    let stdout = AccessLog { format: AccessFormat::Common, file: LogFile::Stdout };
    let _also = logs.open(&stdout).expect("standard output");
    let (path, moved) = (folder.0.path().join("a.log"), folder.0.path().join("a.log.1"));
    writer.record(&numbered(201));
    assert!(logs.flush(TIMEOUT));
    fs::rename(&path, &moved).expect("moved");
    // At once, and not with the next line: whoever has moved it may pack it now.
    logs.reopen();
    let deadline = std::time::Instant::now() + TIMEOUT;
    while !path.exists() {
        assert!(std::time::Instant::now() < deadline, "no new file");
        thread::sleep(Duration::from_millis(1));
    }
    writer.record(&numbered(202));
    assert!(logs.flush(TIMEOUT));
    assert_eq!((statuses(&moved), statuses(&path)), (vec![201], vec![202]));
    // Where it cannot be opened, the file before goes on.
    fs::rename(&path, &moved).expect("moved");
    fs::create_dir(&path).expect("a folder");
    logs.reopen();
    writer.record(&numbered(203));
    assert!(logs.flush(TIMEOUT));
    assert_eq!(statuses(&moved), vec![202, 203]);
}
