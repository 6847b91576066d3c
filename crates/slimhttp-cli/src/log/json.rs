//! The log as JSON lines: an object an event, with the time and the names that the
//! access log has too. Further fields of an event are keys beside its message. Called by `tracing`
//! on the thread that logs.

use std::fmt::{self, Write as _};

use serde_json::Value;
use slimhttp_site::escape::is_printable;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::registry::LookupSpan;

/// Writes an event as a JSON object on a line.
pub(super) struct Lines;

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut moment = String::new();
        SystemTime.format_time(&mut Writer::new(&mut moment))?;
        let (level, target) = (event.metadata().level(), event.metadata().target());
        let mut fields = Fields(Vec::new());
        fields.put("ts", moment);
        fields.put("level", level.as_str().to_ascii_lowercase());
        fields.put("target", target);
        event.record(&mut fields);
        for (position, (name, value)) in fields.0.iter().enumerate() {
            // A name is an identifier: nothing in it has to be escaped.
            write!(writer, "{}\"{name}\":", if position == 0 { "{" } else { "," })?;
            write!(Escaping(&mut writer), "{value}")?;
        }
        writeln!(writer, "}}")
    }
}

/// Writes JSON into which nothing can be injected. What JSON must escape is so already; the
/// rest of what is not printable (C1 controls, what turns the writing or hides) only
/// stands in texts, where `\u` and four digits mean the same (RFC 8259 section 7).
struct Escaping<'a, 'w>(&'a mut Writer<'w>);

impl fmt::Write for Escaping<'_, '_> {
    fn write_str(&mut self, json: &str) -> fmt::Result {
        for character in json.chars() {
            if is_printable(character) {
                self.0.write_char(character)?;
                continue;
            }
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(self.0, "\\u{unit:04x}")?;
            }
        }
        Ok(())
    }
}

/// The fields of an event, in their order.
struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    fn put(&mut self, name: &'static str, value: impl Into<Value>) {
        self.0.push((name, value.into()));
    }
}

impl Visit for Fields {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field.name(), value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field.name(), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field.name(), value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field.name(), format!("{value:?}"));
    }
}
