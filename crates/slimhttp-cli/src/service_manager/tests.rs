//! Who is told, and what.

use std::time::Instant;

use super::*;

/// A service manager that reads what it is told, at a path; the folder goes with it.
fn manager(watchdog: Option<Duration>) -> (Arc<ServiceManager>, UnixDatagram, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a free name");
    socket.set_read_timeout(Some(Duration::from_secs(30))).expect("is a socket");
    let address = address(path.as_os_str());
    (Arc::new(ServiceManager { address, watchdog, ..ServiceManager::default() }), socket, folder)
}

fn read(socket: &UnixDatagram) -> String {
    let mut notice = [0; 1000];
    let length = socket.recv(&mut notice).expect("a notice");
    String::from_utf8(notice[..length].to_vec()).expect("text")
}

#[test]
fn each_notice_is_a_datagram() {
    let (manager, socket, _folder) = manager(None);
    manager.ready("serves a\nand b");
    assert_eq!(read(&socket), "READY=1\nSTATUS=serves a and b");
    manager.stopping();
    assert_eq!(read(&socket), "STOPPING=1\nSTATUS=stopping");
    let before = clock_gettime(ClockId::Monotonic).tv_sec;
    manager.reloading("again");
    let notice = read(&socket);
    let lines: Vec<_> = notice.lines().collect();
    assert_eq!((lines[0], lines[2]), ("RELOADING=1", "STATUS=again"));
    let time = lines[1].strip_prefix("MONOTONIC_USEC=").expect("a time");
    let seconds = time.parse::<i64>().expect("a number") / 1_000_000;
    assert!((before..=before + 60).contains(&seconds), "{seconds} after {before}");
}

#[test]
fn who_is_replaced_says_nothing_more() {
    let (manager, socket, _folder) = manager(None);
    manager.replaced_by(42);
    manager.stopping();
    manager.ready("");
    assert_eq!(read(&socket), "MAINPID=42");
    socket.set_nonblocking(true).expect("is a socket");
    assert!(socket.recv(&mut [0; 10]).is_err());
}

#[test]
fn nobody_is_told_where_nobody_listens() {
    let (manager, socket, _folder) = manager(None);
    drop(socket);
    manager.ready("");
    ServiceManager::default().ready("");
}

#[test]
fn who_does_not_read_holds_nothing_up_for_long() {
    let (manager, _socket, _folder) = manager(None);
    let begin = Instant::now();
    // Until the queue of the socket is full, and once more.
    for _ in 0..10_000 {
        manager.ready("");
        if begin.elapsed() >= SEND_TIMEOUT {
            break;
        }
    }
    assert!(begin.elapsed() < 30 * SEND_TIMEOUT, "{:?}", begin.elapsed());
}

#[test]
fn an_address_is_a_path_or_a_name() {
    let pathname = |text: &str| {
        let address = address(OsStr::new(text))?;
        Some(address.as_pathname().map(|path| path.to_owned()))
    };
    assert_eq!(pathname("/run/notify"), Some(Some("/run/notify".into())));
    #[cfg(target_os = "linux")]
    assert_eq!(pathname("@notify"), Some(None));
    for unknown in ["", "notify", "vsock:2:1234"] {
        assert_eq!(pathname(unknown), None, "{unknown}");
    }
    assert_eq!(pathname(&format!("/{}", "x".repeat(200))), None, "longer than an address may be");
}

#[test]
fn a_watchdog_is_for_one_process_or_for_whoever_reads_of_it() {
    let text = |text: &str| Some(text.to_owned());
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    for (time, of, expected) in [
        (text("2000000"), None, seconds(2)),
        (text("2000000"), text("7"), seconds(2)),
        (text("2000000"), text("8"), None),
        (text("2000000"), text(""), None),
        (text("0"), None, None),
        (text("soon"), None, None),
        (None, text("7"), None),
    ] {
        assert_eq!(watchdog(time.clone(), of.clone(), 7), expected, "{time:?} {of:?}");
    }
}

#[test]
fn the_watchdog_hears_for_as_long_as_the_process_goes_on() {
    let (manager, socket, _folder) = manager(Some(Duration::from_millis(20)));
    let goes_on = Arc::new(AtomicBool::new(true));
    let shown = goes_on.clone();
    let watchdog = manager.watch_by(move |time| {
        assert_eq!(time, LEAST_PULSE, "no shorter than an I/O thread may take");
        shown.load(Ordering::Acquire)
    });
    let watchdog = watchdog.expect("a thread").expect("it wants to know");
    for _ in 0..3 {
        assert_eq!(read(&socket), "WATCHDOG=1");
    }
    goes_on.store(false, Ordering::Release);
    socket.set_read_timeout(Some(Duration::from_millis(200))).expect("is a socket");
    // What was sent before that is still there.
    while socket.recv(&mut [0; 100]).is_ok() {}
    goes_on.store(true, Ordering::Release);
    socket.set_read_timeout(Some(Duration::from_secs(30))).expect("is a socket");
    assert_eq!(read(&socket), "WATCHDOG=1");
    drop(watchdog);
}

#[test]
fn no_watchdog_no_thread() {
    let (silent, _socket, _folder) = manager(None);
    assert!(silent.watch_by(|_| true).expect("no thread is needed").is_none());
    let nobody = ServiceManager { watchdog: Some(Duration::from_secs(1)), ..Default::default() };
    assert!(Arc::new(nobody).watch_by(|_| true).expect("no thread is needed").is_none());
}
