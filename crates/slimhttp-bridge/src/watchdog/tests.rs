//! What the watchdog looks at, and how its thread is woken and ended.

use std::io::Write;
use std::sync::mpsc::{Sender, channel};
use std::task::{Context, Wake, Waker};

use slimhttp_server::{Answer, Callee, Handler};
use slimhttp_site::route::Params;

use super::*;
use crate::completion::{Batch, CompletionQueue, DrainCompletions};
use crate::handler::BridgeHandler;
use crate::pending_handshake::PendingHandshake;
use crate::reply::Reply;
use crate::side::{Side, handler_id};

/// Longer than anything here takes.
const WHILE: Duration = Duration::from_secs(20);

/// Says by a channel that an I/O thread was woken.
struct Woken(Sender<()>);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        let _ = self.0.send(());
    }
}

fn route(side: Side) -> Callee {
    Callee::Route(handler_id(0, side), Params::new())
}

#[test]
fn it_is_armed_as_long_as_something_waits() {
    let (bridge, _wake_rx) = crate::tests::bridge();
    assert!(!poll(&bridge), "nothing waits");

    let waiting =
        BridgeHandler(bridge.clone()).call(route(Side::Thread), crate::tests::request("/"));
    assert!(poll(&bridge), "a call waits for a thread");
    let (run, job) = bridge.next(None).expect("has a job");
    assert!(!poll(&bridge), "it runs and holds nobody up");
    bridge.queue.finish(run);
    drop((job, waiting));

    let waiting = BridgeHandler(bridge.clone()).call(route(Side::Loop), crate::tests::request("/"));
    assert!(poll(&bridge), "a call waits for the event loop");
    drop((bridge.loop_queue.take(), waiting));
    assert!(!poll(&bridge));

    let handshake = PendingHandshake::new();
    bridge.watch_handshake(&handshake);
    assert!(poll(&bridge), "a handshake is not decided");
    handshake.accept();
    assert!(!poll(&bridge));
}

#[test]
fn a_completion_that_a_slow_job_holds_back_is_notified() {
    let (wake_tx, wake_rx) = UnixStream::pair().expect("has descriptors");
    let bridge = Arc::new(Bridge::new(wake_tx));
    let completions = Arc::new(CompletionQueue::default());
    bridge.add_completion_queue(&completions);
    let (sender, woken) = channel();
    let waker = Waker::from(Arc::new(Woken(sender)));
    let mut drain = std::pin::pin!(DrainCompletions(completions.clone()));
    assert!(drain.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());

    let watchdog = std::thread::spawn({
        let bridge = bridge.clone();
        move || run(&bridge, &wake_rx)
    });
    // As a thread in `turn()`, which now goes on with a job that takes long.
    let _batch = Batch::begin(Instant::now());
    let (reply, mut answer) = Reply::channel(Some(completions));
    reply.send(Ok(Answer::Pass));
    assert!(woken.try_recv().is_err(), "its notification is batched");
    bridge.arm_watchdog();
    woken.recv_timeout(WHILE).expect("the I/O thread is woken");
    assert!(drain.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    assert!(answer.try_recv().is_ok());

    bridge.close();
    watchdog.join().expect("ends with its server");
}

#[test]
fn a_signal_wakes_the_threads_that_wait_for_jobs() {
    let (wake_tx, wake_rx) = UnixStream::pair().expect("has descriptors");
    let mut signal = wake_tx.try_clone().expect("has descriptors");
    let bridge = Arc::new(Bridge::new(wake_tx));
    let watchdog = std::thread::spawn({
        let bridge = bridge.clone();
        move || run(&bridge, &wake_rx)
    });
    // SIGWINCH, which is nothing to us but may have a handler in Python.
    signal.write_all(&[28]).expect("has room");
    let began = Instant::now();
    bridge.queue.wait(WHILE);
    assert!(began.elapsed() < WHILE);
    bridge.close();
    watchdog.join().expect("ends with its server");
}
