//! The table, held against the page that shows it to people: every combination.

use super::*;

const PAGE: &str = include_str!("../../../../docs/internals/http1.md");

const STATES: [State; 9] = [
    State::Idle,
    State::SendResponse,
    State::SendBody,
    State::Done,
    State::MustClose,
    State::Closed,
    State::MightSwitch,
    State::Switched,
    State::Error,
];
const EVENTS: [Event; 6] =
    [Event::Head, Event::Interim, Event::Switch, Event::Data, Event::End, Event::Close];

/// The rows of the page's table that has these columns.
fn rows(header: &str) -> Vec<Vec<&'static str>> {
    let cells = |row: &'static str| row.split('|').skip(1).map(str::trim).collect::<Vec<_>>();
    let mut lines = PAGE.lines().skip_while(|line| *line != header);
    let columns = header.matches('|').count() - 1;
    lines.next().expect("the page has the table");
    let rows = lines.skip(1).take_while(|line| line.starts_with('|'));
    rows.map(|line| cells(line)[..columns].to_vec()).collect()
}

#[test]
fn the_page_shows_every_event_of_the_table_and_no_other() {
    let rows = rows("| side | state | event | next state |");
    let mut found = 0;
    for (side, named) in [(Side::Client, "client"), (Side::Server, "server")] {
        for state in STATES {
            for event in EVENTS {
                let (from, by) = (format!("{state:?}"), format!("{event:?}"));
                let row = rows.iter().find(|row| row[..3] == [named, &from, &by]);
                let shown = row.map(|row| row[3].to_owned());
                let leads = next(side, state, event).map(|state| format!("{state:?}"));
                assert_eq!(leads, shown, "{side:?} {state:?} {event:?}");
                found += usize::from(shown.is_some());
            }
        }
    }
    assert_eq!(found, rows.len(), "a row of the page is of no state or event");
}

/// What the page says both sides become: by its first row that fits.
fn shown(
    rows: &[Vec<&str>],
    client: State,
    server: State,
    persistent: bool,
    offers: bool,
) -> (String, String) {
    let (client, server) = (format!("{client:?}"), format!("{server:?}"));
    let names = |cell: &str, state: &str| cell == "any" || cell.split(", ").any(|it| it == state);
    let fits = |row: &&Vec<&str>| {
        let holds = match row[2] {
            "" => true,
            "offers" => offers,
            "persistent" => persistent,
            "not persistent" => !persistent,
            other => panic!("{other}"),
        };
        holds && names(row[0], &client) && names(row[1], &server)
    };
    let Some(row) = rows.iter().find(fits) else { return (client, server) };
    let become_ = |cell: &str, state: String| if cell == "same" { state } else { cell.to_owned() };
    (become_(row[3], client), become_(row[4], server))
}

#[test]
fn the_page_shows_what_follows_from_where_both_sides_stand() {
    let rows = rows("| client | server | where | client becomes | server becomes |");
    for client in STATES {
        for server in STATES {
            for (persistent, offers) in [(false, false), (false, true), (true, false), (true, true)]
            {
                let (one, other) = next_of_both(client, server, persistent, offers);
                let next = (format!("{one:?}"), format!("{other:?}"));
                let shown = shown(&rows, client, server, persistent, offers);
                assert_eq!(next, shown, "{client:?} {server:?} {persistent} {offers}");
            }
        }
    }
}

#[test]
fn both_sides_come_to_rest_wherever_they_stand() {
    for client in STATES {
        for server in STATES {
            for (persistent, offers) in [(false, false), (false, true), (true, false), (true, true)]
            {
                let mut sides = Sides { client, server, persistent, offers };
                sides.advance();
                let (one, other) = (sides.client, sides.server);
                assert_eq!(next_of_both(one, other, persistent, offers), (one, other));
                // A response is due exactly to who has asked.
                let is_due = |state| matches!(state, State::SendBody);
                assert!(!is_due(one) || other != State::Idle, "{client:?} {server:?}");
            }
        }
    }
}

/// Lets events come, and says where both sides stand behind each.
fn walk(persistent: bool, offers: bool, events: &[(Side, Event)]) -> Vec<(State, State)> {
    let mut sides = Sides::new();
    let step = |&(side, event): &(Side, Event)| {
        match (side, event) {
            (Side::Client, Event::Head) => sides.request(persistent, offers),
            _ => sides.apply(side, event),
        }
        .expect("in turn");
        (sides.client, sides.server)
    };
    events.iter().map(step).collect()
}

#[test]
fn exchanges_take_their_course() {
    use Event::{Close, Data, End, Head, Interim, Switch};
    use Side::{Client, Server};
    use State::{Closed, Done, Idle, MightSwitch, MustClose, SendBody, SendResponse, Switched};
    let asked = (SendBody, SendResponse);
    for (persistent, offers, course) in [
        (
            true,
            false,
            &[
                ((Client, Head), asked),
                ((Client, Data), asked),
                ((Client, End), (Done, SendResponse)),
                ((Server, Interim), (Done, SendResponse)),
                ((Server, Head), (Done, SendBody)),
                ((Server, Data), (Done, SendBody)),
                ((Server, End), (Idle, Idle)),
            ][..],
        ),
        // An answer before the end of the request.
        (
            true,
            false,
            &[
                ((Client, Head), asked),
                ((Server, Head), (SendBody, SendBody)),
                ((Server, End), (SendBody, Done)),
                ((Client, End), (Idle, Idle)),
            ],
        ),
        (
            false,
            false,
            &[
                ((Client, Head), asked),
                ((Client, End), (MustClose, SendResponse)),
                ((Server, Head), (MustClose, SendBody)),
                ((Server, End), (MustClose, MustClose)),
                ((Client, Close), (Closed, MustClose)),
                ((Server, Close), (Closed, Closed)),
            ],
        ),
        // A client that closes its side is answered.
        (
            true,
            false,
            &[
                ((Client, Head), asked),
                ((Client, End), (Done, SendResponse)),
                ((Client, Close), (Closed, SendResponse)),
                ((Server, Head), (Closed, SendBody)),
                ((Server, End), (Closed, MustClose)),
            ],
        ),
        (
            true,
            true,
            &[
                ((Client, Head), asked),
                ((Client, End), (MightSwitch, SendResponse)),
                ((Server, Switch), (Switched, Switched)),
            ],
        ),
        (
            true,
            true,
            &[
                ((Client, Head), asked),
                ((Client, End), (MightSwitch, SendResponse)),
                ((Server, Head), (Done, SendBody)),
                ((Server, End), (Idle, Idle)),
            ],
        ),
        // A response without a request.
        (
            true,
            false,
            &[((Server, Head), (MustClose, SendBody)), ((Server, End), (MustClose, MustClose))],
        ),
        (true, false, &[((Server, Close), (MustClose, Closed))]),
    ] {
        let events: Vec<(Side, Event)> = course.iter().map(|&(event, _)| event).collect();
        let states: Vec<(State, State)> = course.iter().map(|&(_, states)| states).collect();
        assert_eq!(walk(persistent, offers, &events), states, "{events:?}");
    }
}

#[test]
fn what_is_out_of_turn_changes_nothing() {
    let mut sides = Sides::new();
    for (side, event) in [
        (Side::Client, Event::Data),
        (Side::Client, Event::End),
        (Side::Server, Event::Interim),
        (Side::Server, Event::Switch),
    ] {
        assert_eq!(sides.apply(side, event), Err(OutOfTurn));
        assert!(sides.is_ready());
    }
    sides.request(true, false).unwrap();
    sides.apply(Side::Client, Event::End).unwrap();
    assert_eq!(sides.apply(Side::Server, Event::Switch), Err(OutOfTurn), "nobody has offered");
    assert_eq!(sides.request(true, true), Err(OutOfTurn));
    assert_eq!((sides.client, sides.server), (State::Done, State::SendResponse));
}
