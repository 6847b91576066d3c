//! Who is looked at first, and names that are asked for.

use slimhttp_site::acme::OnDemandOptions;

use super::*;
use crate::clock;

fn name(text: &str) -> Identifier {
    Identifier::parse(text).unwrap()
}

fn names(text: &str) -> Names {
    Names::new([name(text)]).unwrap()
}

fn at(seconds: i64) -> SystemTime {
    clock::seconds(1_800_000_000 + seconds).unwrap()
}

fn options() -> OnDemandOptions {
    OnDemandOptions { at_once: 2, ..OnDemandOptions::default() }
}

#[test]
fn those_that_are_due_longest_come_first() {
    let due = |due: Option<i64>| Entry { due: due.map(at), ..Entry::default() };
    let entries = HashMap::from([
        (names("late.example"), due(Some(11))),
        (names("second.example"), due(Some(1))),
        (names("third.example"), due(Some(2))),
        (names("first.example"), due(None)),
    ]);
    let found = due_now(&entries, at(10));
    let expected = ["first.example", "second.example", "third.example"].map(names);
    assert_eq!(found, expected);
}

#[test]
fn c10_4_a_name_is_decided_about_once() {
    let mut state = State::default();
    let mut first = state.ask(&name("a.example"), &options(), at(0)).unwrap();
    let mut second = state.ask(&name("a.example"), &options(), at(0)).unwrap();
    assert_eq!(state.on_demand.take_new(), [name("a.example")]);
    assert_eq!(state.on_demand.take_new(), []);
    // Another one may be, a third not yet.
    let mut other = state.ask(&name("b.example"), &options(), at(0)).unwrap();
    assert_eq!(state.ask(&name("c.example"), &options(), at(0)).unwrap_err(), Err(Refusal::Busy));
    state.on_demand.settle(&names("a.example"), &Err(Refusal::NotAllowed), at(100));
    for waiter in [&mut first, &mut second] {
        assert_eq!(waiter.try_recv(), Ok(Err(Refusal::NotAllowed)));
    }
    assert!(other.try_recv().is_err());
    // It is remembered for a while.
    let again = |state: &mut State, seconds| state.ask(&name("a.example"), &options(), at(seconds));
    assert_eq!(again(&mut state, 99).unwrap_err(), Err(Refusal::NotAllowed));
    assert!(again(&mut state, 101).is_ok());
}

#[test]
fn c10_4_what_is_written_down_is_not_decided_about() {
    let mut state = State::default();
    state.entries.insert(names("a.example"), Entry::default());
    let mut waiter = state.ask(&name("a.example"), &options(), at(0)).unwrap();
    assert_eq!(state.on_demand.take_new(), []);
    state.on_demand.settle(&names("a.example"), &Ok(()), at(0));
    assert_eq!(waiter.try_recv(), Ok(Ok(())));
    // One that has failed is not waited for.
    let mut meta = Meta { last_error: Some("why".into()), ..Meta::default() };
    meta.attempts = 1;
    let entry = Entry { due: Some(at(100)), meta, ..Entry::default() };
    state.entries.insert(names("a.example"), entry);
    let answer = state.ask(&name("a.example"), &options(), at(0)).unwrap_err();
    assert_eq!(answer, Err(Refusal::Failed("why".into())));
    // What is wanted no more is waited for by nobody.
    let mut waiter = state.ask(&name("a.example"), &options(), at(200)).unwrap();
    state.forget(|_, _| true);
    assert_eq!(waiter.try_recv(), Ok(Err(Refusal::Failed("it is wanted no more".into()))));
}

#[test]
fn c10_4_what_is_remembered_of_refusals_is_bounded() {
    let mut state = State::default();
    let ask = |state: &mut State, number: usize| {
        let name = name(&format!("a{number}.example"));
        let asked = state.ask(&name, &options(), at(0));
        if asked.is_ok() {
            let names = Names::new([name]).unwrap();
            state.on_demand.settle(&names, &Err(Refusal::NotAllowed), at(100));
        }
        asked.is_ok()
    };
    for number in 0..=10_000 {
        assert!(ask(&mut state, number), "{number}");
    }
    // The one that was refused first was forgotten, others were not.
    assert!(!ask(&mut state, 10_000) && !ask(&mut state, 5000));
    assert!(ask(&mut state, 0));
}
