//! What is watched.

use super::*;
use crate::document::Document;

#[test]
fn the_folders_of_every_application_are_watched() {
    for (text, expected) in [
        ("web_root = 'a'", &[][..]),
        ("app = 'a:b'", &["/base"]),
        ("app = 'a:b'\napp_dir = 'src'", &["/base/src"]),
        ("app = 'a:b'\napp_dir = '/src'", &["/src"]),
        (
            "[mounts.'/x']\napp = 'a:b'\napp_dir = 'x'\n[mounts.'/y']\napp = 'c:d'",
            &["/base/x", "/base"],
        ),
        ("app_dir = 'src'\n[vhosts.a.mounts.'/x']\napp = 'a:b'", &["/base/src"]),
        ("app = 'a:b'\n[vhosts.a]\napp = 'c:d'", &["/base"]),
    ] {
        let document = Document::parse(Path::new("site.toml"), text.to_owned()).expect("TOML");
        let mut folders = Vec::new();
        application_folders(document.config.root(), Path::new("/base"), None, &mut folders);
        assert_eq!(folders, expected.iter().map(PathBuf::from).collect::<Vec<_>>(), "{text}");
    }
}

#[test]
fn flags_name_other_folders_and_more_files() {
    let mut flags = ReloadFlags::default();
    let (folders, files) = (vec![PathBuf::from("/app")], vec![PathBuf::from("/site.toml")]);
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert_eq!(flags.read(here, folders.clone(), files.clone()), Ok(None));
    flags.reload = true;
    let read = |flags: &ReloadFlags| flags.read(here, folders.clone(), files.clone());
    let usual = read(&flags).expect("folders").expect("watching");
    assert_eq!((&usual.folders, &usual.files), (&folders, &files));
    assert_eq!(usual.includes, ["*.py"]);
    flags.reload_dir = vec!["src".into(), "/".into()];
    flags.reload_include = vec!["*.html".into()];
    flags.reload_exclude = vec!["build".into()];
    let named = read(&flags).expect("folders").expect("watching");
    assert_eq!(named.folders, [here.join("src"), PathBuf::from("/")]);
    assert_eq!(
        (named.includes, named.excludes),
        (vec!["*.py".to_owned(), "*.html".into()], vec!["build".to_owned()])
    );
    for (folder, expected) in [("no_such", "No such file"), ("Cargo.toml", "expected a folder")] {
        flags.reload_dir = vec![folder.into()];
        let said = read(&flags).expect_err(folder);
        assert!(said.starts_with("--reload-dir: ") && said.contains(expected), "{said}");
    }
}
