//! Successors that are shells.

use super::*;

const PATIENCE: Duration = Duration::from_secs(30);

/// What a shell does as a successor; `$LISTEN_FDS_FIRST_FD` is its end of the channel.
fn successor(script: &str) -> Successor {
    let invocation =
        Invocation::of_this_process().with_command(["/bin/sh", "-c", script].map(Into::into));
    Successor::start(&invocation, &[]).expect("there is a shell")
}

#[test]
fn one_that_ends_has_failed() {
    for (script, expected) in [
        ("exit 3", "it ended with status 3 before it served"),
        ("kill -9 $$", "it ended by signal 9 before it served"),
        ("exit 0", "it ended with status 0 before it served"),
    ] {
        let progress = successor(script).wait(PATIENCE);
        assert_eq!(progress, Progress::Failed(expected.to_owned()), "{script}");
    }
}

/// A successor that the test speaks for, and its end of the channel.
fn spoken_for() -> (Channel, Successor) {
    let (theirs, ours) = UnixStream::pair().expect("two ends");
    let child = Command::new("/bin/sh").args(["-c", "exit 1"]).spawn().expect("there is a shell");
    let channel = Channel::new(ours).expect("a socket");
    let (began, timeout) = (Instant::now(), TIMEOUT);
    let successor = Successor { child, channel, began, timeout, is_let_go: false };
    (Channel::new(theirs).expect("a socket"), successor)
}

#[test]
fn one_that_says_how_far_it_is_is_believed() {
    let (theirs, mut successor) = spoken_for();
    theirs.send("alone", "").expect("is read");
    assert_eq!(successor.wait(PATIENCE), Progress::WantsToBeAlone);
    theirs.send("ready", "").expect("is read");
    assert_eq!(successor.wait(PATIENCE), Progress::Ready);
    let (theirs, mut successor) = spoken_for();
    theirs.send("failed", "slimhttp: no\n  hint: none\n").expect("is read");
    assert_eq!(successor.wait(PATIENCE), Progress::Failed("no".to_owned()));
    let (theirs, mut successor) = spoken_for();
    theirs.send("go", "").expect("is read");
    let expected = "what it says is not understood, and it was ended";
    assert_eq!(successor.wait(PATIENCE), Progress::Failed(expected.to_owned()));
}

#[test]
fn one_that_serves_is_let_go() {
    let (mut theirs, successor) = spoken_for();
    successor.let_go();
    assert!(matches!(theirs.receive(Some(PATIENCE)), Ok(Some(Message::Go))));
    assert!(matches!(theirs.receive(Some(PATIENCE)), Ok(None)));
}

#[test]
fn one_that_says_nothing_is_ended_by_its_number() {
    let mut successor = successor("exec sleep 1000");
    assert_eq!(successor.wait(Duration::from_millis(1)), Progress::Starting);
    successor.timeout = Duration::from_millis(50);
    let mut progress = Progress::Starting;
    while progress == Progress::Starting {
        progress = successor.wait(PATIENCE);
    }
    let expected = "it did not serve within 0.05 s (SLIMHTTP_UPGRADE_TIMEOUT), and was ended";
    assert_eq!(progress, Progress::Failed(expected.to_owned()));
    assert!(successor.child.try_wait().expect("is ours").is_some());
}

#[test]
fn one_that_is_dropped_is_ended() {
    let successor = successor("exec sleep 1000");
    let process = rustix::process::Pid::from_raw(successor.pid().cast_signed()).expect("a number");
    rustix::process::test_kill_process(process).expect("it runs");
    drop(successor);
    rustix::process::test_kill_process(process).expect_err("it has ended");
}

#[test]
fn a_program_that_is_not_there_is_told() {
    let invocation = Invocation::of_this_process().with_command(["/nowhere/slimhttp".into()]);
    let error = Successor::start(&invocation, &[]).expect_err("there is none");
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}

#[test]
fn the_reason_is_one_line() {
    for (text, expected) in [
        ("slimhttp: cannot listen\n  hint: none\n", "cannot listen"),
        ("\na.toml:1:1: wrong\n", "a.toml:1:1: wrong"),
        ("", ""),
    ] {
        assert_eq!(first_line(text), expected);
    }
}
