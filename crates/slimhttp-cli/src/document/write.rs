//! A configuration as a file: TOML, for who has begun with flags and goes on with a file.

use slimhttp_site::config::Config;
use slimhttp_site::value::{Table, Value};
use toml_edit::{Array, DocumentMut, Item};

/// The text of a file that says the same. What no file can say is left out.
pub(crate) fn to_toml(config: &Config) -> String {
    let mut document = DocumentMut::new();
    fill(document.as_table_mut(), config.root());
    document.to_string()
}

/// Puts values before tables, for what follows the head of a table belongs to it.
fn fill(out: &mut toml_edit::Table, table: &Table) {
    let is_table = |value: &Value| matches!(value, Value::Table(_));
    let (tables, values): (Vec<_>, Vec<_>) = table.iter().partition(|(_, value)| is_table(value));
    for (key, value) in values {
        if let Some(value) = value_of(value) {
            out.insert(key, Item::Value(value));
        }
    }
    for (key, value) in tables {
        let mut inner = toml_edit::Table::new();
        if let Value::Table(table) = value {
            // A table of nothing but tables needs no head of its own.
            inner.set_implicit(!table.is_empty() && table.iter().all(|(_, value)| is_table(value)));
            fill(&mut inner, table);
        }
        out.insert(key, Item::Table(inner));
    }
}

fn value_of(value: &Value) -> Option<toml_edit::Value> {
    Some(match value {
        Value::Bool(value) => (*value).into(),
        Value::Integer(number) => (*number).into(),
        Value::Float(number) => (*number).into(),
        Value::String(text) => (&**text).into(),
        Value::List(items) => items.iter().filter_map(value_of).collect::<Array>().into(),
        Value::Table(table) => {
            let entries = table.iter().filter_map(|(key, value)| Some((&**key, value_of(value)?)));
            entries.collect::<toml_edit::InlineTable>().into()
        }
        Value::Null | Value::Object(..) => return None,
    })
}

#[cfg(test)]
mod tests;
