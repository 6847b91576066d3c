//! What may change behind a page is counted once; what is watched is bounded.

use std::fs;

use slimhttp_site::config::Config;
use slimhttp_site::value::Table;

use super::*;
use crate::live::testing;

/// What is done to a file after it has been added, and whether that is a change.
#[test]
fn a_change_is_counted_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let (file, missing, within) = (folder.join("a"), folder.join("b"), folder.join("a/index"));
    fs::write(&file, "one").expect("a file");
    let mut files = WatchedFiles::default();
    for path in [&*file, &missing, &within, folder] {
        files.add(path.to_owned());
    }
    let mut check = |expected: u64, what: &str, change: &dyn Fn() -> std::io::Result<()>| {
        change().expect("the change");
        files.check();
        files.check();
        files.add(file.clone());
        assert_eq!(files.changes, expected, "{what}");
    };
    check(0, "nothing", &|| Ok(()));
    check(0, "another file of the folder", &|| fs::write(folder.join("c"), "new"));
    check(1, "written", &|| fs::write(&file, "other"));
    check(2, "it comes", &|| fs::write(&missing, "there"));
    check(3, "it goes", &|| fs::remove_file(&missing));
    check(4, "another one moved over it", &|| fs::rename(folder.join("c"), &file));
    fs::write(&file, "once more").expect("a file");
    files.add(file.clone());
    assert_eq!(files.changes, 5, "seen when it is answered again");
}

#[test]
fn the_oldest_files_go_first() {
    let mut files = WatchedFiles::default();
    for number in 0..=MAX_FILES {
        files.add(format!("/nowhere/{number}").into());
    }
    assert_eq!(files.files.len(), MAX_FILES);
    assert_eq!(files.files[0].0, Path::new("/nowhere/1"));
}

#[test]
fn mounts_that_are_gone_are_forgotten_in_the_end() {
    let mounts = |prefix: &str| {
        let mounts = Table::unit(prefix.into(), Table::new().into());
        Config::new(Table::unit("mounts".into(), mounts.into()))
    };
    let live = testing::live(false, mounts("/0"));
    let mut files = WatchedFiles::default();
    let see = |files: &mut WatchedFiles| {
        let snapshot = live.current();
        let host = &snapshot.site.global;
        let mount = host.mounts.iter().next().expect("a mount");
        files.set_options(host, mount);
        files.changes
    };
    assert_eq!(see(&mut files), 0);
    // One that is gone and comes back is a change each time.
    for (prefix, changes) in [("/1", 1), ("/0", 3)] {
        live.update(|draft| draft.config = mounts(prefix)).expect("is valid");
        assert_eq!(see(&mut files), changes, "{prefix}");
    }
    for number in 2..MAX_MOUNTS + 9 {
        live.update(|draft| draft.config = mounts(&format!("/{number}"))).expect("is valid");
        see(&mut files);
    }
    assert!(files.options.len() <= MAX_MOUNTS, "{}", files.options.len());
}
