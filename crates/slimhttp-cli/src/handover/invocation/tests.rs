//! Where a program lies that was called by some name.

use std::os::unix::fs::symlink;

use super::*;

#[test]
fn a_program_is_where_its_name_leads() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    for name in ["bin", "old", "other"] {
        std::fs::create_dir(at(name)).expect("is new");
        std::fs::write(at(name).join("slimhttp"), name).expect("is new");
    }
    symlink(at("old/slimhttp"), at("link")).expect("is new");
    let own = at("old/slimhttp");
    let path =
        |names: &[&str]| Some(std::env::join_paths(names.iter().map(|it| at(it))).expect("one"));
    for (called, path, expected) in [
        // A link is kept: it is what an upgrade changes.
        (at("link").into_os_string(), None, at("link")),
        ("./link".into(), None, at("./link")),
        ("old/slimhttp".into(), None, at("old/slimhttp")),
        ("slimhttp".into(), path(&["nowhere", "old"]), at("old/slimhttp")),
        // What is found there is another program.
        ("slimhttp".into(), path(&["bin"]), own.clone()),
        ("slimhttp".into(), path(&["bin", "old"]), at("old/slimhttp")),
        ("other/slimhttp".into(), None, own.clone()),
        // Whoever starts a program calls it what they like.
        ("-sh".into(), path(&["bin"]), own.clone()),
        ("".into(), None, own.clone()),
    ] {
        let found = program(&called, folder.path(), path.as_deref(), own.clone());
        assert_eq!(found, expected, "{called:?}");
    }
}

#[test]
fn another_command_keeps_the_folder_and_the_environment() {
    let own = Invocation::of_this_process();
    let other = own.clone().with_command(["bin/other".into(), "--flag".into()]);
    assert_eq!(other.program, own.folder.join("bin/other"));
    assert_eq!(other.arguments, ["--flag"]);
    assert_eq!((other.folder, other.environment), (own.folder, own.environment));
    let absolute = Invocation::of_this_process().with_command(["/bin/other".into()]);
    assert_eq!(absolute.program, Path::new("/bin/other"));
}
