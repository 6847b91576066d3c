//! What `SLIMHTTP_LOG` and `NO_COLOR` choose, and how a line is written.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use slimhttp_site::escape::is_printable;
use slimhttp_site::logging::Logging;
use tracing_subscriber::filter::LevelFilter;

use super::{colour, filter, json};

fn filter_of(words: &str) -> tracing_subscriber::EnvFilter {
    filter(&Logging::parse(words).expect("words").filter)
}

#[test]
fn the_variable_takes_a_level_or_directives() {
    for (chosen, expected) in [
        ("", "_slimhttp=info,h2=error,slimhttp=info,warn"),
        ("json", "_slimhttp=info,h2=error,slimhttp=info,warn"),
        ("debug", "_slimhttp=debug,h2=error,slimhttp=debug,warn"),
        (" WARN ", "_slimhttp=warn,h2=error,slimhttp=warn,warn"),
        // Libraries are not louder than ourselves.
        ("error", "_slimhttp=error,error,h2=error,slimhttp=error"),
        ("off", "off"),
        ("hyper=debug,slimhttp_server::proxy", "hyper=debug,slimhttp_server::proxy=trace"),
        ("json,hyper=debug,info", "hyper=debug,info"),
    ] {
        let mut found: Vec<_> =
            filter_of(chosen).to_string().split(',').map(str::to_owned).collect();
        found.sort();
        assert_eq!(found.join(","), expected, "{chosen:?}");
    }
}

#[test]
fn a_level_says_how_much_is_logged() {
    assert_eq!(filter_of("trace").max_level_hint(), Some(LevelFilter::TRACE));
    assert_eq!(filter_of("off").max_level_hint(), Some(LevelFilter::OFF));
}

/// What is written, for a test to look at.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is written of what is logged, as JSON lines.
fn json_lines(log: impl FnOnce()) -> String {
    let written = Written::default();
    let writer = written.clone();
    let subscriber = tracing_subscriber::fmt()
        .event_format(json::Lines)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, log);
    let bytes = written.0.lock().clone();
    String::from_utf8(bytes).expect("UTF-8")
}

#[test]
fn an_event_is_a_json_object_on_a_line() {
    let text = json_lines(|| {
        tracing::warn!(code = 7, who = "x\"\n", slow = true, "a {}", "warning\nof two lines");
        tracing::info!(target: "hyper", "plain");
    });
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(text.starts_with("{\"ts\":\""), "the time first, as in the access log: {text}");
    assert_eq!(lines[0]["message"], "a warning\nof two lines");
    assert_eq!(lines[0]["level"], "warn");
    assert_eq!(lines[0]["target"], "slimhttp_cli::log::tests");
    assert_eq!((&lines[0]["code"], &lines[0]["who"]), (&7.into(), &"x\"\n".into()));
    assert_eq!(lines[0]["slow"], true);
    let moment = lines[0]["ts"].as_str().expect("a time");
    assert!(moment.ends_with('Z') && moment.len() >= 20, "{moment}");
    assert_eq!((&lines[1]["level"], &lines[1]["target"]), (&"info".into(), &"hyper".into()));
}

/// By JSON's own escapes, once: whoever reads the line has the text as it was said.
#[test]
fn hostile_text_is_contained_by_json_itself() {
    let said =
        "x\u{1b}[2J\n  y \r \u{7f} \u{9b}31m \u{202e} \u{2028} \u{e0041} \\x1b \" \u{65e5}\u{3000}";
    let text = json_lines(|| tracing::warn!(who = said, "{said}"));
    let line = text.strip_suffix('\n').expect("a line");
    assert!(line.chars().all(is_printable), "{line:?}");
    assert!(line.contains("\u{65e5}\u{3000}") && line.contains(r"\udb40\udc41"), "{line}");
    let object: serde_json::Value = serde_json::from_str(line).expect("JSON");
    assert_eq!((&object["message"], &object["who"]), (&said.into(), &said.into()));
}

#[test]
fn colour_needs_a_terminal_and_no_veto() {
    for (no_color, terminal, expected) in [
        (None, true, true),
        (None, false, false),
        (Some(""), true, true),
        (Some("1"), true, false),
        (Some("0"), true, false),
    ] {
        assert_eq!(colour(no_color.map(Into::into), terminal), expected, "{no_color:?} {terminal}");
    }
}
