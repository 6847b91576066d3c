//! Whose turn it is, and who makes room.

use std::sync::Arc;

use super::{FairQueue, Queued};

/// `a1` is the first call for host `a`, `a+` something else for it, `-` for the
/// global level; in capitals nobody waits for it.
#[derive(Debug)]
struct Item {
    host: Option<Arc<str>>,
    name: &'static str,
}

impl Queued for Item {
    fn host(&self) -> Option<&Arc<str>> {
        self.host.as_ref()
    }

    fn is_call(&self) -> bool {
        !self.name.ends_with('+')
    }

    fn is_abandoned(&self) -> bool {
        self.name.starts_with(char::is_uppercase)
    }
}

fn item(name: &'static str) -> Item {
    let host = name[..1].to_lowercase();
    Item { host: (host != "-").then(|| host.into()), name }
}

/// Pushes `names`, of which `limit` calls have room; gives who had to go, and the
/// order in which the rest is taken.
fn check(limit: usize, names: &[&'static str]) -> (String, String) {
    let mut queue = FairQueue::default();
    let mut gone = Vec::new();
    for name in names {
        gone.extend(queue.push(item(name), limit));
    }
    assert_eq!(queue.len(), names.len() - gone.len());
    let names = |items: Vec<Item>| items.iter().map(|it| it.name).collect::<Vec<_>>().join(" ");
    assert_eq!(queue.iter().count(), queue.len());
    let taken = names(queue.take());
    assert!(queue.is_empty() && !queue.is_full(1));
    (names(gone), taken)
}

#[test]
fn hosts_take_turns_and_each_is_served_in_order() {
    let cases: [(&[&str], &str); 5] = [
        (&["a1", "a2", "a3"], "a1 a2 a3"),
        (&["a1", "a2", "a3", "b1"], "a1 b1 a2 a3"),
        (&["-1", "a1", "-2", "a+", "b1", "-3"], "-1 a1 b1 -2 a+ -3"),
        (&["a1", "b1", "b2", "c1", "c2", "c3"], "a1 b1 c1 b2 c2 c3"),
        (&[], ""),
    ];
    for (names, order) in cases {
        assert_eq!(check(usize::MAX, names), (String::new(), order.to_owned()), "{names:?}");
    }
}

#[test]
fn who_has_the_most_makes_room() {
    let cases: [(usize, &[&str], &str, &str); 7] = [
        (2, &["a1", "a2", "a3"], "a3", "a1 a2"),
        (3, &["a1", "a2", "a3", "b1"], "a3", "a1 b1 a2"),
        (3, &["a1", "a2", "a3", "b1", "b2"], "a3 b2", "a1 b1 a2"),
        (4, &["a1", "a2", "a3", "a4", "b1", "b2", "b3"], "a4 a3 b3", "a1 b1 a2 b2"),
        // Neither is emptied for the other.
        (1, &["a1", "b1"], "b1", "a1"),
        (0, &["a1"], "a1", ""),
        // What is no call takes no room and makes none.
        (3, &["a1", "a2", "a3", "a+", "b+", "b1"], "a3", "a1 b+ a2 b1 a+"),
    ];
    for (limit, names, gone, order) in cases {
        let expected = (gone.to_owned(), order.to_owned());
        assert_eq!(check(limit, names), expected, "{limit}, {names:?}");
    }
}

#[test]
fn what_nobody_waits_for_is_swept_out() {
    let mut queue = FairQueue::default();
    for name in ["A1", "a2", "B1", "a3", "-1", "B+"] {
        assert!(queue.push(item(name), 9).is_none());
    }
    assert_eq!(
        queue.remove_abandoned().iter().map(|it| it.name).collect::<Vec<_>>(),
        ["A1", "B1", "B+"]
    );
    assert!(queue.is_full(3) && !queue.is_full(4));
    assert_eq!(queue.take().iter().map(|it| it.name).collect::<Vec<_>>(), ["-1", "a2", "a3"]);
}
