//! TOML → [`Value`] with the places of keys and values.

use std::ops::Range;

use slimhttp_site::fault::Place;
use slimhttp_site::value::{Table, Value};
use toml_edit::{Item, TableLike};

use super::Reading;
use crate::text::Text;

/// The root table, or `None` where the grammar is offended, which is then a
/// mistake in `reading`.
pub(super) fn read(text: &Text, reading: &mut Reading) -> Option<Table> {
    match toml_edit::Document::parse(text.as_str()) {
        Ok(document) => Some(table(document.as_table(), &Place::default(), reading)),
        Err(error) => {
            let span = error.span().unwrap_or(0..0);
            let found = text.lexeme(span.start);
            let message = match error.message() {
                // `toml_edit` takes the nothing behind `key =` for a string.
                original
                    if original.starts_with("string values") && found.starts_with("the end") =>
                {
                    format!("expected a value, found {found}")
                }
                original if original.contains("expected") => {
                    format!("{original}, found {found}")
                }
                original => original.to_owned(),
            };
            reading.mistake(span, message);
            None
        }
    }
}

fn table(table: &dyn TableLike, place: &Place, reading: &mut Reading) -> Table {
    let mut values = Table::new();
    for (name, item) in table.iter() {
        let place = place.key(name);
        let key = table.key(name).and_then(toml_edit::Key::span).map_or(0, |span| span.start);
        // A table that only headers below it imply has no span of its own.
        let own = item.span().unwrap_or(key..key);
        reading.locate(&place, key, own.start);
        let value = from_item(item, own, &place, reading);
        values.insert(name.into(), value);
    }
    values
}

fn from_item(item: &Item, span: Range<usize>, place: &Place, reading: &mut Reading) -> Value {
    match item {
        Item::None => Value::Null,
        Item::Value(value) => from_value(value, span, place, reading),
        Item::Table(inner) => Value::Table(table(inner, place, reading)),
        Item::ArrayOfTables(tables) => {
            let mut items = Vec::with_capacity(tables.len());
            for (index, inner) in tables.iter().enumerate() {
                let place = place.index(index);
                let start = inner.span().unwrap_or(span.clone()).start;
                reading.locate(&place, start, start);
                items.push(Value::Table(table(inner, &place, reading)));
            }
            Value::List(items.into())
        }
    }
}

fn from_value(
    value: &toml_edit::Value,
    span: Range<usize>,
    place: &Place,
    reading: &mut Reading,
) -> Value {
    match value {
        toml_edit::Value::String(text) => Value::from(text.value().as_str()),
        toml_edit::Value::Integer(number) => Value::Integer(*number.value()),
        toml_edit::Value::Boolean(value) => Value::Bool(*value.value()),
        toml_edit::Value::Float(number) => {
            if !number.value().is_finite() {
                reading.mistake(span, format!("expected a number, found `{}`", number.value()));
            }
            Value::Float(*number.value())
        }
        toml_edit::Value::Datetime(date) => {
            let message = format!(
                "expected a string, a number, a bool, a list or a table, found the date `{}`; \
                 put it in quotes",
                date.value()
            );
            reading.mistake(span, message);
            Value::Null
        }
        toml_edit::Value::InlineTable(inner) => Value::Table(table(inner, place, reading)),
        toml_edit::Value::Array(list) => {
            let mut items = Vec::with_capacity(list.len());
            for (index, inner) in list.iter().enumerate() {
                let place = place.index(index);
                let own = inner.span().unwrap_or(span.clone());
                reading.locate(&place, own.start, own.start);
                items.push(from_value(inner, own, &place, reading));
            }
            Value::List(items.into())
        }
    }
}
