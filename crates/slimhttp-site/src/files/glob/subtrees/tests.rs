//! What patterns take with all that is below.

use super::*;

fn subtrees(patterns: &[&str]) -> Subtrees {
    let globs = patterns.iter().map(|pattern| Glob::parse(pattern).expect(pattern));
    Subtrees::new(globs.collect()).expect("they are short")
}

#[test]
fn what_a_pattern_takes_and_leaves() {
    // Patterns, paths that they take, paths that they leave.
    let cases: &[(&str, &[&str], &[&str])] = &[
        ("*.bak", &["/a.bak", "/x/a.bak", "/a.bak/x/y"], &["/", "/a.bakx", "/bak/x"]),
        ("drafts", &["/drafts", "/x/drafts/a", "/drafts/a/b"], &["/draft", "/xdrafts/a"]),
        ("tmp*", &["/tmp", "/x/tmp1/a"], &["/atmp", "/a/b"]),
        ("*", &["/", "/a", "/a/b"], &[]),
        ("/a/b", &["/a/b", "a/b/c/d"], &["/a", "/a/bc", "/x/a/b"]),
        ("/a/*", &["/a/b", "/a/b/c"], &["/a", "/ab/c"]),
        ("/a*", &["/a", "/ab/c"], &["/b/a"]),
        ("/a/**", &["/a/b", "/a/b/c"], &["/a", "/x/a/b"]),
        ("**/node_modules/**", &["/node_modules/x", "/x/node_modules/y/z"], &["/node_modules"]),
        ("/a/*/c", &["/a/b/c", "/a/b/c/d/e"], &["/a/c", "/a/b/b/c"]),
        ("/*.{a,b}", &["/x.a", "/x.b/y"], &["/x.c", "/x/y.a"]),
        ("*.{a,b}", &["/x.a", "/x/y.b/z"], &["/x.c", "/x.a.c/y"]),
        ("?", &["/a", "/xx/a/yy"], &["/aa", "/"]),
        // A class that would take a slash, were it not of a name.
        ("x[!a]y", &["/xby", "/a/xby/c"], &["/x/y", "/xay"]),
        ("\\*x", &["/*x", "/*x/a"], &["/ax"]),
    ];
    for (pattern, taken, left) in cases {
        let subtrees = subtrees(&[pattern]);
        for path in *taken {
            assert!(subtrees.take(path.as_bytes()), "`{pattern}` takes `{path}`");
        }
        for path in *left {
            assert!(!subtrees.take(path.as_bytes()), "`{pattern}` leaves `{path}`");
        }
    }
}

#[test]
fn one_of_several_is_enough_and_none_takes_nothing() {
    let both = subtrees(&["/a", "*.{x,y}"]);
    assert!(both.take(b"a/b") && both.take(b"b/c.x/d") && !both.take(b"b/c"));
    assert_eq!(both, subtrees(&["*.{x,y}", "/a"]));
    assert_ne!(both, subtrees(&["/a"]));
    assert!(Subtrees::default().is_empty() && !Subtrees::default().take(b"a"));
}

/// Held against every folder on the way in turn, this would not end for an hour.
#[test]
fn a_deep_path_costs_what_it_is_long() {
    let path = vec![&b"a"[..]; 300_000].join(&b'/');
    let patterns = ["**/node_modules/**", "**/x/*.y", "/**/b/c", "*.{bak,tmp}", "[b-c]?", "zz*"];
    assert!(!subtrees(&patterns).take(&path));
}
