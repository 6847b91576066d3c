//! What becomes of what a client has put into a line.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use super::fields;

/// What is logged by a subscriber as the program has it.
fn logged(log: impl FnOnce()) -> String {
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);
    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no test panics in here").extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let kept = Kept::default();
    let writer = kept.clone();
    let subscriber = tracing_subscriber::fmt()
        .compact()
        .fmt_fields(fields())
        .with_target(false)
        .without_time()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, log);
    let bytes = kept.0.lock().expect("no test panics in here").clone();
    String::from_utf8(bytes).expect("a log is text")
}

#[test]
fn nobody_breaks_out_of_a_line() {
    let table = [
        ("plain", "plain"),
        ("two\nlines", "two\n  lines"),
        ("of\n  ours", "of\n  ours"),
        ("deeper\n    yet", "deeper\n    yet"),
        ("forged\r\n2026 ERROR all is lost", "forged\\u{d}\n  2026 ERROR all is lost"),
        ("red \u{1b}[31m \u{9b}31m", "red \\u{1b}[31m \\u{9b}31m"),
        ("turned \u{202e}txt", "turned \\u{202e}txt"),
        ("bell \u{7} tab \t", "bell \\u{7} tab \t"),
        ("caf\u{e9} \u{2014} \u{1f600}", "caf\u{e9} \u{2014} \u{1f600}"),
    ];
    for (said, expected) in table {
        assert_eq!(logged(|| tracing::warn!("{said}")), format!(" WARN {expected}\n"), "{said:?}");
    }
}

#[test]
fn fields_follow_the_message() {
    let text = logged(|| tracing::info!(code = 7, who = "a\nb", "in {}", "words"));
    assert_eq!(text, " INFO in words code=7 who=\"a\\nb\"\n");
}
