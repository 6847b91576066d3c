//! Why a path is not there, and what follows from it for other paths.

use std::fs;
use std::time::Duration;

use tempfile::TempDir;

use super::*;

/// The folder of one test, with folders below each other and a file.
fn folder() -> TempDir {
    let folder = TempDir::new().expect("a folder");
    fs::create_dir_all(folder.path().join("a/b/c/d")).expect("folders");
    fs::write(folder.path().join("a/file"), "text").expect("a file");
    folder
}

fn path(text: &str) -> SafePath {
    SafePath::of_names(text.as_bytes()).expect("plain names")
}

#[test]
fn the_uppermost_missing_folder_is_found() {
    let folder = folder();
    for (asked, missing) in [
        ("x", None),
        ("a/x", None),
        ("a/b/c/d/x", None),
        ("x/y", Some("x")),
        ("x/y/z", Some("x")),
        ("a/x/y", Some("a/x")),
        ("a/b/x/y/z", Some("a/b/x")),
        ("a/b/c/x/y/z/1/2/3/4/5", Some("a/b/c/x")),
        ("a/b/c/d/x/y", Some("a/b/c/d/x")),
        ("x/1/2/3/4/5/6/7/8/9", Some("x")),
        // A file is there, and nothing is below it.
        ("a/file/x", None),
        ("a/file/x/y", Some("a/file/x")),
    ] {
        let absence = Absence::of(folder.path(), &path(asked), SystemTime::now());
        assert_eq!(absence.missing_folder, missing.map(str::len), "{asked}");
        assert!(!absence.stable, "{asked}: what is nearest was made just now");
        let later = SystemTime::now() + Duration::from_secs(10);
        assert!(Absence::of(folder.path(), &path(asked), later).stable, "{asked}");
    }
    // Of a root that is not there nothing is known.
    let nowhere = Absence::of(&folder.path().join("gone"), &path("x/y"), SystemTime::now());
    assert!(!nowhere.stable);
}

#[test]
fn what_lies_in_a_missing_folder_is_not_looked_up() {
    let mut budget = LookupBudget::default();
    assert!(!budget.knows_missing(&path("a/x")));
    budget.record(&path("a/x/y"), &Absence { missing_folder: Some(3), stable: true });
    for (asked, lacks) in
        [("a/x", true), ("a/x/y", true), ("a/x/z/1", true), ("a", false), ("a/xx/y", false)]
    {
        assert_eq!(budget.knows_missing(&path(asked)), lacks, "{asked}");
    }
    // That a file is missing says nothing of others.
    budget.record(&path("b/c"), &Absence { missing_folder: None, stable: true });
    assert!(budget.knows_missing(&path("a/x")) && !budget.knows_missing(&path("b/c")));
    budget.enter_root();
    assert!(!budget.knows_missing(&path("a/x/y")));
}

/// Each of two thousand folders was looked at, by a path of four kilobytes.
#[test]
fn a_deep_path_is_looked_up_a_few_times() {
    let folder = folder();
    let facts = stat(folder.path()).map(Facts::from);
    let deep = path(&"a/".repeat(2000));
    for (there, most) in [(0, 3), (1, 14), (3, 14), (1000, 14), (1998, 14), (1999, 1)] {
        let mut looks = 0;
        let look = |folder: &Path| {
            looks += 1;
            if folder.iter().count() <= there { facts } else { Err(Errno::NOENT) }
        };
        let absence = Absence::probe(look, &deep, SystemTime::now());
        let missing = (there < 1999).then_some(there * 2 + 1);
        assert_eq!(absence.missing_folder, missing, "{there}");
        assert!(looks <= most, "{looks} looks at {there}");
    }
}

#[tokio::test]
async fn others_have_their_turn_meanwhile() {
    let mut budget = LookupBudget::default();
    let other = tokio::spawn(async {});
    for _ in 1..YIELD_EVERY {
        budget.count().await;
    }
    assert!(!other.is_finished());
    budget.count().await;
    assert!(other.is_finished());
}
