//! What is a page, by its media type and by its name.

use super::*;

#[test]
fn a_page_is_known_by_its_media_type() {
    for (media_type, expected) in [
        ("text/html", true),
        ("text/html; charset=utf-8", true),
        ("TEXT/HTML;charset=utf-8", true),
        ("application/xhtml+xml", true),
        ("text/css", false),
        ("text/htmlx", false),
        ("", false),
    ] {
        assert_eq!(is_page(&HeaderValue::from_static(media_type)), expected, "{media_type}");
    }
}

#[test]
fn a_name_is_that_of_a_page_by_its_extension() {
    let rules = FileRules::default();
    for (name, expected) in
        [("a.html", true), ("A.HTM", true), ("a.xhtml", true), ("a.css", false), ("html", false)]
    {
        let path = SafePath::of_names(name.as_bytes()).expect("a plain name");
        assert_eq!(is_page_name(&rules, &path), expected, "{name}");
    }
}
