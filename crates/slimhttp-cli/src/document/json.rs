//! JSON (RFC 8259) → [`Value`] with the places of keys and values.
//!
//! Two readers, each for what it does best: `jsonc-parser` gives the tree with
//! its places and errors that say what was expected; `serde_json` then checks
//! the fine print of the grammar (control characters in strings, escapes),
//! where the former is lenient.

use std::ops::Range;
use std::sync::Arc;

use jsonc_parser::ast::{self, ObjectPropName};
use jsonc_parser::common::Ranged;
use jsonc_parser::errors::{ParseError, ParseErrorKind};
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use slimhttp_site::fault::Place;
use slimhttp_site::value::{Table, Value};

use super::Reading;
use crate::text::Text;

const STRICT: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// The root object, or `None` where the grammar is offended, which is then a
/// mistake in `reading`.
pub(super) fn read(text: &Text, reading: &mut Reading) -> Option<Table> {
    let tree = match parse_to_ast(text.as_str(), &CollectOptions::default(), &STRICT) {
        Ok(parsed) => parsed.value,
        Err(error) => {
            let (span, message) = explain(&error, text);
            reading.mistake(span, message);
            return None;
        }
    };
    if tree.is_some()
        && let Err(error) = serde_json::from_str::<serde_json::Value>(text.as_str())
    {
        let offset = text.offset(error.line(), error.column());
        let original = error.to_string();
        let message = original.split(" at line ").next().unwrap_or(&original);
        reading.mistake(offset..offset + 1, message);
        return None;
    }
    match tree {
        Some(ast::Value::Object(root)) => Some(object(&root, &Place::default(), reading)),
        other => {
            let (span, found) = match &other {
                Some(value) => (span(value), kind(value).to_owned()),
                None => (text.as_str().len()..text.as_str().len(), "the end of the file".into()),
            };
            reading.mistake(span, format!("expected `{{`, found {found}"));
            None
        }
    }
}

fn object(object: &ast::Object<'_>, place: &Place, reading: &mut Reading) -> Table {
    let mut values = Table::new();
    for property in &object.properties {
        let name: Arc<str> = match &property.name {
            ObjectPropName::String(text) => text.value.as_ref().into(),
            ObjectPropName::Word(word) => word.value.into(),
        };
        let key = property.name.range();
        if values.contains_key(&name) {
            reading.mistake(
                key.start..key.end,
                format!("expected each key once, found `{name}` again"),
            );
            continue;
        }
        let place = place.key(&name);
        reading.locate(&place, key.start, span(&property.value).start);
        values.insert(name, from_value(&property.value, &place, reading));
    }
    values
}

fn from_value(value: &ast::Value<'_>, place: &Place, reading: &mut Reading) -> Value {
    match value {
        ast::Value::NullKeyword(_) => Value::Null,
        ast::Value::BooleanLit(literal) => Value::Bool(literal.value),
        ast::Value::StringLit(literal) => Value::from(literal.value.as_ref()),
        ast::Value::NumberLit(literal) => match literal.value.parse() {
            Ok(number) => Value::Integer(number),
            Err(_) => {
                let number = literal.value.parse();
                Value::Float(number.expect("`serde_json` has read this number"))
            }
        },
        ast::Value::Object(inner) => Value::Table(object(inner, place, reading)),
        ast::Value::Array(list) => {
            let mut items = Vec::with_capacity(list.elements.len());
            for (index, inner) in list.elements.iter().enumerate() {
                let place = place.index(index);
                let start = span(inner).start;
                reading.locate(&place, start, start);
                items.push(from_value(inner, &place, reading));
            }
            Value::List(items.into())
        }
    }
}

fn span(value: &ast::Value<'_>) -> Range<usize> {
    let range = value.range();
    range.start..range.end
}

fn kind(value: &ast::Value<'_>) -> &'static str {
    match value {
        ast::Value::StringLit(_) => "a string",
        ast::Value::NumberLit(_) => "a number",
        ast::Value::BooleanLit(_) => "a bool",
        ast::Value::Object(_) => "an object",
        ast::Value::Array(_) => "a list",
        ast::Value::NullKeyword(_) => "`null`",
    }
}

/// Where an offence against the grammar is, what was expected and what was found.
fn explain(error: &ParseError, text: &Text) -> (Range<usize>, String) {
    let span = error.range().start..error.range().end;
    let source = text.as_str();
    let expected = match error.kind() {
        // Two that are known only by where they began.
        ParseErrorKind::UnterminatedObject => {
            return (
                span.start..span.start + 1,
                "expected a `}` for this `{`, found the end of the file".into(),
            );
        }
        ParseErrorKind::UnterminatedArray => {
            return (
                span.start..span.start + 1,
                "expected a `]` for this `[`, found the end of the file".into(),
            );
        }
        ParseErrorKind::String(fault) => {
            let original = fault.to_string();
            return (span, original[..1].to_lowercase() + &original[1..]);
        }
        ParseErrorKind::ExpectedComma => {
            // It is reported where the comma belongs; what stands there instead
            // comes after the white space.
            let gap = source[span.start..].len() - source[span.start..].trim_start().len();
            let found = text.lexeme(span.start + gap);
            return (span, format!("expected `,`, found {found}"));
        }
        ParseErrorKind::ExpectedColonAfterObjectKey => "`:` after the key",
        ParseErrorKind::ExpectedStringObjectProperty => "a key in double quotes",
        ParseErrorKind::UnexpectedTokenInObject => "a key in double quotes or `}`",
        ParseErrorKind::TrailingCommasNotAllowed => {
            return (span, "expected no comma behind the last value, found `,`".into());
        }
        ParseErrorKind::CommentsNotAllowed => {
            return (span, "expected a value, found a comment; JSON has none, TOML has".into());
        }
        ParseErrorKind::MultipleRootJsonValues => "the end of the file",
        ParseErrorKind::SingleQuotedStringsNotAllowed => "double quotes",
        ParseErrorKind::HexadecimalNumbersNotAllowed => "a decimal number",
        ParseErrorKind::UnaryPlusNumbersNotAllowed => "a number without `+`",
        ParseErrorKind::BareDecimalPointNumbersNotAllowed => "a digit on both sides of the point",
        ParseErrorKind::NonFiniteNumbersNotAllowed => "a finite number",
        ParseErrorKind::ExpectedDigit | ParseErrorKind::ExpectedDigitFollowingNegativeSign => {
            "a digit"
        }
        ParseErrorKind::ExpectedPlusMinusOrDigitInNumberLiteral => "`+`, `-` or a digit",
        ParseErrorKind::NestingDepthExceeded => "at most 512 levels",
        _ => "a value",
    };
    let found = text.lexeme(span.start);
    (span, format!("expected {expected}, found {found}"))
}
