//! A root is the folder that stands at its path now, not the one that stood there.

use std::io::Read;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;

/// The folder of one test, with sites in it.
struct Sites(TempDir);

impl Sites {
    fn new() -> Self {
        Self(TempDir::new().expect("a folder"))
    }

    fn site(&self, name: &str, page: &str) -> PathBuf {
        let folder = self.0.path().join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join(page), format!("{page} of {name}")).expect("a file");
        folder
    }
}

fn read(roots: &RootCache, folder: &Path, page: &str) -> Option<String> {
    let path = SafePath::root().join(page).expect("a plain name");
    let (_, mut opened) = roots.open(folder, &path, FollowSymlinks::Inside).ok()?;
    let mut text = String::new();
    opened.file.read_to_string(&mut text).expect("readable");
    Some(text)
}

#[test]
fn what_is_opened_is_as_old_as_the_last_look_at_its_root() {
    let folders = Sites::new();
    let sites = [folders.site("a", "page"), folders.site("b", "page")];
    let current = folders.0.path().join("current");
    symlink(&sites[0], &current).expect("a link");
    let roots = RootCache::new(OpenMethod::available());
    let page = SafePath::root().join("page").expect("a plain name");
    for turn in 1..20 {
        roots.get(&current).expect("opened");
        std::fs::remove_file(&current).expect("removed");
        symlink(&sites[turn % 2], &current).expect("a link");
        let switched = Instant::now();
        let (seen, mut opened) =
            roots.open(&current, &page, FollowSymlinks::Inside).expect("it is there");
        let mut text = String::new();
        opened.file.read_to_string(&mut text).expect("readable");
        let is_new = text == format!("page of {}", ["a", "b"][turn % 2]);
        assert!(is_new || seen < switched, "it was the root before the switch");
        expire(&roots, &current);
    }
}

/// Makes what is cached for `path` too old to be used unchecked.
fn expire(roots: &RootCache, path: &Path) {
    let mut cached = roots.cache.get(path).expect("it is cached");
    cached.checked_at -= FRESH_FOR;
    roots.cache.insert(path.into(), cached);
}

#[test]
fn a_handle_is_cached() {
    let folders = Sites::new();
    let folder = folders.site("a", "page");
    let roots = RootCache::new(OpenMethod::available());
    let first = roots.get(&folder).expect("opened");
    assert!(Arc::ptr_eq(&first, &roots.get(&folder).expect("opened")));
    expire(&roots, &folder);
    assert!(Arc::ptr_eq(&first, &roots.get(&folder).expect("opened")), "it is the same folder");
    assert!(roots.successor(&first).is_none());
    assert!(!Arc::ptr_eq(&first, &roots.new_empty().get(&folder).expect("opened")));
}

#[test]
fn c5_1_a_folder_made_anew_is_seen_at_once() {
    let folders = Sites::new();
    let folder = folders.site("dist", "old");
    let roots = RootCache::new(OpenMethod::available());
    for _ in 0..3 {
        assert_eq!(read(&roots, &folder, "old").as_deref(), Some("old of dist"));
        std::fs::remove_dir_all(&folder).expect("removed");
        assert_eq!(read(&roots, &folder, "old"), None);
        folders.site("dist", "new");
        assert_eq!(read(&roots, &folder, "new").as_deref(), Some("new of dist"));
        assert_eq!(read(&roots, &folder, "old"), None);
        std::fs::remove_dir_all(&folder).expect("removed");
        folders.site("dist", "old");
    }
}

#[test]
fn c5_1_a_link_that_is_switched_leads_to_its_new_folder() {
    let folders = Sites::new();
    let (a, b) = (folders.site("a", "page"), folders.site("b", "page"));
    std::fs::write(b.join("only"), "b").expect("a file");
    let current = folders.0.path().join("current");
    let roots = RootCache::new(OpenMethod::available());
    let switch = |target: &Path| {
        let _ = std::fs::remove_file(&current);
        symlink(target, &current).expect("a link");
    };
    assert_eq!(read(&roots, &current, "page"), None, "there is no root yet");
    switch(&a);
    assert_eq!(read(&roots, &current, "page").as_deref(), Some("page of a"), "now there is");
    switch(&b);
    expire(&roots, &current);
    assert_eq!(read(&roots, &current, "page").as_deref(), Some("page of b"));
    switch(&a);
    expire(&roots, &current);
    assert_eq!(read(&roots, &current, "only"), None);
    switch(&b);
    assert_eq!(read(&roots, &current, "only").as_deref(), Some("b"), "at once where it matters");
}

#[test]
fn what_leads_to_no_folder_is_not_found() {
    let folders = Sites::new();
    let folder = folders.site("a", "page");
    symlink("circle", folders.0.path().join("circle")).expect("a link");
    let roots = RootCache::new(OpenMethod::available());
    for path in [folder.join("page"), folder.join("missing"), folders.0.path().join("circle")] {
        let error = roots.get(&path).expect_err("no folder");
        assert_eq!(error.kind(), io::ErrorKind::NotFound, "{}", path.display());
    }
    assert_eq!(roots.cache.len(), 0);
}

#[test]
fn only_so_many_handles_are_cached() {
    let folders = Sites::new();
    let roots = RootCache::new(OpenMethod::available());
    for number in 0..MAX_ROOTS + 100 {
        let folder = folders.0.path().join(number.to_string());
        std::fs::create_dir(&folder).expect("a folder");
        roots.get(&folder).expect("opened");
    }
    // Each part of the table rounds its share up.
    assert!(roots.cache.len() <= MAX_ROOTS + 64, "{}", roots.cache.len());
}
