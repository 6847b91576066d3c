//! What the ring of events holds, and that it costs nothing while nobody watches.

use super::*;

fn numbers(events: Vec<Event>) -> Vec<u64> {
    let number = |event| match event {
        Event::Custom(number) => number,
        other => panic!("{other:?} was not added"),
    };
    events.into_iter().map(number).collect()
}

#[test]
fn an_event_is_made_only_where_somebody_watches() {
    let events = Events::default();
    events.push(|| panic!("nobody watches"));
    assert!(events.take().is_empty());
    events.watch();
    for number in [1, 2, 3] {
        events.push(|| Event::Custom(number));
    }
    assert_eq!(numbers(events.take()), [1, 2, 3]);
    assert!(events.take().is_empty(), "each is given once");
}

#[test]
fn the_oldest_events_make_room() {
    let events = Events::default();
    events.watch();
    let count = CAPACITY as u64 + 2;
    for number in 0..count {
        events.push(|| Event::Custom(number));
    }
    assert_eq!(numbers(events.take()), (2..count).collect::<Vec<_>>());
}
