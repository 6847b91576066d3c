//! What each pattern takes, and which of several is the most specific.

use super::*;

#[test]
fn what_a_pattern_takes() {
    // Patterns, paths that they take, paths that they do not.
    let cases: &[(&str, &[&str], &[&str])] = &[
        // Without a slash: the last name.
        ("*.js", &["/a.js", "/x/y/a.js", "/.js"], &["/a.JS", "/a.jsx", "/a.js/b", "/"]),
        ("*", &["/a", "/x/.b", "/"], &[]),
        ("sw.js", &["/sw.js", "/x/sw.js"], &["/asw.js", "/sw.js/x", "/sw.jsx"]),
        ("app*", &["/app", "/x/app.js"], &["/an-app", "/app/x"]),
        ("*.min.*", &["/a.min.js", "/x/.min."], &["/a.js", "/min.js"]),
        ("?.txt", &["/a.txt"], &["/ab.txt", "/.txt"]),
        ("[a-c]?", &["/b1", "/x/cc"], &["/d1", "/b"]),
        ("[!a-c]x", &["/dx"], &["/ax"]),
        ("*.{js,css}", &["/a.js", "/x/b.css"], &["/a.html", "/a.js,css"]),
        ("app{,.min}.js", &["/app.js", "/app.min.js"], &["/app.max.js"]),
        ("\\*", &["/*"], &["/a"]),
        ("**", &["/a", "/x/y"], &[]),
        ("grüße*", &["/grüße.txt"], &["/gruesse.txt"]),
        // With one: the whole path.
        ("/index.html", &["/index.html"], &["/x/index.html"]),
        ("/*.html", &["/a.html"], &["/x/a.html"]),
        ("/assets/**", &["/assets/a", "/assets/x/y.js"], &["/assets", "/x/assets/a"]),
        ("assets/**", &["/assets/a"], &["/x/assets/a"]),
        ("assets/*", &["/assets/a"], &["/assets/x/a", "/x"]),
        ("assets/a.js", &["/assets/a.js"], &["/x/assets/a.js", "/a.js"]),
        ("**/*.js", &["/a.js", "/x/y/a.js"], &["/a.jsx"]),
        ("/**/*.js", &["/a.js", "/x/a.js"], &["/a.jsx"]),
        ("**/sw.js", &["/sw.js", "/x/y/sw.js"], &["/asw.js"]),
        ("**/assets/*", &["/assets/a", "/x/assets/a"], &["/assets/x/a"]),
        ("/a/**/z", &["/a/z", "/a/b/c/z"], &["/a/z/y"]),
        ("/**", &["/a", "/x/y", "/"], &[]),
        ("/{a,b}/*", &["/a/x", "/b/x"], &["/c/x"]),
        // Media types are matched in the same way.
        ("text/*", &["text/html"], &["texts/html", "application/text"]),
        ("*+json", &["application/ld+json"], &["application/json"]),
        ("application/json", &["application/json"], &["application/json5"]),
    ];
    for (pattern, taken, left) in cases {
        let globs = Globs::new(&[pattern]).expect(pattern);
        for path in *taken {
            assert!(globs.matches(path.as_bytes()), "`{pattern}` takes `{path}`");
        }
        for path in *left {
            assert!(!globs.matches(path.as_bytes()), "`{pattern}` does not take `{path}`");
        }
    }
}

#[test]
fn names_need_not_be_utf_8() {
    let globs = Globs::new(&["*.bin", "[!x].dat"]).expect("valid");
    assert!(globs.matches(b"/\xff\xfe.bin"));
    assert!(globs.matches(b"/\xff.dat"));
    assert!(!globs.matches(b"/\xff"));
}

/// Comparing bytes says what the library says of the same pattern.
#[test]
fn the_simple_forms_are_what_the_library_means() {
    let texts = ["", "a", "b", "a.js", ".js", "ab", "a/", "a/b", "b/a.js", "a/b/c", "a/.js"];
    for pattern in
        ["a", "*", "*.js", "a*", "a/b", "a/**", "/**", "**/a.js", "**/*.js", "/a/*", "/*", "/a*"]
    {
        let glob = Glob::parse(pattern).expect(pattern);
        // A pattern without a slash is one of a last name, whatever the folder.
        let same = match pattern.strip_prefix('/') {
            Some(whole) => whole.to_owned(),
            None if pattern.contains('/') => pattern.to_owned(),
            None => format!("**/{pattern}"),
        };
        let library = set([&*same]).expect(pattern);
        for text in texts {
            let (path, name) = subjects(text.as_bytes());
            assert_eq!(
                glob.matches(path, name),
                library.is_match_candidate(&Candidate::from_bytes(text)),
                "`{pattern}` and `{text}`"
            );
        }
    }
}

#[test]
fn the_usual_patterns_need_no_regular_expression() {
    for pattern in
        ["*.js", "sw.js", "app.*", "/assets/**", "**/*.js", "*", "/**", "text/*", "/a/b*"]
    {
        let glob = Glob::parse(pattern).expect(pattern);
        assert!(!matches!(glob.matcher, Matcher::Set(_)), "`{pattern}` is matched by its bytes");
    }
}

#[test]
fn the_longest_pattern_is_the_most_specific() {
    let values = ByGlob::new([
        ("*.js", "script"),
        ("/assets/**", "asset"),
        ("*", "any"),
        ("/assets/v1/*.js", "versioned"),
    ])
    .expect("valid");
    for (path, best, all) in [
        ("/x", Some("any"), vec!["any"]),
        ("/a.js", Some("script"), vec!["any", "script"]),
        ("/assets/a.js", Some("asset"), vec!["any", "script", "asset"]),
        ("/assets/v1/a.js", Some("versioned"), vec!["any", "script", "asset", "versioned"]),
    ] {
        assert_eq!(values.best(path.as_bytes()).copied(), best, "{path}");
        assert_eq!(values.all(path.as_bytes()).copied().collect::<Vec<_>>(), all, "{path}");
    }
    let none = ByGlob::<()>::default();
    assert!(none.is_empty() && none.best(b"/x").is_none() && none.all(b"/x").next().is_none());
}

#[test]
fn equal_patterns_and_values_are_equal_in_whatever_order() {
    let one = ByGlob::new([("*.a", 1), ("*.b", 2)]).expect("valid");
    assert_eq!(one, ByGlob::new([("*.b", 2), ("*.a", 1)]).expect("valid"));
    assert_eq!(one, one.clone());
    assert_ne!(one, ByGlob::new([("*.a", 2), ("*.b", 2)]).expect("valid"));
    assert_ne!(one, ByGlob::new([("*.a", 1), ("*.c", 2)]).expect("valid"));
    assert_ne!(one, ByGlob::new([("*.a", 1)]).expect("valid"));
}

#[test]
fn what_is_no_pattern() {
    let nested = format!("{}a{}", "{".repeat(400), "}".repeat(400));
    for (pattern, fault) in [
        ("", "it is empty"),
        ("[a", "unclosed character class"),
        ("{a,b", "unclosed alternate group"),
        ("a}", "unopened alternate group"),
        ("[z-a]", "invalid range"),
        ("a\\", "dangling '\\'"),
        // Deeper than the library goes: a fault like any other, no panic.
        (&nested, ""),
        (&"a".repeat(1025), "it has more than 1024 bytes"),
    ] {
        let error = Glob::parse(pattern).expect_err(pattern);
        assert!(error.contains(fault), "`{pattern}`: {error}");
    }
}
