//! What an answer of the program comes to, and what the end of a wait says.

use std::future::Future;
use std::sync::Arc;

use slimhttp_server::{DnsProvider, Judge};

use super::BridgeAcme;
use crate::acme_job::{AcmeJob, AcmeQuestion, RecordAction};
use crate::bridge::Bridge;
use crate::fair_queue::Queued;
use crate::job::Job;
use crate::loop_queue::LoopJob;

const NAME: &str = "_acme-challenge.example.com";

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().expect("has descriptors").block_on(future)
}

fn next(bridge: &Bridge) -> AcmeJob {
    match bridge.next(None) {
        Some((_, Job::Acme(job))) => job,
        other => panic!("no question waits: {other:?}"),
    }
}

#[test]
fn c10_4_the_program_sets_a_record_and_takes_it_away() {
    let (bridge, _wake_rx) = crate::tests::bridge();
    let program = BridgeAcme(bridge.clone());
    let record = |action| {
        let (name, value) = (NAME.into(), "text".into());
        AcmeQuestion::Record { action, name, value }
    };
    let refused = Err("there is no such zone".to_owned());
    for (action, outcome) in [
        (RecordAction::Present, Ok(())),
        (RecordAction::Present, refused.clone()),
        (RecordAction::Cleanup, Ok(())),
        (RecordAction::Cleanup, refused),
    ] {
        let waiting = match action {
            RecordAction::Present => program.present(NAME, "text"),
            RecordAction::Cleanup => program.cleanup(NAME, "text"),
        };
        let job = next(&bridge);
        assert_eq!(job.question, record(action));
        job.answer(outcome.clone().map(|()| true));
        assert_eq!(block_on(waiting), outcome);
    }
}

#[test]
fn c10_4_the_program_decides_about_names() {
    let (bridge, _wake_rx) = crate::tests::bridge();
    let program = BridgeAcme(bridge.clone());
    for (said, allowed) in
        [(Ok(true), true), (Ok(false), false), (Err("ZeroDivisionError".to_owned()), false)]
    {
        let waiting = program.allows("shop.example.com");
        let job = next(&bridge);
        assert_eq!(job.question, AcmeQuestion::Allow("shop.example.com".into()));
        job.answer(said.clone());
        assert_eq!(block_on(waiting), allowed, "{said:?}");
    }
}

#[test]
fn c10_4_a_program_that_is_gone_sets_nothing_and_allows_nothing() {
    let (bridge, _wake_rx) = crate::tests::bridge();
    let program = BridgeAcme(bridge.clone());
    let gone = Err("the server stops".to_owned());
    let dropped = program.present(NAME, "text");
    drop(next(&bridge));
    assert_eq!(block_on(dropped), gone, "whoever took it has dropped it");
    let waiting = program.present(NAME, "text");
    bridge.close();
    assert_eq!(block_on(waiting), gone, "it waited");
    assert_eq!(block_on(program.cleanup(NAME, "text")), gone, "it came too late");
    assert!(!block_on(program.allows("shop.example.com")));
}

#[test]
fn c10_4_what_nobody_waits_for_is_skipped_and_a_task_of_it_cancelled() {
    let (bridge, _wake_rx) = crate::tests::bridge();
    bridge.loop_queue.descriptor().expect("has descriptors");
    let program = BridgeAcme(bridge.clone());
    drop(program.present(NAME, "text"));
    let (_, job) = bridge.next(None).expect("the job is skipped by who takes it");
    assert!(job.is_abandoned());
    drop(job);
    assert!(bridge.loop_queue.take().is_empty(), "nothing runs on the loop");
    for answered in [false, true] {
        let waiting = program.present(NAME, "text");
        let job = next(&bridge);
        let id = job.id;
        bridge.hand_to_loop(LoopJob::Resume(id)).expect("is open");
        if answered {
            job.answer(Ok(true));
            assert_eq!(block_on(waiting), Ok(()));
        } else {
            drop(waiting);
            assert!(job.is_abandoned());
        }
        let jobs = bridge.loop_queue.take();
        let left = jobs.iter().any(|job| matches!(job, LoopJob::Cancel(left) if *left == id));
        assert_eq!(left, !answered);
        assert!(!bridge.loop_queue.forget_resumed(id), "nothing is kept");
    }
}

#[test]
fn c10_4_a_program_that_never_answers_is_asked_no_more_than_so_many_questions() {
    let (bridge, _wake_rx) = crate::tests::bridge();
    bridge.set_limit(2);
    let program = BridgeAcme(bridge.clone());
    // Nobody waits for the first any more, and the second is being answered.
    drop(program.present(NAME, "one"));
    let _second = program.present(NAME, "two");
    let full = Err("the program has left too many questions open (`max_queue`)".to_owned());
    assert_eq!(block_on(program.present(NAME, "three")), full);
    drop(next(&bridge));
    let second = next(&bridge);
    let waiting = program.cleanup(NAME, "one");
    assert_eq!(block_on(program.present(NAME, "three")), full, "one is being answered");
    second.answer(Ok(true));
    next(&bridge).answer(Ok(true));
    assert_eq!(block_on(waiting), Ok(()));
}

#[test]
fn questions_are_told_in_words() {
    let (bridge, _wake_rx) = crate::tests::bridge();
    let program = Arc::new(BridgeAcme(bridge.clone()));
    let _waiting = (program.cleanup(NAME, "text"), program.allows("shop.example.com"));
    let told = std::iter::from_fn(|| bridge.next(None)).map(|(_, job)| job.subject().to_string());
    let told: Vec<_> = told.collect();
    let expected =
        ["acme_dns (cleanup of _acme-challenge.example.com)", "acme_allow of shop.example.com"];
    assert_eq!(told, expected);
}
