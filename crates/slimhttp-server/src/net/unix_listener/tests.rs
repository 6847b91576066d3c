//! A socket's file: how it comes, whom it replaces, and how it goes.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use super::*;

#[test]
fn c10_1_a_socket_has_its_permissions() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.sock");
    for mode in [0o600, 0o666] {
        let (_socket, file) =
            bind(&path, &SocketFile { mode, ..SocketFile::default() }).expect("it is free");
        let found = fs::metadata(&path).expect("it is there");
        assert_eq!(found.permissions().mode() & 0o777, mode);
        assert!(UnixStream::connect(&path).is_ok());
        file.protect(&SocketFile { mode: 0o640, ..SocketFile::default() }).expect("it is ours");
        let found = fs::metadata(&path).expect("it is there");
        assert_eq!(found.permissions().mode() & 0o777, 0o640);
        file.remove();
        assert!(!path.exists());
    }
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0, "nothing is left");
}

#[test]
fn c10_1_a_socket_that_was_left_behind_is_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.sock");
    drop(UnixListener::bind(&path).expect("it is free"));
    let (_socket, file) = bind(&path, &SocketFile::default()).expect("nobody answers there");
    assert!(UnixStream::connect(&path).is_ok());
    // One that has taken the place since is not ours to remove.
    fs::remove_file(&path).expect("it is there");
    let _other = UnixListener::bind(&path).expect("it is free");
    file.remove();
    assert!(path.exists());
}

#[test]
fn c10_1_what_answers_or_is_no_socket_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.sock");
    let served = UnixListener::bind(&path).expect("it is free");
    let taken = bind(&path, &SocketFile::default()).expect_err("somebody answers");
    assert_eq!(taken.kind(), ErrorKind::AddrInUse);
    assert!(served.accept().is_ok(), "it is still the same");

    let file = folder.path().join("notes.txt");
    fs::write(&file, "mine").expect("a folder");
    let refused = bind(&file, &SocketFile::default()).expect_err("it is a file");
    assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
    assert_eq!(fs::read_to_string(&file).expect("it is there"), "mine");

    let nowhere = bind(&folder.path().join("no/a.sock"), &SocketFile::default());
    assert_eq!(nowhere.expect_err("no folder").kind(), ErrorKind::NotFound);
}

#[test]
fn c10_1_an_owner_that_the_system_does_not_know_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = SocketFile { owner: Some("nobody-of-that-name".into()), ..SocketFile::default() };
    let refused = bind(&folder.path().join("a.sock"), &file).expect_err("nobody");
    assert!(refused.to_string().contains("nobody-of-that-name"), "{refused}");
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0, "nothing is left");
}

#[test]
fn c10_1_a_server_whose_queue_is_full_answers_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.sock");
    let busy = Socket::new(Domain::UNIX, Type::STREAM, None).expect("a socket");
    busy.bind(&SockAddr::unix(&path).expect("it is short")).expect("it is free");
    busy.listen(0).expect("a socket");
    let mut waiting = Vec::new();
    let is_full = |client: &Socket| {
        client.set_nonblocking(true).expect("a socket");
        client.connect(&SockAddr::unix(&path).expect("it is short")).is_err()
    };
    loop {
        let client = Socket::new(Domain::UNIX, Type::STREAM, None).expect("a socket");
        if is_full(&client) {
            break;
        }
        waiting.push(client);
    }
    let taken = bind(&path, &SocketFile::default()).expect_err("it would wait for ever");
    assert_eq!(taken.kind(), ErrorKind::AddrInUse);
}

#[test]
fn c10_1_a_path_may_be_as_long_as_an_address() {
    let top = tempfile::tempdir().expect("a folder");
    let room = MAX_PATH - top.path().as_os_str().len() - 1;
    // All of the name, some of it, one byte.
    for of_file in [room, 9, 2, 1] {
        let folder = match room - of_file {
            0 => top.path().to_owned(),
            rest => top.path().join("f".repeat(rest - 1)),
        };
        fs::create_dir_all(&folder).expect("a folder");
        let path = folder.join("s".repeat(of_file));
        assert_eq!(path.as_os_str().len(), MAX_PATH);
        let (_socket, file) = bind(&path, &SocketFile::default()).expect("it is free");
        assert!(UnixStream::connect(&path).is_ok());
        file.remove();
        assert_eq!(
            fs::read_dir(&folder)
                .expect("a folder")
                .filter(|entry| { entry.as_ref().is_ok_and(|entry| !entry.path().is_dir()) })
                .count(),
            0
        );
    }
    let longer = top.path().join("s".repeat(room + 1));
    let refused = bind(&longer, &SocketFile::default()).expect_err("nobody could connect");
    assert!(refused.to_string().contains(&(MAX_PATH + 1).to_string()), "{refused}");
}

#[test]
fn c10_1_what_has_taken_the_place_of_a_socket_keeps_its_permissions() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, other) = (folder.path().join("a.sock"), folder.path().join("other"));
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    let (_socket, file) = bind(&path, &SocketFile::default()).expect("it is free");
    fs::remove_file(&path).expect("it is there");
    let open = SocketFile { mode: 0o666, ..SocketFile::default() };
    assert_eq!(file.protect(&open).expect_err("nothing is there").kind(), ErrorKind::NotFound);
    fs::write(&other, "").expect("a folder");
    fs::set_permissions(&other, fs::Permissions::from_mode(0o600)).expect("it is ours");
    std::os::unix::fs::symlink(&other, &path).expect("a folder");
    assert_eq!(file.protect(&open).expect_err("a link").kind(), ErrorKind::AlreadyExists);
    assert_eq!(mode(&other), 0o600);
    fs::remove_file(&path).expect("it is there");
    let _other = UnixListener::bind(&path).expect("it is free");
    let before = mode(&path);
    assert_eq!(file.protect(&open).expect_err("another").kind(), ErrorKind::AlreadyExists);
    assert_eq!(mode(&path), before);
}
