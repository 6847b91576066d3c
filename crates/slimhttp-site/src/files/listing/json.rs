//! A listing as JSON, for programs.

use std::fmt::Write as _;

use serde_json::Value;

use super::{Kind, Listing, measure};

/// Rough bytes of one entry, to reserve them at once.
const ENTRY: usize = 96;

pub(super) fn render(listing: &Listing<'_>) -> String {
    let mut json = String::with_capacity(64 + listing.entries.len() * ENTRY);
    let _ = write!(json, "{{\"path\": {}, \"entries\": [", text(listing.path));
    let mut comma = "";
    for entry in &listing.entries {
        let kind = match entry.kind {
            Kind::Folder => "folder",
            Kind::File => "file",
        };
        let size = entry.size().map_or(Value::Null, Value::from);
        let modified = measure::Moment::of(entry.modified).map(|moment| moment.rfc3339());
        let modified = modified.map_or(Value::Null, Value::from);
        let _ = write!(
            json,
            "{comma}\n{{\"name\": {}, \"type\": \"{kind}\", \"size\": {size}, \"modified\": {modified}}}",
            text(&entry.name),
        );
        comma = ",";
    }
    let _ = writeln!(json, "], \"truncated\": {}}}", listing.truncated);
    json
}

/// A JSON string.
fn text(bytes: &[u8]) -> Value {
    Value::from(String::from_utf8_lossy(bytes))
}
