//! Both ways of opening, the kernel's and ours, against the same tree.

use std::io::Read;
use std::os::unix::fs::symlink;

use super::*;

/// A tree of its own per test; removed when dropped.
struct Tree(PathBuf);

impl Tree {
    fn new(name: &str) -> Self {
        let root =
            std::env::temp_dir().join(format!("slimhttp-jail-{}-{name}", std::process::id()));
        std::fs::create_dir_all(root.join("site/sub")).expect("a tree");
        std::fs::write(root.join("secret"), "secret").expect("a file");
        std::fs::write(root.join("site/page"), "page").expect("a file");
        std::fs::write(root.join("site/sub/deep"), "deep").expect("a file");
        symlink("../secret", root.join("site/out")).expect("a link");
        symlink(root.join("secret"), root.join("site/out_absolute")).expect("a link");
        symlink("sub/deep", root.join("site/in")).expect("a link");
        symlink(root.join("site/sub/deep"), root.join("site/in_absolute")).expect("a link");
        symlink("sub", root.join("site/folder")).expect("a link");
        symlink("..", root.join("site/up")).expect("a link");
        symlink("loop", root.join("site/loop")).expect("a link");
        Self(root)
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const CASES: &[(&str, Option<&str>)] = &[
    ("page", Some("page")),
    ("sub/deep", Some("deep")),
    ("in", Some("deep")),
    ("in_absolute", Some("deep")),
    ("folder/deep", Some("deep")),
    ("out", None),
    ("out_absolute", None),
    ("up/secret", None),
    ("up/site/page", None),
    ("loop", None),
    ("missing", None),
    ("page/below", None),
];

fn safe(path: &str) -> SafePath {
    path.split('/').fold(SafePath::root(), |safe, name| safe.join(name).expect("a plain name"))
}

fn text(mut file: File) -> String {
    let mut text = String::new();
    file.read_to_string(&mut text).expect("readable");
    text
}

#[test]
fn c5_2_only_what_stays_below_the_root_opens() {
    let tree = Tree::new("open");
    let root = tree.0.join("site");
    for (path, expected) in CASES {
        let found = open(&root, &safe(path)).ok().map(text);
        // The kernel and `follow` may differ in how, never in what leaks.
        if *path == "up/site/page" {
            assert!(found.is_none() || found.as_deref() == Some("page"), "{path}");
            continue;
        }
        assert_eq!(found.as_deref(), *expected, "{path}");
    }
}

#[test]
fn c5_2_the_portable_way_opens_the_same() {
    let tree = Tree::new("portable");
    let root = tree.0.join("site");
    let folder = rustix::fs::openat(CWD, &root, folder_flags(), Mode::empty()).expect("the root");
    for (path, expected) in CASES.iter().filter(|(path, _)| *path != "up/site/page") {
        let found = match by_component(&folder, Path::new(path)) {
            Ok(file) => Some(text(File::from(file))),
            Err(Errno::LOOP) => follow_by_component(&root, &folder, path),
            Err(_) => None,
        };
        assert_eq!(found.as_deref(), *expected, "{path}");
    }
}

fn follow_by_component(root: &Path, folder: &OwnedFd, path: &str) -> Option<String> {
    let target = root.join(path).canonicalize().ok()?;
    let inside = target.strip_prefix(root.canonicalize().ok()?).ok()?.to_path_buf();
    by_component(folder, &inside).ok().map(File::from).map(text)
}

#[test]
fn a_handlers_file_is_below_the_root_or_refused() {
    let root = Path::new("/srv/site");
    for (file, expected) in [
        ("/srv/site/a/b", Some("a/b")),
        ("a/b", Some("a/b")),
        ("./a", Some("a")),
        ("/srv/other", None),
        ("../x", None),
        ("/srv/site/../x", None),
        ("/srv/site", Some("")),
    ] {
        let found = below(root, Path::new(file));
        assert_eq!(
            found.as_ref().map(|path| path.as_path().to_str().expect("text")),
            expected,
            "{file}"
        );
    }
}
