//! The table that Python's half is held against too.

use toml_edit::{Array, DocumentMut};

use super::{Escaped, is_printable};

fn table() -> DocumentMut {
    include_str!("../../../../tests/data/harmless.toml").parse().expect("TOML")
}

fn list<'t>(table: &'t DocumentMut, name: &str) -> &'t Array {
    table[name].as_array().expect("a list")
}

fn pairs<'t>(table: &'t DocumentMut, name: &str) -> Vec<(&'t str, &'t str)> {
    let text = |pair: &'t toml_edit::Value, at| -> &'t str {
        pair.as_array().and_then(|pair| pair.get(at)?.as_str()).expect("two texts")
    };
    list(table, name).iter().map(|pair| (text(pair, 0), text(pair, 1))).collect()
}

#[test]
fn every_character_is_judged_as_the_table_says() {
    let table = table();
    let code = |text| u32::from_str_radix(text, 16).expect("a code point");
    let ranges: Vec<_> =
        pairs(&table, "ranges").into_iter().map(|(first, last)| code(first)..=code(last)).collect();
    for character in ('\0'..=char::MAX).filter(|character| *character != '\n') {
        let expected = !ranges.iter().any(|range| range.contains(&u32::from(character)));
        assert_eq!(is_printable(character), expected, "{character:?}");
    }
}

#[test]
fn what_is_not_printable_is_escaped_as_the_table_says() {
    let shown = |said: &str| -> String {
        let escaped = |character| match is_printable(character) {
            true => character.to_string(),
            false => Escaped(character).to_string(),
        };
        said.chars().map(escaped).collect()
    };
    let table = table();
    for (said, expected) in pairs(&table, "escaped") {
        assert_eq!(shown(said), expected);
    }
    for said in list(&table, "kept") {
        let said = said.as_str().expect("a text");
        assert_eq!(shown(said), said);
    }
}
