//! What becomes of what a client has put into a line.

use std::io::{self, Write};
use std::sync::Arc;

use parking_lot::Mutex;
use toml_edit::DocumentMut;

use super::fields;

/// What is logged by a subscriber as the program has it.
fn logged(log: impl FnOnce()) -> String {
    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);
    impl Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let captured = Captured::default();
    let writer = captured.clone();
    let subscriber = tracing_subscriber::fmt()
        .compact()
        .fmt_fields(fields())
        .with_target(false)
        .without_time()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, log);
    let bytes = captured.0.lock().clone();
    String::from_utf8(bytes).expect("a log is text")
}

#[test]
fn nobody_breaks_out_of_a_line() {
    let table: DocumentMut =
        include_str!("../../../../../tests/data/harmless.toml").parse().expect("TOML");
    let check = |said: &str, expected: &str| {
        assert_eq!(logged(|| tracing::warn!("{said}")), format!(" WARN {expected}\n"), "{said:?}");
    };
    for list in ["escaped", "indented"] {
        for pair in table[list].as_array().expect("a list") {
            let text = |at| pair.as_array().and_then(|pair| pair.get(at)?.as_str());
            check(text(0).expect("what is said"), text(1).expect("how it is shown"));
        }
    }
    for said in table["kept"].as_array().expect("a list") {
        check(said.as_str().expect("a text"), said.as_str().expect("a text"));
    }
}

#[test]
fn fields_follow_the_message() {
    let text = logged(|| tracing::info!(code = 7, who = "a\nb", "in {}", "words"));
    assert_eq!(text, " INFO in words code=7 who=\"a\\nb\"\n");
}
