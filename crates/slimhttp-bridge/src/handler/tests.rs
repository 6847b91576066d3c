//! What an answer future comes to, and what its drop says.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use slimhttp_server::{Answer, Callee, ConnectionHandle, ConnectionInfo, Handler, HandlerFault};
use slimhttp_site::route::Params;

use super::BridgeHandler;
use crate::bridge::ARM;
use crate::connection::{Connection, ConnectionJob};
use crate::fair_queue::Queued;
use crate::job::Job;
use crate::loop_queue::LoopJob;
use crate::side::{Side, handler_id};

fn route(side: Side) -> Callee {
    Callee::Route(handler_id(3, side), Params::new())
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().expect("has descriptors").block_on(future)
}

#[test]
fn an_answer_comes_back() {
    let (bridge, _wake_rx) = crate::tests::bridge();
    let waiting =
        BridgeHandler(bridge.clone()).call(route(Side::Thread), crate::tests::request("/"));
    let Some((_, Job::Call(call))) = bridge.next(None) else { panic!("no call waits") };
    call.reply.send(Ok(Answer::Pass));
    assert!(matches!(block_on(waiting), Ok(Answer::Pass)));
}

#[test]
fn each_fault_has_its_name() {
    let (bridge, _wake_rx) = crate::tests::bridge();
    let handler = BridgeHandler(bridge.clone());
    let waiting = handler.call(route(Side::Thread), crate::tests::request("/"));
    bridge.set_limit(1);
    for (side, full) in [(Side::Thread, true), (Side::Loop, false)] {
        let second = handler.call(route(side), crate::tests::request("/"));
        let third = handler.call(route(side), crate::tests::request("/"));
        assert!(matches!(block_on(third), Err(HandlerFault::QueueFull)), "{side:?}");
        if full {
            assert!(matches!(block_on(second), Err(HandlerFault::QueueFull)));
        }
    }
    bridge.close();
    assert!(matches!(block_on(waiting), Err(HandlerFault::Stopped)), "it waited");
    let late = handler.call(route(Side::Thread), crate::tests::request("/"));
    assert!(matches!(block_on(late), Err(HandlerFault::Stopped)), "it came too late");
}

#[test]
fn a_panic_while_a_call_is_answered_is_a_fault_of_its_handler() {
    let (bridge, _wake_rx) = crate::tests::bridge();
    let waiting =
        BridgeHandler(bridge.clone()).call(route(Side::Thread), crate::tests::request("/"));
    let (_, job) = bridge.next(None).expect("has a job");
    let worker = std::thread::spawn(move || {
        let _job = job;
        std::panic::resume_unwind(Box::new("on purpose"));
    });
    assert!(worker.join().is_err());
    assert!(matches!(block_on(waiting), Err(HandlerFault::Raised { page: None })));
}

#[test]
fn c8_5_a_client_that_leaves_is_noted() {
    let (bridge, _wake_rx) = crate::tests::bridge();
    bridge.loop_queue.descriptor().expect("has descriptors");
    let handler = BridgeHandler(bridge.clone());
    drop(handler.call(route(Side::Thread), crate::tests::request("/a")));
    let (_, job) = bridge.next(None).expect("the job is skipped by who takes it");
    assert!(job.is_abandoned());
    drop(handler.call(route(Side::Loop), crate::tests::request("/b")));
    let jobs = bridge.loop_queue.take();
    let [LoopJob::Call(call), LoopJob::Cancel(left)] = jobs.as_slice() else { panic!("{jobs:?}") };
    assert_eq!(call.id, *left);
    assert!(call.reply.is_closed());
    // A thread's call that was handed on is the loop's too, until it is answered.
    for answered in [false, true] {
        let waiting = handler.call(route(Side::Thread), crate::tests::request("/c"));
        let Some((_, Job::Call(call))) = bridge.next(None) else { panic!("no call waits") };
        let id = call.id;
        bridge.hand_to_loop(LoopJob::Resume(id)).expect("is open");
        if answered {
            call.reply.send(Ok(Answer::Pass));
            assert!(block_on(waiting).is_ok());
        } else {
            drop(waiting);
        }
        let jobs = bridge.loop_queue.take();
        let left = jobs.iter().any(|job| matches!(job, LoopJob::Cancel(left) if *left == id));
        assert_eq!(left, !answered);
        assert!(!bridge.loop_queue.forget_resumed(id), "nothing is kept");
    }
}

#[test]
fn the_watchdog_is_armed_once_for_a_backlog() {
    let (bridge, mut wake_rx) = crate::tests::bridge();
    let handler = BridgeHandler(bridge.clone());
    let waiting = [0; 3].map(|_| handler.call(route(Side::Thread), crate::tests::request("/")));
    let mut bytes = [0; 8];
    assert!(wake_rx.read(&mut bytes).is_err(), "nobody works yet, so nobody holds anything up");
    let (run, _) = bridge.next(None).expect("has a job");
    let (_, _) = bridge.next(Some(run)).expect("has a job");
    assert_eq!(wake_rx.read(&mut bytes).ok(), Some(1));
    assert_eq!(bytes[0], ARM);
    drop(waiting);
}

fn info() -> ConnectionInfo {
    ConnectionInfo {
        peer: ([127, 0, 0, 1], 1).into(),
        local: ([127, 0, 0, 1], 80).into(),
        tls: false,
        descriptor: -1,
        connection: ConnectionHandle::default(),
    }
}

#[test]
fn c9_a_connection_is_served_if_the_program_says_so() {
    let (bridge, _wake_rx) = crate::tests::bridge();
    let handler = BridgeHandler(bridge.clone());
    for (said, served) in [(Some(true), true), (Some(false), false), (None, false)] {
        let connection = handler.on_connect(info());
        let waiting = handler.authorize(&connection);
        let Some((_, Job::Connection(ConnectionJob::Authorize(_, reply)))) = bridge.next(None)
        else {
            panic!("the program is asked");
        };
        match said {
            Some(said) => reply.send(said).expect("somebody waits"),
            None => drop(reply),
        }
        assert_eq!(block_on(waiting), served, "{said:?}");
    }
}

#[test]
fn c9_a_connection_that_ends_while_it_is_judged_is_skipped() {
    let (bridge, _wake_rx) = crate::tests::bridge();
    let handler = BridgeHandler(bridge.clone());
    let connection = handler.on_connect(info());
    drop(handler.authorize(&connection));
    let (_, job) = bridge.next(None).expect("the job is skipped by who takes it");
    assert!(job.is_abandoned());
}

#[test]
fn c9_ends_that_nobody_has_seen_do_not_pile_up() {
    let (bridge, _wake_rx) = crate::tests::bridge();
    bridge.set_limit(1);
    let handler = BridgeHandler(bridge.clone());
    let seen = handler.on_connect(info());
    let connection = Connection::of(Some(&seen)).expect("is ours");
    connection.is_exposed.store(true, Ordering::SeqCst);
    for _ in 0..20 {
        handler.on_disconnect(handler.on_connect(info()));
    }
    handler.on_disconnect(seen);
    let ends = std::iter::from_fn(|| bridge.next(None)).map(|(_, job)| match job {
        Job::Connection(ConnectionJob::Closed(connection)) => connection,
        job => panic!("{job:?}"),
    });
    let ends: Vec<_> = ends.collect();
    assert_eq!(ends.len(), 17, "sixteen for each call that may wait, and the one that was seen");
    assert!(Arc::ptr_eq(&ends[16], &connection));
}
