//! Orders, names, sizes, times and `Accept` fields, a case per line; and the
//! page as a whole.

use http::HeaderMap;
use http::header::{ACCEPT, HeaderValue};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::measure::{Moment, counted, size};
use super::*;

/// 2026-11-22T14:03:07Z.
const THEN: i64 = 1_795_356_187;

fn file(name: impl AsRef<[u8]>, length: u64, modified: i64) -> Entry {
    Entry { name: name.as_ref().to_vec(), kind: Kind::File, length, modified }
}

fn folder(name: impl AsRef<[u8]>, modified: i64) -> Entry {
    Entry { name: name.as_ref().to_vec(), kind: Kind::Folder, length: 4096, modified }
}

fn page(path: &str, entries: Vec<Entry>, query: &str) -> String {
    Listing::new(path.as_bytes(), entries, false, Sort::from_query(Some(query))).html()
}

#[test]
fn sorted_by_each_column_with_folders_first() {
    let cases = [
        ("", "b9 B10 A1 a2 z"),
        ("sort=name", "b9 B10 A1 a2 z"),
        ("order=desc", "B10 b9 z a2 A1"),
        ("sort=name&order=desc", "B10 b9 z a2 A1"),
        ("sort=size", "b9 B10 z A1 a2"),
        ("sort=size&order=desc", "b9 B10 A1 a2 z"),
        ("order=desc&sort=size", "b9 B10 A1 a2 z"),
        ("sort=modified&order=asc", "b9 B10 a2 z A1"),
        ("sort=modified&order=desc", "B10 b9 A1 a2 z"),
        // What is no order changes nothing; of two the last counts.
        ("sort=colour&order=up&x&&=", "b9 B10 A1 a2 z"),
        ("SORT=size&order=%64esc", "b9 B10 A1 a2 z"),
        ("order=desc&x=1&order=asc", "b9 B10 A1 a2 z"),
    ];
    for (query, expect) in cases {
        let entries = vec![
            file("z", 5, 20),
            file("a2", 7, 20),
            folder("b9", 1),
            file("A1", 7, 30),
            folder("B10", 2),
        ];
        let listing = Listing::new(b"/", entries, false, Sort::from_query(Some(query)));
        let names: Vec<_> =
            listing.entries.iter().map(|entry| String::from_utf8_lossy(&entry.name)).collect();
        assert_eq!(names.join(" "), expect, "{query:?}");
    }
    assert_eq!(Sort::from_query(None), Sort::default());
}

#[test]
fn names_are_sorted_as_people_count() {
    // In this order; where the keys are equal, by their bytes.
    let sorted: &[&[u8]] = &[
        b"",
        b"-1",
        b".hidden",
        b"0",
        b"1",
        b"1.2",
        b"1.10",
        b"2",
        b"002b",
        b"10",
        b"18446744073709551616",
        b"99999999999999999999999999999999",
        b"FILE2.txt",
        b"file2.txt",
        b"file02.txt",
        b"file10.txt",
        b"file10a",
        b"File10b",
        b"fileA",
        b"fileb",
        b"v1.9.9",
        b"v1.10.0",
        "Äpfel".as_bytes(),
        "äpfel".as_bytes(),
        "äpfel2".as_bytes(),
        b"\xff",
    ];
    for (at, left) in sorted.iter().enumerate() {
        for right in &sorted[at + 1..] {
            let entries = vec![file(right, 0, 0), file(left, 0, 0)];
            let listing = Listing::new(b"/", entries, false, Sort::default());
            let first = &*listing.entries[0].name;
            let equal = natural_key(left) == natural_key(right);
            let expect = if equal { left.min(right) } else { left };
            assert_eq!(first, *expect, "{:?}", String::from_utf8_lossy(right));
        }
    }
}

#[test]
fn sizes_as_people_read_them() {
    let cases = [
        (0, "0 B"),
        (1, "1 B"),
        (999, "999 B"),
        (1000, "1.0 KB"),
        (1049, "1.0 KB"),
        (1050, "1.1 KB"),
        (1434, "1.4 KB"),
        (99_949, "99.9 KB"),
        (99_950, "100 KB"),
        (999_499, "999 KB"),
        (999_500, "1.0 MB"),
        (12_700_000, "12.7 MB"),
        (127_000_000, "127 MB"),
        (4_700_000_000, "4.7 GB"),
        (2_000_000_000_000, "2.0 TB"),
        (1_500_000_000_000_000, "1.5 PB"),
        (u64::MAX, "18.4 EB"),
    ];
    for (bytes, expect) in cases {
        assert_eq!(size(bytes), expect, "{bytes}");
    }
}

#[test]
fn numbers_are_grouped_and_have_their_plural() {
    let cases = [
        (0, "0 files"),
        (1, "1 file"),
        (999, "999 files"),
        (1000, "1,000 files"),
        (12_345, "12,345 files"),
        (u64::MAX, "18,446,744,073,709,551,615 files"),
    ];
    for (number, expect) in cases {
        assert_eq!(counted(number, "file", "files"), expect);
    }
}

#[test]
fn times_in_utc() {
    let cases = [
        (THEN, Some("2026-11-22T14:03:07Z 2026-11-22 14:03")),
        (0, Some("1970-01-01T00:00:00Z 1970-01-01 00:00")),
        (-1, Some("1969-12-31T23:59:59Z 1969-12-31 23:59")),
        (-62_167_219_200, Some("0000-01-01T00:00:00Z 0000-01-01 00:00")),
        (253_402_300_799, Some("9999-12-31T23:59:59Z 9999-12-31 23:59")),
        (-62_167_219_201, None),
        (253_402_300_800, None),
        (i64::MIN, None),
        (i64::MAX, None),
    ];
    for (seconds, expect) in cases {
        let text = Moment::of(seconds)
            .map(|moment| format!("{} {} {}", moment.rfc3339(), moment.date(), moment.clock()));
        assert_eq!(text.as_deref(), expect, "{seconds}");
    }
}

#[test]
fn json_where_the_client_likes_it_better() {
    let cases: &[(&[&str], bool)] = &[
        (&[], false),
        (&[""], false),
        (&["*/*"], false),
        (&["application/json"], true),
        (&["Application/JSON"], true),
        (&["application/json; charset=utf-8"], true),
        (&["application/*"], true),
        (&["text/html"], false),
        // A browser.
        (&["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"], false),
        // Libraries in scripts, which name what they want and take the rest.
        (&["application/json, text/plain, */*"], true),
        (&["application/json, */*;q=0.1"], true),
        (&["application/json;q=0.5, */*"], false),
        (&["text/html, application/json"], false),
        (&["application/json, text/html"], false),
        (&["application/json, text/html;q=0.9"], true),
        (&["application/json;q=0.9, text/html"], false),
        (&["application/json;q=0.900, text/html;q=0.899"], true),
        (&["application/json;Q=0.2 , text/html; q=0.1"], true),
        (&["text/*;q=0.5, application/json;q=0.4"], false),
        (&["application/*, text/*"], false),
        // The closest range counts, wherever it stands.
        (&["text/html;q=0.2, text/*, application/json;q=0.3"], true),
        (&["*/*, text/html;q=0.2"], true),
        (&["text/html;level=1, text/html;q=0.2, application/json;q=0.5"], false),
        // Several lines are one list.
        (&["text/html;q=0.5", "application/json"], true),
        // What is refused, and what says nothing of either.
        (&["application/json;q=0"], false),
        (&["application/json;q=0, text/html;q=0"], false),
        (&["image/png"], false),
        (&["application/jsonp, application/ld+json"], false),
        (&["json"], false),
        // What is no weight spoils its range alone.
        (&["application/json;q=1.1"], false),
        (&["application/json;q=0.1234"], false),
        (&["application/json;q="], false),
        (&["application/json;q=x, application/json;q=0.5"], true),
        // A comma or semicolon in a quoted string parts nothing.
        (&[r#"text/html;a="x,application/json;q=1\",application/json", image/png"#], false),
        (&[r#"text/plain;a=",;", application/json"#], true),
    ];
    for (lines, expect) in cases {
        let mut headers = HeaderMap::new();
        for line in *lines {
            headers.append(ACCEPT, HeaderValue::from_str(line).expect("a valid value"));
        }
        assert_eq!(wants_json(&headers), *expect, "{lines:?}");
    }
}

#[test]
fn any_name_is_a_link_to_itself_and_harmless_text() {
    let cases: &[(&[u8], &str, &str)] = &[
        (b"a.txt", "./a.txt", "a.txt"),
        (b"a b", "./a%20b", "a b"),
        (b"javascript:alert(1)", "./javascript%3Aalert%281%29", "javascript:alert(1)"),
        (b"a:b", "./a%3Ab", "a:b"),
        (b"\"><script>", "./%22%3E%3Cscript%3E", "&quot;&gt;&lt;script&gt;"),
        (b"'x' &lt;", "./%27x%27%20%26lt%3B", "&#39;x&#39; &amp;lt;"),
        (b"?q#f%41", "./%3Fq%23f%2541", "?q#f%41"),
        (b"a\\b", "./a%5Cb", "a\\b"),
        (b"a\nb\tc\x7f", "./a%0Ab%09c%7F", "a\u{240a}b\u{2409}c\u{2421}"),
        (b"\x1b[31m", "./%1B%5B31m", "\u{241b}[31m"),
        ("\u{85}".as_bytes(), "./%C2%85", "\u{fffd}"),
        ("Grüße".as_bytes(), "./Gr%C3%BC%C3%9Fe", "Grüße"),
        (b"\xff\xfea", "./%FF%FEa", "\u{fffd}\u{fffd}a"),
        ("\u{202e}gpj.exe".as_bytes(), "./%E2%80%AEgpj.exe", "\u{fffd}gpj.exe"),
        (
            "\u{2067}a\u{2069}\u{200f}".as_bytes(),
            "./%E2%81%A7a%E2%81%A9%E2%80%8F",
            "\u{fffd}a\u{fffd}\u{200f}",
        ),
        ("~-_.".as_bytes(), "./~-_.", "~-_."),
    ];
    for (name, link, text) in cases {
        let html = page("/", vec![file(name, 0, THEN)], "");
        assert!(html.contains(&format!("<a href=\"{link}\">")), "{link}: {html}");
        assert!(html.contains(&format!("<bdi>{text}</bdi></a>")), "{text}: {html}");
        let html = page("/", vec![folder(name, THEN)], "sort=size");
        let link = format!("<a href=\"{link}/?sort=size&amp;order=asc\">");
        assert!(html.contains(&link), "{link}: {html}");
    }
}

#[test]
fn the_path_is_harmless_text_and_its_links_are_relative() {
    let html = page("/a<b>/c\nd/", vec![], "");
    for part in [
        "<title>Index of /a&lt;b&gt;/c\u{240a}d/</title>",
        "<li><a href=\"../../\"><bdi>Home</bdi></a></li>\
         <li><a href=\"../\"><bdi>a&lt;b&gt;</bdi></a></li>\
         <li><span aria-current=\"page\"><bdi>c\u{240a}d</bdi></span></li>",
        "<h1><bdi>c\u{240a}d</bdi></h1>",
        "<a href=\"../\"><svg aria-hidden=\"true\"><use href=\"#up\"/></svg>",
        "<p>This folder is empty.</p>",
    ] {
        assert!(html.contains(part), "{part}: {html}");
    }
    let root = page("/", vec![], "");
    assert!(root.contains("This folder is empty."), "{root}");
    for never in ["../", "<nav", "<table"] {
        assert!(!root.contains(never), "{never}: {root}");
    }
}

#[test]
fn the_head_of_a_column_turns_its_own_order() {
    let cases = [
        ("", "ascending", "name", ["desc", "desc", "desc"]),
        ("order=desc", "descending", "name", ["asc", "desc", "desc"]),
        ("sort=size", "ascending", "size", ["asc", "desc", "desc"]),
        ("sort=size&order=desc", "descending", "size", ["asc", "asc", "desc"]),
        ("sort=modified&order=desc", "descending", "modified", ["asc", "desc", "asc"]),
    ];
    for (query, state, sorted, orders) in cases {
        let html = page("/", vec![file("a", 1, THEN)], query);
        for (column, order) in ["name", "size", "modified"].into_iter().zip(orders) {
            let aria =
                if column == sorted { format!(" aria-sort=\"{state}\"") } else { String::new() };
            let head =
                format!("<th scope=\"col\"{aria}><a href=\"?sort={column}&amp;order={order}\">");
            assert!(html.contains(&head), "{query}: {head}: {html}");
        }
        assert_eq!(html.matches("aria-sort=").count(), 1, "{query}");
    }
}

#[test]
fn a_row_tells_size_and_time_exactly_too() {
    let html = page("/", vec![file("a.zip", 1434, THEN), folder("f", i64::MAX)], "");
    for part in [
        "<svg aria-hidden=\"true\" class=\"archive\"><use href=\"#archive\"/></svg>",
        "<td><data value=\"1434\" title=\"1,434 bytes\">1.4 KB</data></td>",
        "<td><time datetime=\"2026-11-22T14:03:07Z\">2026-11-22<span class=\"wide\"> 14:03</span></time></td>",
        "<bdi>f/</bdi></a></th><td></td><td></td></tr>",
    ] {
        assert!(html.contains(part), "{part}: {html}");
    }
}

#[test]
fn the_count_leaves_out_what_there_is_none_of() {
    let cases = [
        (0, 0, "This folder is empty."),
        (1, 0, "1 folder"),
        (0, 1, "1 file, <data value=\"7\" title=\"7 bytes\">7 B</data>"),
        (2, 1, "2 folders, 1 file, <data value=\"7\" title=\"7 bytes\">7 B</data>"),
        (1, 300, "1 folder, 300 files, <data value=\"2100\" title=\"2,100 bytes\">2.1 KB</data>"),
    ];
    for (folders, files, expect) in cases {
        let mut entries = vec![folder("a", THEN); folders];
        entries.extend(vec![file("b", 7, THEN); files]);
        let html = page("/", entries, "");
        assert!(html.contains(&format!("<p>{expect}</p>")), "{expect}: {html}");
    }
    let most = vec![file("a", u64::MAX, THEN), file("b", 1, THEN)];
    assert!(page("/", most, "").contains("2 files, <data value=\"18446744073709551615\""));
}

#[test]
fn every_icon_is_drawn() {
    for name in ["x", "a.PNG", "a.mp3", "a.mp4", "a.tar.gz", "a.rs", "a.md", ".", "a."] {
        let icon = icon::of(&file(name, 0, 0));
        assert!(icon::SPRITE.contains(&format!("<symbol id=\"{icon}\"")), "{icon}");
    }
    assert_eq!(icon::of(&folder("a.png", 0)), "folder");
    assert_eq!(icon::of(&file("a.PNG", 0, 0)), "image");
    assert_eq!(icon::of(&file("png", 0, 0)), "file");
}

#[test]
fn a_folder_that_is_longer_than_the_bound_says_so() {
    let entries = || vec![file("a", 1, THEN), file("b", 1, THEN)];
    let whole = Listing::new(b"/", entries(), false, Sort::default());
    let part = Listing::new(b"/", entries(), true, Sort::default());
    assert!(!whole.html().contains("class=\"note\""));
    assert!(part.html().contains("only 2 of its entries are listed"));
    assert!(whole.json().contains("\"truncated\": false"));
    assert!(part.json().contains("\"truncated\": true"));
}

#[test]
fn json_for_programs() {
    let entries = vec![
        file("b\"\\\n\u{2028}.txt", 7, THEN),
        folder("a", -1),
        file(b"\xff", u64::MAX, i64::MAX),
    ];
    let text = Listing::new("/ä\"/".as_bytes(), entries, false, Sort::default()).json();
    let value: Value = serde_json::from_str(&text).expect("valid JSON");
    let expect = json!({
        "path": "/ä\"/",
        "entries": [
            {"name": "a", "type": "folder", "size": null, "modified": "1969-12-31T23:59:59Z"},
            {"name": "b\"\\\n\u{2028}.txt", "type": "file", "size": 7, "modified": "2026-11-22T14:03:07Z"},
            {"name": "\u{fffd}", "type": "file", "size": u64::MAX, "modified": null},
        ],
        "truncated": false,
    });
    assert_eq!(value, expect, "{text}");
    let empty: Value =
        serde_json::from_str(&Listing::new(b"/", vec![], false, Sort::default()).json())
            .expect("valid JSON");
    assert_eq!(empty, json!({"path": "/", "entries": [], "truncated": false}));
}

#[test]
fn the_policy_allows_the_style_of_the_page_and_nothing_else() {
    let html = page("/", vec![file("a", 1, THEN)], "");
    let (_, behind) = html.split_once("<style>").expect("the page has a style");
    let (style, behind) = behind.split_once("</style>").expect("which ends");
    let hash = format!("'sha256-{}'", base64(&Sha256::digest(style)));
    assert!(CONTENT_SECURITY_POLICY.contains(&hash), "the style sheet has changed: {hash}");
    for never in ["<style", "style=", "<script", "<img", "<link", "http:", "https:", " on"] {
        assert!(!behind.contains(never), "{never}");
    }
}

/// RFC 4648 section 4.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let sextet = (bits >> (18 - 6 * at)) as usize & 63;
            text.push(if at <= group.len() { char::from(ALPHABET[sextet]) } else { '=' });
        }
    }
    text
}

/// WCAG 2.2, success criterion 1.4.3: text and its ground are at least 4.5 to 1.
#[test]
fn every_colour_of_text_is_readable_in_both_themes() {
    let (light, dark) = page::STYLE.split_once("@media").expect("the dark theme stands below");
    for theme in [light, dark] {
        for text in ["ink", "soft", "accent"] {
            for ground in ["paper", "card", "hover"] {
                let (text, ground) = (colour(theme, text), colour(theme, ground));
                let (lighter, darker) = (luminance(text), luminance(ground));
                let (lighter, darker) = (lighter.max(darker), lighter.min(darker));
                let contrast = (lighter + 0.05) / (darker + 0.05);
                assert!(contrast >= 4.5, "{text:06x} on {ground:06x}: {contrast:.2}");
            }
        }
    }
}

fn colour(theme: &str, name: &str) -> u32 {
    let (_, behind) = theme.split_once(&format!("--{name}: #")).expect("a theme names its colours");
    u32::from_str_radix(&behind[..6], 16).expect("six hexadecimal digits")
}

fn luminance(colour: u32) -> f64 {
    let part = |shift: u32| {
        let value = f64::from(colour >> shift & 0xff) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * part(16) + 0.7152 * part(8) + 0.0722 * part(0)
}
