//! Generated paths, none of which may leave the root.

use std::path::{Component, Path};

use super::super::Target;

/// What a kernel would open for `path` below a root: the names on the way, or
/// `None` where it would leave the root.
fn walk(path: &Path) -> Option<Vec<&std::ffi::OsStr>> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => names.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                names.pop()?;
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(names)
}

#[test]
fn c5_2_no_payload_of_a_generated_corpus_escapes() {
    let dots = [
        "..",
        "%2e%2e",
        ".%2e",
        "%2E.",
        "%252e%252e",
        "%c0%ae%c0%ae",
        "%e0%80%ae.",
        "..;",
        "...",
        "....",
        "..%00",
        "%00..",
        "..%20",
        "..%ff",
        "．．",
        "%u002e%u002e",
        "..%c0",
        ". .",
        ".",
        "..\\",
        "%5c..",
        "..%5c..",
        "..%2f..",
        "%2f..",
        "..%2f",
        "",
    ];
    let slashes = [
        "/",
        "//",
        "/./",
        "\\",
        "%2f",
        "%2F",
        "%5c",
        "%252f",
        "%c0%af",
        "%e0%80%af",
        "/%2f",
        "%2f/",
        "\\/",
        "／",
    ];
    let starts = ["/", "//", "/a/", "/a%2f", "/%2f", "/a/b/", "/.well-known/", "/a%20b/../", ""];
    let ends = ["etc/passwd", "", "%00.html", ".", "?/../.."];

    let (mut refused, mut unfit, mut safe) = (0, 0, 0);
    for start in starts {
        for dot in dots {
            for slash in slashes {
                for end in ends {
                    for depth in [1, 2, 9] {
                        let raw = format!("{start}{}{end}", format!("{dot}{slash}").repeat(depth));
                        let Ok(target) = Target::parse(&raw) else {
                            refused += 1;
                            continue;
                        };
                        assert!(target.path.starts_with(b"/"), "{raw:?}");
                        assert!(!target.path.contains(&0), "{raw:?}");
                        let Some(path) = target.safe_path() else {
                            unfit += 1;
                            continue;
                        };
                        safe += 1;
                        let url = path.url_path();
                        let again = Target::parse(&url).ok().and_then(|url| url.safe_path());
                        assert_eq!(again.as_ref(), Some(&path), "{raw:?} is {url:?}");
                        let path = path.as_path();
                        assert!(!path.is_absolute() && !path.has_root(), "{raw:?} is {path:?}");
                        assert!(!path.as_os_str().as_encoded_bytes().contains(&0), "{raw:?}");
                        let plain = path.components().all(|c| matches!(c, Component::Normal(_)));
                        assert!(plain, "{raw:?} is {path:?}");

                        // Without encoded bytes that decode to syntax, the kernel
                        // would find the same by walking the path as decoded.
                        let sent = target.raw_path.trim_start_matches('/');
                        if !sent.contains('%') {
                            let walked = walk(Path::new(sent));
                            let names = path.iter().collect();
                            assert_eq!(walked, Some(names), "{raw:?}");
                        }
                    }
                }
            }
        }
    }
    // Each way out is taken, so that the checks above have something to check.
    assert!(refused > 2_000 && unfit > 2_000 && safe > 2_000, "{refused} {unfit} {safe}");
}

#[test]
fn c5_2_every_short_path_resolves_as_a_walk_would() {
    let segments = ["", ".", "..", "a", "%2e%2e", "%61", "b%2fc"];
    let mut found = [0; 2];
    for mask in 0..7_usize.pow(5) {
        let chosen: Vec<_> = (0..5).map(|place| segments[mask / 7_usize.pow(place) % 7]).collect();
        let raw = format!("/{}", chosen.join("/"));

        // The model: a stack of segments as sent, decoded one by one.
        let mut stack = Some(Vec::new());
        for segment in &chosen {
            let segment = segment.replace("%2e", ".").replace("%61", "a").replace("%2f", "/");
            stack = stack.and_then(|mut stack: Vec<String>| match &*segment {
                "" | "." => Some(stack),
                ".." => stack.pop().map(|_| stack),
                _ => {
                    stack.push(segment);
                    Some(stack)
                }
            });
        }
        let expected = stack.map(|stack| {
            let folder = matches!(chosen[4], "" | "." | ".." | "%2e%2e") && !stack.is_empty();
            format!("/{}{}", stack.join("/"), if folder { "/" } else { "" })
        });

        let target = Target::parse(&raw).ok();
        found[usize::from(target.is_some())] += 1;
        let path = target.as_ref().map(|target| target.text().into_owned());
        assert_eq!(path, expected, "{raw:?}");
        let fit = target.and_then(|target| target.safe_path()).is_some();
        assert_eq!(fit, expected.is_some() && !raw.contains("%2f"), "{raw:?}");
    }
    assert!(found[0] > 1_000 && found[1] > 1_000, "{found:?}");
}
