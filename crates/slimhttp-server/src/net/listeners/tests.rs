//! The listeners of a server, as they are opened and closed by changes.

use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use slimhttp_site::listener::SocketFile;
use socket2::SockRef;

use super::*;

fn listeners() -> Listeners {
    Listeners::new(Vec::new()).expect("there is nothing to look at")
}

fn at(address: &str, port: u16) -> Arc<Listener> {
    Arc::new(Listener::new(Endpoint::tcp(address, port), false))
}

fn unix(path: &Path) -> Arc<Listener> {
    Arc::new(Listener::new(Endpoint::Unix(path.into()), false))
}

fn handed_over(name: &str, socket: impl Into<OwnedFd>) -> InheritedSocket {
    InheritedSocket { name: name.into(), socket: socket.into() }
}

fn names(handed_over: &[InheritedSocket]) -> Vec<&str> {
    handed_over.iter().map(|socket| &*socket.name).collect()
}

/// Makes these the listeners.
#[track_caller]
fn replace(listeners: &Listeners, wanted: &[Arc<Listener>]) {
    let prepared = listeners.prepare(wanted).expect("they are free");
    listeners.replace(prepared).wait(Duration::from_secs(1));
}

#[test]
fn c10_1_what_stays_is_not_opened_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.sock");
    let listeners = listeners();
    replace(&listeners, &[at("127.0.0.1", 0), at("127.0.0.1", 0), unix(&path)]);
    let before = listeners.all();
    replace(&listeners, &[at("127.0.0.1", 0), unix(&path)]);
    let after = listeners.all();
    assert!(Arc::ptr_eq(&before[0], &after[0]) && Arc::ptr_eq(&before[2], &after[1]));
    assert!(TcpStream::connect(before[0].bound()[0]).is_ok());
    let closed = TcpStream::connect(before[1].bound()[0]).expect_err("it is closed");
    assert_eq!(closed.kind(), io::ErrorKind::ConnectionRefused);
    replace(&listeners, &[]);
    assert!(!path.exists());
    assert!(TcpStream::connect(before[0].bound()[0]).is_err());
}

#[test]
fn c10_1_a_change_that_fails_opens_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.sock");
    let (listeners, other) = (listeners(), listeners());
    replace(&other, &[at("127.0.0.1", 0)]);
    let taken = other.all()[0].bound()[0];
    replace(&listeners, &[at("127.0.0.1", 0)]);
    let before = listeners.all();
    let wanted = [unix(&path), at("127.0.0.1", taken.port()), at("127.0.0.1", 0)];
    let faults = listeners.prepare(&wanted).expect_err("one is taken");
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].cause.kind(), io::ErrorKind::AddrInUse);
    assert_eq!(faults[0].listener, wanted[1]);
    assert!(!path.exists(), "what was opened for it is closed");
    assert!(Arc::ptr_eq(&before[0], &listeners.all()[0]));
}

#[test]
fn c10_1_a_change_that_fails_leaves_permissions_as_they_were() {
    let folder = tempfile::tempdir().expect("a folder");
    let paths = ["a.sock", "b.sock"].map(|name| folder.path().join(name));
    let mode = |path: &Path| {
        let found = std::fs::metadata(path).expect("it is there");
        found.permissions().mode() & 0o777
    };
    let file = |path: &Path, mode, owner: Option<&str>| {
        let socket_file = SocketFile { mode, owner: owner.map(Into::into), group: None };
        Arc::new(Listener { socket_file, ..Listener::clone(&unix(path)) })
    };
    let listeners = listeners();
    replace(&listeners, &[unix(&paths[0]), unix(&paths[1])]);
    let nobody = "nobody-of-that-name";
    let wanted = [file(&paths[0], 0o666, None), file(&paths[1], 0o600, Some(nobody))];
    let faults = listeners.prepare(&wanted).expect_err("there is no such user");
    assert_eq!(faults[0].listener, wanted[1]);
    assert_eq!(paths.each_ref().map(|path| mode(path)), [0o660, 0o660]);
    // What comes behind it may fail too.
    let wanted = [file(&paths[0], 0o666, None), file(&paths[1], 0o600, None)];
    let prepared = listeners.prepare(&wanted).expect("they are ours");
    assert_eq!(paths.each_ref().map(|path| mode(path)), [0o666, 0o600]);
    drop(prepared);
    assert_eq!(paths.each_ref().map(|path| mode(path)), [0o660, 0o660]);
    replace(&listeners, &wanted);
    assert_eq!(paths.each_ref().map(|path| mode(path)), [0o666, 0o600]);
}

#[test]
fn c10_1_how_connections_begin_changes_without_a_new_socket() {
    let listeners = listeners();
    replace(&listeners, &[at("127.0.0.1", 0)]);
    let open = listeners.all().remove(0);
    let port = open.bound()[0].port();
    assert_eq!(open.url(), format!("http://127.0.0.1:{port}"));
    let tls = Arc::new(Listener { tls: true, ..Listener::clone(&open.rules()) });
    replace(&listeners, &[tls]);
    assert!(Arc::ptr_eq(&open, &listeners.all()[0]));
    assert_eq!(open.url(), format!("https://127.0.0.1:{port}"));
}

#[test]
fn c10_1_a_listener_closes_when_nobody_accepts_from_it() {
    let listeners = listeners();
    replace(&listeners, &[at("127.0.0.1", 0)]);
    let (open, descriptors) = listeners.begin_accepting().remove(0);
    assert!(listeners.begin_accepting().is_empty(), "somebody does");
    let address = open.bound()[0];
    let closing = listeners.replace(listeners.prepare(&[]).expect("nothing is opened"));
    closing.wait(Duration::ZERO);
    assert!(TcpStream::connect(address).is_ok(), "its task has not ended");
    drop(descriptors);
    open.end_accepting();
    closing.wait(Duration::from_secs(1));
    assert!(TcpStream::connect(address).is_err());
}

#[cfg(target_os = "linux")]
#[test]
fn c10_1_a_socket_that_closes_takes_no_further_handshakes() {
    let listeners = listeners();
    replace(&listeners, &[at("127.0.0.1", 0)]);
    let open = listeners.all().remove(0);
    let before = TcpStream::connect(open.bound()[0]).expect("it listens");
    let sockets = open.tcp_sockets();
    assert!(open.refuse_handshakes(SockRef::from(&sockets[0])));
    let late = TcpStream::connect_timeout(&open.bound()[0], Duration::from_millis(50));
    assert_eq!(late.expect_err("nobody answers").kind(), io::ErrorKind::TimedOut);
    // Who has connected before is accepted.
    let (_, peer) = sockets[0].accept().expect("it waits");
    assert_eq!(peer, before.local_addr().expect("an address"));
}

#[test]
fn c10_1_what_is_handed_over_is_not_closed_for_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.sock");
    let old = listeners();
    replace(&old, &[at("127.0.0.1", 0), unix(&path)]);
    let address = old.all()[0].bound()[0];
    let handed_over = old.hand_over().expect("there are descriptors");
    let names: Vec<_> = handed_over.iter().map(|socket| socket.name.clone()).collect();
    assert_eq!(names, ["127.0.0.1:0".to_owned(), format!("unix:{}", path.display())]);

    let new = Listeners::new(handed_over).expect("they listen");
    replace(&new, &[at("127.0.0.1", 0), unix(&path)]);
    old.close();
    assert_eq!(new.all()[0].bound()[0], address);
    assert!(TcpStream::connect(address).is_ok());
    assert!(path.exists());
    // The file is the successor's now.
    new.own();
    new.close();
    assert!(!path.exists());
}

#[test]
fn c10_1_a_successor_that_fails_closes_nothing_for_the_one_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.sock");
    let (old, other) = (listeners(), listeners());
    replace(&old, &[unix(&path)]);
    replace(&other, &[at("127.0.0.1", 0)]);
    let taken = other.all()[0].bound()[0].port();
    let new = Listeners::new(old.hand_over().expect("there are descriptors")).expect("they listen");
    let faults = new.prepare(&[unix(&path), at("127.0.0.1", taken)]).expect_err("one is taken");
    assert_eq!(faults.len(), 1);
    assert!(path.exists());
    old.keep();
    std::os::unix::net::UnixStream::connect(&path).expect("it listens");
    old.close();
    assert!(!path.exists());
}

#[test]
fn c10_1_what_a_manager_has_opened_stays_its_own_from_process_to_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.sock");
    let socket = std::os::unix::net::UnixListener::bind(&path).expect("it is free");
    let inherited = vec![InheritedSocket { name: "web.socket".into(), socket: socket.into() }];
    let first = Listeners::new(inherited).expect("it listens");
    replace(&first, &[unix(&path)]);
    let handed_over = first.hand_over().expect("there are descriptors");
    assert_eq!(handed_over[0].name, "web.socket");
    let second = Listeners::new(handed_over).expect("it listens");
    replace(&second, &[unix(&path)]);
    first.close();
    second.own();
    second.close();
    assert!(path.exists());
}

#[test]
fn c10_1_a_name_that_was_not_handed_over_is_a_fault_that_says_which_were() {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let inherited = vec![InheritedSocket { name: "web".into(), socket: socket.into() }];
    let listeners = Listeners::new(inherited).expect("it listens");
    let wanted = Arc::new(Listener::new(Endpoint::Inherited("wep".into()), false));
    let faults = listeners.prepare(&[wanted]).expect_err("there is none");
    assert_eq!(
        faults[0].cause.to_string(),
        "no socket `wep` was handed over to this process, but web"
    );
}

#[test]
fn c10_1_the_file_goes_with_a_listener_from_which_nobody_accepts_any_more() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.sock");
    let listeners = listeners();
    replace(&listeners, &[unix(&path)]);
    let (open, descriptors) = listeners.begin_accepting().remove(0);
    // The end of the server: its I/O thread may be the first to hear of it.
    drop(descriptors);
    open.end_accepting();
    listeners.close();
    assert!(!path.exists());
    assert!(open.hand_over().expect("there are none").is_empty());
}

#[test]
fn c10_1_what_is_handed_over_is_closed_as_soon_as_nobody_accepts() {
    let listeners = listeners();
    replace(&listeners, &[at("127.0.0.1", 0)]);
    let (open, descriptors) = listeners.begin_accepting().remove(0);
    drop(listeners.hand_over().expect("there are descriptors"));
    drop(descriptors);
    open.end_accepting();
    assert!(TcpStream::connect(open.bound()[0]).is_err());
}

#[test]
fn c10_1_a_change_opens_nothing_once_nobody_accepts() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.sock");
    let listeners = listeners();
    replace(&listeners, &[at("127.0.0.1", 0)]);
    let before = listeners.all();
    // Another process has taken over while a change was made, and one is made after that.
    let prepared = listeners.prepare(&[at("127.0.0.1", 0), unix(&path)]).expect("it is free");
    listeners.open_no_more();
    listeners.replace(prepared).wait(Duration::ZERO);
    assert!(!path.exists());
    replace(&listeners, &[at("127.0.0.1", 0), unix(&path)]);
    assert!(!path.exists());
    assert!(Arc::ptr_eq(&before[0], &listeners.all()[0]));
    assert_eq!(listeners.all().len(), 1);
    assert!(TcpStream::connect(before[0].bound()[0]).is_ok(), "it is the other process's too");
    // It has ended.
    listeners.close();
    replace(&listeners, &[at("127.0.0.1", 0), unix(&path)]);
    assert!(!path.exists());
    assert!(TcpStream::connect(before[0].bound()[0]).is_err());
}

#[test]
fn c10_1_listeners_of_one_port_come_in_one_change() {
    for wanted in [["", "127.0.0.1"], ["127.0.0.1", ""]] {
        let free = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let listeners = listeners();
        replace(&listeners, &wanted.map(|address| at(address, port)));
        let client = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
        let all = listeners.all();
        let specific = all.iter().find(|open| open.bound()[0].is_ipv4()).expect("it is open");
        let (_, peer) = specific.tcp_sockets()[0].accept().expect("somebody has connected");
        assert_eq!(peer, client.local_addr().expect("an address"));
    }
}

#[test]
fn c10_1_a_change_that_fails_leaves_what_a_manager_has_opened() {
    let socket = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = socket.local_addr().expect("an address").port();
    let other = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let taken = at("127.0.0.1", other.local_addr().expect("an address").port());
    let _manager = socket.try_clone().expect("there are descriptors");
    let listeners = Listeners::new(vec![handed_over("web", socket)]).expect("it listens");
    listeners.prepare(&[at("127.0.0.1", port), taken]).expect_err("one is taken");
    // As often as it comes and goes.
    for _ in 0..2 {
        replace(&listeners, &[at("127.0.0.1", port)]);
        assert_eq!(listeners.all()[0].bound()[0].port(), port);
        replace(&listeners, &[]);
    }
}

#[test]
fn c10_1_what_is_handed_over_comes_once_and_the_first_listener_first() {
    let sockets = [(); 3].map(|()| TcpListener::bind(("127.0.0.1", 0)).expect("a free port"));
    let ports = sockets.each_ref().map(|socket| socket.local_addr().expect("is bound").port());
    let inherited = ["spare", "web", "web"].into_iter().zip(sockets);
    let inherited = inherited.map(|(name, socket)| handed_over(name, socket)).collect();
    let listeners = Listeners::new(inherited).expect("they listen");
    let web = Arc::new(Listener::new(Endpoint::Inherited("web".into()), false));
    replace(&listeners, &[at("127.0.0.1", 0), web]);
    let all = listeners.hand_over().expect("there are descriptors");
    assert_eq!(names(&all), ["127.0.0.1:0", "web", "web", "spare"]);
    // By its address it is the same one.
    replace(&listeners, &[at("127.0.0.1", ports[2]), at("127.0.0.1", 0)]);
    let all = listeners.hand_over().expect("there are descriptors");
    assert_eq!(names(&all), ["web", "127.0.0.1:0", "spare", "web"]);
}

#[test]
fn c10_1_the_file_of_what_is_closed_meanwhile_goes_with_the_successor_that_fails() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.sock");
    let listeners = listeners();
    replace(&listeners, &[unix(&path)]);
    drop(listeners.hand_over().expect("there are descriptors"));
    replace(&listeners, &[]);
    assert!(path.exists(), "the successor may serve it");
    listeners.keep();
    assert!(!path.exists());
    // The same where the server ends.
    replace(&listeners, &[unix(&path)]);
    drop(listeners.hand_over().expect("there are descriptors"));
    listeners.close();
    assert!(path.exists());
    listeners.keep();
    assert!(!path.exists());
}

#[test]
fn c10_1_permissions_are_what_the_successor_has_read_once_it_is_let_go() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.sock");
    let mode = || std::fs::metadata(&path).expect("it is there").permissions().mode() & 0o777;
    let old = listeners();
    replace(&old, &[unix(&path)]);
    let new = Listeners::new(old.hand_over().expect("there are descriptors")).expect("they listen");
    let socket_file = SocketFile { mode: 0o600, ..SocketFile::default() };
    replace(&new, &[Arc::new(Listener { socket_file, ..Listener::clone(&unix(&path)) })]);
    assert_eq!(mode(), 0o660, "the one before may go on");
    new.own();
    assert_eq!(mode(), 0o600);
}

#[test]
fn c10_1_the_file_goes_of_a_socket_that_the_successor_has_no_listener_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.sock");
    let old = listeners();
    replace(&old, &[at("127.0.0.1", 0), unix(&path)]);
    let new = Listeners::new(old.hand_over().expect("there are descriptors")).expect("they listen");
    replace(&new, &[at("127.0.0.1", 0)]);
    new.discard_inherited();
    assert!(path.exists(), "the one before may go on");
    new.own();
    old.close();
    assert!(!path.exists());
}
