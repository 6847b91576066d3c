//! Configuration files: values, the place of each, and what mistakes look like.

use std::collections::BTreeMap;
use std::path::Path;

use slimhttp_site::fault::{Fault, Faults, Place, Step};
use slimhttp_site::value::Value;

use super::{Document, Offsets, Syntax};
use crate::text::Position;

fn parse(path: &str, text: &str) -> Result<Document, String> {
    Document::parse(Path::new(path), text.to_owned()).map_err(|fault| fault.to_string())
}

/// `vhosts."a.example".index[1]` as steps: keys are split at `/`, `[1]` is an index.
fn place(way: &str) -> Place {
    let step = |part: &str| match part.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(index) => Step::Index(index.parse().expect("an index")),
        None => Step::Key(part.into()),
    };
    Place(way.split('/').filter(|part| !part.is_empty()).map(step).collect())
}

/// Every place of a document with `line:column` of its key and of its value.
fn places(document: &Document) -> BTreeMap<String, String> {
    let show = |offset| {
        let Position { line, column } = document.text.position(offset);
        format!("{line}:{column}")
    };
    let entry = |(place, offsets): (&Place, &Offsets)| {
        (place.to_string(), format!("{} {}", show(offsets.key), show(offsets.value)))
    };
    document.offsets.iter().map(entry).collect()
}

fn check_places(path: &str, text: &str, expected: &[(&str, &str)]) {
    let document = parse(path, text).expect("a configuration");
    let expected: BTreeMap<_, _> =
        expected.iter().map(|&(place, at)| (place.to_owned(), at.to_owned())).collect();
    assert_eq!(places(&document), expected, "{text}");
}

#[test]
fn every_value_of_a_toml_file_has_its_place() {
    check_places(
        "site.toml",
        "web_root = 'a'\n\
         index = ['i.html',\n  'é.html']\n\
         \n\
         [vhosts.'a.example']\n\
         proxy = '127.0.0.1:1'   # one\n\
         [ vhosts . b ]\n\
         'ünï' = { x = 1, y.z = 2 }\n",
        &[
            ("web_root", "1:1 1:12"),
            ("index", "2:1 2:9"),
            ("index[0]", "2:10 2:10"),
            ("index[1]", "3:3 3:3"),
            ("vhosts", "5:2 5:2"),
            ("vhosts.\"a.example\"", "5:9 5:1"),
            ("vhosts.\"a.example\".proxy", "6:1 6:9"),
            ("vhosts.b", "7:12 7:1"),
            ("vhosts.b.\"ünï\"", "8:1 8:9"),
            ("vhosts.b.\"ünï\".x", "8:11 8:15"),
            ("vhosts.b.\"ünï\".y", "8:18 8:18"),
            ("vhosts.b.\"ünï\".y.z", "8:20 8:24"),
        ],
    );
    check_places(
        "site.toml",
        "[[many]]\nx = 1\n[[many]]\nx = 2\n",
        &[
            ("many", "1:3 1:1"),
            ("many[0]", "1:1 1:1"),
            ("many[0].x", "2:1 2:5"),
            ("many[1]", "3:1 3:1"),
            ("many[1].x", "4:1 4:5"),
        ],
    );
    // Windows: a byte order mark is no column, a carriage return no line.
    check_places("site.toml", "\u{feff}a = 1\r\nb = 2\r\n", &[("a", "1:1 1:5"), ("b", "2:1 2:5")]);
}

#[test]
fn every_value_of_a_json_file_has_its_place() {
    check_places(
        "site.json",
        "{\n  \"web_root\": \"ä\", \"index\": [\"a\",\n\t\"b\"],\n  \"vhosts\": {\"ö\": {\"proxy\":null}}\n}\n",
        &[
            ("web_root", "2:3 2:15"),
            ("index", "2:20 2:29"),
            ("index[0]", "2:30 2:30"),
            ("index[1]", "3:2 3:2"),
            ("vhosts", "4:3 4:13"),
            ("vhosts.\"ö\"", "4:14 4:19"),
            ("vhosts.\"ö\".proxy", "4:20 4:28"),
        ],
    );
}

#[test]
fn both_languages_give_the_same_values() {
    let toml =
        "s = 'ß'\nb = true\ni = -7\nf = 1.5\nl = [1, [2.0]]\nt = { k = {} }\n[h.'a.b']\nx = 'y'\n";
    let json = r#"{"s": "ß", "b": true, "i": -7, "f": 1.5, "l": [1, [2.0]],
                   "t": {"k": {}}, "h": {"a.b": {"x": "y"}}}"#;
    let toml = parse("c.toml", toml).expect("TOML");
    let json = parse("c.json", json).expect("JSON");
    assert_eq!(toml.config, json.config);
    assert_eq!(toml.config.get(&["s".into()]), Some(&"ß".into()));
    assert_eq!(toml.config.get(&["i".into()]), Some(&Value::Integer(-7)));
    assert_eq!(toml.config.get(&["f".into()]), Some(&Value::Float(1.5)));
}

#[test]
fn json_numbers_are_whole_where_they_can_be() {
    for (text, expected) in [
        ("0", Value::Integer(0)),
        ("-1", Value::Integer(-1)),
        ("9223372036854775807", Value::Integer(i64::MAX)),
        ("9223372036854775808", Value::Float(9_223_372_036_854_775_808.0)),
        ("1.0", Value::Float(1.0)),
        ("1e3", Value::Float(1000.0)),
    ] {
        let document = parse("c.json", &format!("{{\"n\": {text}}}")).expect("JSON");
        assert_eq!(document.config.get(&["n".into()]), Some(&expected), "{text}");
    }
}

#[test]
fn the_language_is_told_by_extension_or_else_by_the_text() {
    for (path, text, expected) in [
        ("a.toml", "{", Syntax::Toml),
        ("a.JSON", "a = 1", Syntax::Json),
        ("a", " \n{}", Syntax::Json),
        ("a.conf", "a = 1", Syntax::Toml),
        ("a", "", Syntax::Toml),
        (".json", "a = 1", Syntax::Toml),
    ] {
        assert_eq!(Syntax::of(Path::new(path), text), expected, "{path}");
    }
}

/// Each case is a text, `line:column: message` of its only mistake, and the part
/// of the line that is marked.
fn check_mistakes(path: &str, table: &[(&str, &str, &str)]) {
    for &(text, message, marked) in table {
        let shown = parse(path, text).err().unwrap_or_else(|| panic!("no mistake in {text:?}"));
        let lines: Vec<_> = shown.lines().collect();
        let [head, _, line, carets] = lines[..] else { panic!("{text:?}\n{shown}") };
        assert_eq!(head, format!("{path}:{message}"), "{text:?}\n{shown}");
        let under: String = line
            .chars()
            .zip(carets.chars())
            .filter(|&(_, caret)| caret == '^')
            .map(|(c, _)| c)
            .collect();
        assert_eq!(under, marked, "{text:?}\n{shown}");
    }
}

#[test]
fn mistakes_in_toml_have_their_place() {
    let table = [
        ("a = 1\nport = \n", "2:8: expected a value, found the end of the line", ""),
        ("port\n", "1:5: key with no value, expected `=`, found the end of the line", ""),
        ("a = True\n", "1:5: invalid boolean, expected `true`, found `True`", "True"),
        (
            "a = plain\n",
            "1:5: string values must be quoted, expected literal string, found `plain`",
            "plain",
        ),
        ("a = 'x\n", "1:7: invalid literal string, expected `'`, found the end of the line", ""),
        ("a = 1\na = 2\n", "2:1: duplicate key", "a"),
        ("[a]\n[a]\n", "2:2: duplicate key", "a"),
        ("a = 1 b = 2\n", "1:9: unexpected key or value, expected newline, `#`, found `=`", "="),
        ("[a\nb = 1", "1:3: unclosed table, expected `]`, found the end of the line", ""),
        (
            "a = [1\nb = 2\n",
            "2:1: missing comma between array elements, expected `,`, found `b`",
            "b",
        ),
        ("a = 99999999999999999999\n", "1:5: integer number overflowed", "99999999999999999999"),
        ("ü = 'é' x\n", "1:9: unexpected key or value, expected newline, `#`, found `x`", "x"),
    ];
    check_mistakes("c.toml", &table);
}

#[test]
fn mistakes_in_json_have_their_place() {
    let table = [
        ("", "1:1: expected `{`, found the end of the file", ""),
        ("[1]", "1:1: expected `{`, found a list", "[1]"),
        ("\"x\"", "1:1: expected `{`, found a string", "\"x\""),
        ("{\"a\" 1}", "1:6: expected `:` after the key, found `1`", "1"),
        ("{\"a\": }", "1:7: expected a value, found `}`", "}"),
        ("{\n  \"a\": 1\n\n  \"b\": 2\n}", "2:9: expected `,`, found `\"`", ""),
        ("{\"a\": [1, 2,]}", "1:12: expected no comma behind the last value, found `,`", ","),
        (
            "{\"a\": 1, // one\n}",
            "1:10: expected a value, found a comment; JSON has none, TOML has",
            "// one",
        ),
        ("{'a': 1}", "1:2: expected double quotes, found `'`", "'"),
        ("{a: 1}", "1:2: expected a key in double quotes, found `a`", "a"),
        ("{\"a\": 01}", "1:8: expected `,`, found `1`", "1"),
        ("{\"a\": .5}", "1:7: expected a digit on both sides of the point, found `.5`", "."),
        ("{\"a\": 1.}", "1:7: expected a digit on both sides of the point, found `1.`", "1."),
        ("{\"a\": +1}", "1:7: expected a number without `+`, found `+`", "+"),
        ("{\"a\": 0x1}", "1:7: expected a decimal number, found `0x1`", "0"),
        ("{\"a\": NaN}", "1:7: expected a value, found `NaN`", "NaN"),
        ("{\"a\": -}", "1:8: expected a digit, found `}`", "}"),
        ("{\"a\": 1e}", "1:9: expected `+`, `-` or a digit, found `}`", "}"),
        ("{\"a\": True}", "1:7: expected a value, found `True`", "True"),
        ("{\"a\": [\n", "1:7: expected a `]` for this `[`, found the end of the file", "["),
        ("{\"a\": {\n", "1:7: expected a `}` for this `{`, found the end of the file", "{"),
        (
            "{\"a\": \"x\ny\"}",
            "1:9: control character (\\u0000-\\u001F) found while parsing a string",
            "",
        ),
        ("{\"a\": \"\\x\"}", "1:8: invalid escape", "\\x"),
        ("{\"a\": \"\\u12\"}", "1:8: expected four hex digits", "\\u12\""),
        ("{\"a\": \"x}\n\n", "1:7: unterminated string literal", "\"x}"),
        ("{} {}", "1:4: expected the end of the file, found `{`", "{"),
        ("{\"é\": \"é\" 1}", "1:10: expected `,`, found `1`", " "),
        ("{\"a\": 1e999}", "1:11: number out of range", "9"),
    ];
    check_mistakes("c.json", &table);
}

/// `expected` is everything that the user reads.
#[track_caller]
fn check_shown(path: &str, text: &str, expected: &[&str]) {
    let found = parse(path, text).err().unwrap_or_else(|| panic!("no mistake in {text:?}"));
    assert_eq!(found.lines().collect::<Vec<_>>(), expected, "{text:?}\n{found}");
}

#[test]
fn every_value_that_no_configuration_has_is_shown_at_once() {
    check_shown(
        "c.toml",
        "a = 1979-05-27\n\tb = [inf, 07:32:00]\n",
        &[
            "c.toml:1:5: expected a string, a number, a bool, a list or a table, \
             found the date `1979-05-27`; put it in quotes",
            "  |",
            "1 | a = 1979-05-27",
            "  |     ^^^^^^^^^^",
            "c.toml:2:7: expected a number, found `inf`",
            "  |",
            "2 | \tb = [inf, 07:32:00]",
            "  | \t     ^^^",
            "c.toml:2:12: expected a string, a number, a bool, a list or a table, \
             found the date `07:32:00`; put it in quotes",
            "  |",
            "2 | \tb = [inf, 07:32:00]",
            "  | \t          ^^^^^^^^",
        ],
    );
    check_shown(
        "c.json",
        "{\"a\": 1, \"a\": 2,\n \"b\": {\"a\": 1, \"a\": 3}}",
        &[
            "c.json:1:10: expected each key once, found `a` again",
            "  |",
            "1 | {\"a\": 1, \"a\": 2,",
            "  |          ^^^",
            "c.json:2:16: expected each key once, found `a` again",
            "  |",
            "2 |  \"b\": {\"a\": 1, \"a\": 3}}",
            "  |                ^^^",
        ],
    );
}

#[test]
fn a_long_line_is_cut_around_the_mistake() {
    let text = format!("{{\"a\": {}, \"b\" 1, {}}}", "1".repeat(300), "\"c\": 1, ".repeat(50));
    let line = format!("1 | …{}, \"b\" 1, {}\"c\": 1,…", "1".repeat(44), "\"c\": 1, ".repeat(5));
    let caret = format!("  |  {}^", " ".repeat(50));
    check_shown(
        "c.json",
        &text,
        &["c.json:1:313: expected `:` after the key, found `1`", "  |", &line, &caret],
    );
}

#[test]
fn a_mistake_on_a_line_of_two_digits_has_a_wider_gutter() {
    let text = "\n".repeat(10) + "a = \u{1b}\n";
    check_shown(
        "c.toml",
        &text,
        &[
            "c.toml:11:5: string values must be quoted, expected literal string, found `\\x1b`",
            "   |",
            "11 | a = \u{fffd}",
            "   |     ^",
        ],
    );
}

const SITE: &str = "\
web_rot = 'a'
index = [
  'a',
  3,
]
[vhosts.'a.example']
proxy = '10.0.0.1'
";

#[test]
fn a_fault_is_shown_where_it_stands() {
    let document = parse("site.toml", SITE).expect("TOML");
    for (way, found, expected) in [
        // A wrong value: the value.
        ("vhosts/a.example/proxy", Some("`10.0.0.1`"), (7, 9)),
        ("index/[1]", Some("`3`"), (4, 3)),
        ("index", Some("a list of 2"), (2, 9)),
        // A wrong key, or nothing found: the key.
        ("web_rot", Some("`web_rot`"), (1, 1)),
        ("web_rot", None, (1, 1)),
        ("vhosts/a.example", None, (6, 9)),
        // What is not there: the nearest around it.
        ("vhosts/a.example/ssl", None, (6, 9)),
        ("vhosts/a.example/ssl", Some("`x`"), (6, 9)),
        ("vhosts/b/c/d", None, (6, 2)),
        ("index/[7]", None, (2, 1)),
        ("port", None, (1, 1)),
        ("", None, (1, 1)),
    ] {
        let fault = fault(way, found);
        let Position { line, column } = document.position(&fault);
        assert_eq!((line, column), expected, "{way} {found:?}");
    }
}

fn fault(way: &str, found: Option<&str>) -> Fault {
    Fault {
        place: place(way),
        expected: "`this`".into(),
        found: found.map(str::to_owned),
        hint: None,
    }
}

#[test]
fn c2_6_every_fault_is_shown_with_file_line_and_column() {
    let document = parse("conf/site.toml", SITE).expect("TOML");
    let misspelt =
        Fault { hint: Some("did you mean `web_root`?".into()), ..fault("web_rot", None) };
    let faults = Faults(vec![fault("vhosts/a.example/proxy", Some("`10.0.0.1`")), misspelt]);
    assert_eq!(
        document.show(&faults),
        "conf/site.toml:1:1: web_rot: expected `this`\n  \
           hint: did you mean `web_root`?\n\
         conf/site.toml:7:9: vhosts.\"a.example\".proxy: expected `this`, found `10.0.0.1`\n"
    );
}

#[test]
fn files_that_cannot_be_read_say_why() {
    let temporary = tempfile::tempdir().expect("a folder");
    let folder = temporary.path();
    let bytes = folder.join("bytes.toml");
    std::fs::write(&bytes, b"a = 1\nb = '\xc3\xa4\xff'\n").expect("a file");
    let missing = folder.join("missing.toml");
    let show = |path: &Path| Document::read(path).expect_err("a fault").to_string();

    assert_eq!(
        show(&bytes),
        format!("{}:2:7: expected UTF-8, found the byte 0xff\n", bytes.display())
    );
    assert_eq!(
        show(&missing),
        format!("{}: cannot be read: No such file or directory (os error 2)\n", missing.display())
    );
    assert_eq!(
        show(folder),
        format!(
            "{0}: expected a configuration file (TOML or JSON), found a folder\n  \
             hint: `serve {0}` serves a folder\n",
            folder.display()
        )
    );
}

#[test]
fn c2_3_relative_paths_start_at_the_files_folder() {
    let here = std::env::current_dir().expect("a working directory");
    for (path, expected) in [
        ("/etc/slimhttp/site.toml", "/etc/slimhttp".into()),
        ("site.toml", here.clone()),
        ("conf/site.toml", here.join("conf")),
    ] {
        let document = parse(path, "").expect("TOML");
        assert_eq!(document.folder().expect("a folder"), expected, "{path}");
    }
}
