//! Changes of a site, one after the other and side by side: what is seen of them, and when.

use std::path::Path;
use std::thread;

use slimhttp_site::value::Value;

use super::*;
use crate::context::testing::config;
use crate::live::testing;

/// A server of plain HTTP with these options.
fn live(options: impl IntoIterator<Item = (&'static str, Value)>) -> Live {
    testing::live(false, config(options))
}

/// Sets one option.
fn set(draft: &mut Draft, key: &str, value: impl Into<Value>) {
    assert!(draft.config.set(&[key.into()], value.into()), "it is at the top");
}

fn most(live: &Live) -> usize {
    live.current().site.service.max_connections
}

/// What an error of a change is in these tests.
#[derive(Debug)]
enum Failure {
    Refused,
    Invalid(Faults),
}

impl From<Faults> for Failure {
    fn from(faults: Faults) -> Self {
        Self::Invalid(faults)
    }
}

#[test]
fn a_change_is_in_force_when_it_returns() {
    let live = live([]);
    let generation = live.generation();
    let outcome = live.update(|draft| {
        set(draft, "max_connections", 7);
        "done"
    });
    assert_eq!(outcome.expect("it is valid"), "done");
    assert_eq!(most(&live), 7);
    assert_eq!(live.cached().site.service.max_connections, 7);
    assert_eq!(live.generation(), generation + 1);
}

#[test]
fn c3_2_an_invalid_change_keeps_the_site() {
    let live = live([("max_connections", 7.into())]);
    let (before, draft, generation) = (live.current(), live.draft(), live.generation());
    let refused = live.try_update(|draft| {
        set(draft, "max_connections", 8);
        Err::<(), _>(Failure::Refused)
    });
    assert!(matches!(refused, Err(Failure::Refused)), "{refused:?}");
    let invalid = live.try_update(|draft| {
        set(draft, "max_connections", 0);
        set(draft, "no_such_option", true);
        Ok::<_, Failure>(())
    });
    let Err(Failure::Invalid(faults)) = invalid else { panic!("{invalid:?}") };
    assert_eq!(faults.0.len(), 2, "all at once: {faults}");
    assert!(Arc::ptr_eq(&live.current(), &before));
    assert!(Arc::ptr_eq(&live.draft(), &draft));
    assert_eq!(live.generation(), generation);
    // And the next change begins from what is in force.
    live.update(|draft| set(draft, "quiet", true)).expect("it is valid");
    assert_eq!(most(&live), 7);
}

#[test]
fn c3_2_a_change_that_panics_keeps_the_site_and_holds_up_no_other() {
    let live = live([("max_connections", 7.into())]);
    let before = live.current();
    let panicking = std::panic::AssertUnwindSafe(|| {
        live.update(|draft| {
            set(draft, "max_connections", 8);
            panic!("in the middle of a change");
        })
    });
    assert!(std::panic::catch_unwind(panicking).is_err());
    assert!(Arc::ptr_eq(&live.current(), &before));
    live.update(|draft| set(draft, "quiet", true)).expect("it is valid");
    assert_eq!(most(&live), 7);
}

#[test]
fn what_a_site_was_made_of_stays_as_it_was_taken() {
    let live = live([("max_connections", 7.into())]);
    let draft = live.draft();
    live.update(|draft| set(draft, "max_connections", 8)).expect("it is valid");
    let most = |draft: &Draft| draft.config.get(&["max_connections".into()]).cloned();
    assert_eq!(most(&draft), Some(7.into()));
    assert_eq!(most(&live.draft()), Some(8.into()));
}

#[test]
fn a_whole_replacement_is_one_for_that_change_only() {
    let live = live([]);
    let replace = |base: &str| {
        let mut was_replaced = None;
        let change = |draft: &mut Draft| {
            was_replaced = Some(draft.replaced);
            draft.base = base.into();
            draft.replaced = true;
        };
        live.update(change).expect("it is valid");
        was_replaced
    };
    assert_eq!(replace("/tmp"), Some(false));
    assert_eq!(replace("/"), Some(false));
    assert!(!live.draft().replaced);
    assert_eq!(live.draft().base, Path::new("/"));
}

#[test]
fn to_check_a_configuration_changes_nothing() {
    let live = live([]);
    let (before, draft, generation) = (live.current(), live.draft(), live.generation());
    let config = |key, value| config([(key, value)]);
    assert_eq!(live.check(&config("max_connections", 8.into())).expect("it is valid").len(), 0);
    let missing = live.check(&config("web_root", "/no/such/folder".into())).expect("it is valid");
    assert_eq!(missing.len(), 1, "{missing:?}");
    assert_eq!(live.check(&config("max_connections", 0.into())).expect_err("it is not").0.len(), 1);
    assert!(Arc::ptr_eq(&live.current(), &before));
    assert!(Arc::ptr_eq(&live.draft(), &draft));
    assert_eq!(live.generation(), generation);
}

#[test]
fn changes_of_several_threads_take_turns() {
    let live = live([("max_connections", 1.into())]);
    let count = || {
        for _ in 0..25 {
            let change = |draft: &mut Draft| {
                let most = draft.config.get(&["max_connections".into()]).cloned();
                let Some(Value::Integer(most)) = most else { panic!("{most:?}") };
                set(draft, "max_connections", most + 1);
            };
            live.update(change).expect("it is valid");
        }
    };
    thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(count))));
    assert_eq!(most(&live), 101, "none is lost");
    assert_eq!(live.generation(), 100);
}

#[test]
fn who_sees_a_generation_sees_its_snapshot() {
    const CHANGES: u64 = 200;
    let live = live([("max_connections", 1.into())]);
    let read = |snapshot: &dyn Fn() -> usize| {
        loop {
            let generation = live.generation();
            let seen = snapshot() as u64 - 1;
            assert!(seen >= generation, "{seen} at generation {generation}");
            if generation == CHANGES {
                return;
            }
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| read(&|| most(&live)));
        scope.spawn(|| read(&|| live.cached().site.service.max_connections));
        for change in 1..=CHANGES {
            let most = i64::try_from(change).expect("it is small") + 1;
            live.update(|draft| set(draft, "max_connections", most)).expect("it is valid");
        }
    });
}

#[test]
fn a_thread_takes_the_snapshot_again_after_a_change_only() {
    let live = live([]);
    let first = live.cached();
    assert!(Arc::ptr_eq(&first, &live.cached()), "the count is this thread's own");
    live.update(|draft| set(draft, "max_connections", 7)).expect("it is valid");
    let second = live.cached();
    assert!(!Arc::ptr_eq(&first, &second));
    assert_eq!(second.site.service.max_connections, 7);
    assert!(Arc::ptr_eq(&second, &live.cached()));
    let (own, same) = thread::scope(|scope| {
        let elsewhere = || {
            let cached = live.cached();
            (Arc::ptr_eq(&second, &cached), Arc::ptr_eq(&*second, &*cached))
        };
        scope.spawn(elsewhere).join().expect("it panics nowhere")
    });
    assert!(!own, "another thread has a count of its own");
    assert!(same, "of the same snapshot");
}

#[test]
fn servers_whose_threads_are_the_same_are_not_mixed_up() {
    let (one, other) =
        (live([("max_connections", 1.into())]), live([("max_connections", 2.into())]));
    for _ in 0..3 {
        assert_eq!(one.cached().site.service.max_connections, 1);
        assert_eq!(other.cached().site.service.max_connections, 2);
    }
}
