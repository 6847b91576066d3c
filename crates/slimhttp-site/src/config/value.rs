//! A configuration value: what a Python dict, a TOML file and a JSON file have
//! in common. Tables are persistent maps, so a copy costs nothing and two
//! versions of a configuration share what they have in common.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use crate::escape::{Escaped, is_printable};

/// The characters of a text that an error message shows.
const LONGEST_SHOWN: usize = 80;

/// A table of values by key. Cloning is cheap; unchanged parts are shared.
pub type Table = imbl::OrdMap<Arc<str>, Value>;

/// One value of a configuration.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing: `None`, `null`.
    Null,
    /// `True` or `False`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Float(f64),
    /// A text.
    String(Arc<str>),
    /// A list.
    List(Arc<[Value]>),
    /// A table (a dict).
    Table(Table),
    /// An object of the program that has no other form: its number, and what it is called in
    /// messages. Only a program can write it, no file.
    Object(u64, Arc<str>),
}

impl Value {
    /// The kind of this value in a user's words, with an article: "a string".
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a bool",
            Self::Integer(_) => "a whole number",
            Self::Float(_) => "a number",
            Self::String(_) => "a string",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Object(..) => "an object",
        }
    }

    /// This value with its kind, for an error where the kind is what is wrong:
    /// "the string `80`", "the number `80`", "a list of 2".
    pub fn described(&self) -> String {
        match self {
            Self::String(_) => format!("the string {self}"),
            Self::Integer(_) | Self::Float(_) => format!("the number {self}"),
            _ => self.to_string(),
        }
    }

    /// Whether this is [`Value::Null`]: as if nothing were given.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The text, if this is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The table, if this is one.
    pub fn as_table(&self) -> Option<&Table> {
        match self {
            Self::Table(table) => Some(table),
            _ => None,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<Vec<Value>> for Value {
    fn from(items: Vec<Value>) -> Self {
        Self::List(items.into())
    }
}

impl From<Table> for Value {
    fn from(table: Table) -> Self {
        Self::Table(table)
    }
}

/// What an error message shows as "found": the text itself, the number, or for
/// a list or table its kind and size. A long text is cut, and what would break
/// the line is escaped.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("nothing"),
            Self::Bool(true) => f.write_str("`true`"),
            Self::Bool(false) => f.write_str("`false`"),
            Self::Integer(number) => write!(f, "`{number}`"),
            // `Debug` keeps a huge number short.
            Self::Float(number) => write!(f, "`{number:?}`"),
            Self::String(text) => {
                f.write_str("`")?;
                let mut rest = text.chars();
                for c in rest.by_ref().take(LONGEST_SHOWN) {
                    if c == '\t' || !is_printable(c) {
                        write!(f, "{}", Escaped(c))?
                    } else {
                        f.write_char(c)?
                    }
                }
                f.write_str(if rest.next().is_some() { "…`" } else { "`" })
            }
            Self::List(items) => write!(f, "a list of {}", items.len()),
            Self::Table(table) => write!(f, "a table of {}", table.len()),
            Self::Object(_, name) => write!(f, "`{name}`"),
        }
    }
}
