//! What changes an identity, and what a kind is.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;

use super::*;

#[test]
fn an_edit_of_the_same_length_makes_another_identity() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("file");
    std::fs::write(&path, "one").expect("a file");
    let file = File::open(&path).expect("readable");
    let before = Facts::of(&file).expect("facts");
    assert_eq!(before, Facts::of(&file).expect("facts"), "looking changes nothing");
    assert!(before.is_file() && !before.is_folder() && !before.is_link());
    assert_eq!(before.length(), 3);
    // The clock of a file system is coarse: the edit is made anew until it shows.
    let mut after = before;
    while after.identity() == before.identity() {
        let mut writer = OpenOptions::new().write(true).open(&path).expect("writable");
        writer.write_all(b"two").expect("written");
        after = Facts::of(&file).expect("facts");
    }
    assert_eq!(after.identity().inode, before.identity().inode);
    assert!(after.identity().changed > before.identity().changed);

    assert!(!after.is_executable());
    file.set_permissions(PermissionsExt::from_mode(0o755)).expect("chmod");
    assert!(Facts::of(&file).expect("facts").is_executable());
    let folder = File::open(folder.path()).expect("a folder");
    assert!(Facts::of(&folder).expect("facts").is_folder());
}

#[test]
fn times_before_1970_are_negative() {
    for (seconds, nanoseconds, expected) in
        [(0, 0, 0), (1, 5, 1_000_000_005), (-1, 999_999_999, -1)]
    {
        assert_eq!(Time { seconds, nanoseconds }.as_nanoseconds(), expected);
    }
}
