//! When a ping is due, and when silence is too long, without a clock.

use super::*;

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// Pings after 20 seconds, has 5 for the answer, and closes after 60 without a message.
fn keep_alive(begun: Instant) -> KeepAlive {
    limited(seconds(20), seconds(60), begun)
}

fn limited(ping_interval: Duration, idle_timeout: Duration, begun: Instant) -> KeepAlive {
    let limits = WebSocketLimits {
        max_message: 1000,
        queue: 1,
        ping_interval,
        ping_timeout: seconds(5),
        idle_timeout,
        compress: false,
    };
    KeepAlive::new(&limits, begun)
}

fn check_at(at: Instant) -> Due {
    Due { ping: false, next: Next::Check(at) }
}

#[test]
fn a_client_that_answers_is_pinged_again_and_again() {
    let begun = Instant::now();
    let mut keep_alive = limited(seconds(20), Duration::ZERO, begun);
    assert_eq!(keep_alive.check(begun), check_at(begun + seconds(20)));
    for round in 0..3 {
        let pinged = begun + seconds(20 + round * 21);
        let expected = Due { ping: true, next: Next::Check(pinged + seconds(25)) };
        assert_eq!(keep_alive.check(pinged), expected);
        assert!(keep_alive.is_ping_unsent());
        assert_eq!(keep_alive.ping_sent(pinged), pinged + seconds(5));
        assert!(!keep_alive.is_ping_unsent());
        keep_alive.heard(pinged + seconds(1));
        let next = check_at(pinged + seconds(21));
        assert_eq!(keep_alive.check(pinged + seconds(5)), next);
    }
}

#[test]
fn a_client_that_does_not_answer_is_silent() {
    let begun = Instant::now();
    let mut keep_alive = keep_alive(begun);
    let pinged = begun + seconds(20);
    assert!(keep_alive.check(pinged).ping);
    // As long as the ping is not sent, no answer is due.
    assert_eq!(keep_alive.check(begun + seconds(30)), check_at(begun + seconds(50)));
    let sent = begun + seconds(31);
    assert_eq!(keep_alive.ping_sent(sent), sent + seconds(5));
    assert_eq!(keep_alive.check(sent + seconds(4)), check_at(sent + seconds(5)));
    let silent = Due { ping: false, next: Next::Silent };
    assert_eq!(keep_alive.check(sent + seconds(5)), silent);
}

#[test]
fn what_comes_beside_the_ping_is_no_answer_to_it_and_yet_a_sign_of_life() {
    let begun = Instant::now();
    let mut keep_alive = keep_alive(begun);
    let sent = begun + seconds(20);
    assert!(keep_alive.check(sent).ping);
    keep_alive.ping_sent(sent);
    keep_alive.heard(sent + seconds(4));
    assert_eq!(keep_alive.check(sent + seconds(5)), check_at(sent + seconds(24)));
}

#[test]
fn a_client_that_is_not_read_is_not_silent() {
    let begun = Instant::now();
    let mut keep_alive = keep_alive(begun);
    assert!(!keep_alive.not_reading(begun + seconds(19)));
    assert!(!keep_alive.not_reading(begun + seconds(38)));
    assert!(keep_alive.not_reading(begun + seconds(58)), "a ping finds out whether it is there");
    assert!(!keep_alive.check(begun + seconds(58)).ping);
}

#[test]
fn messages_either_way_keep_it_from_being_idle() {
    let begun = Instant::now();
    let mut keep_alive = limited(Duration::ZERO, seconds(60), begun);
    assert_eq!(keep_alive.check(begun), check_at(begun + seconds(60)));
    keep_alive.heard(begun + seconds(10));
    assert_eq!(keep_alive.check(begun + seconds(10)), check_at(begun + seconds(60)), "a ping");
    keep_alive.message_received();
    assert_eq!(keep_alive.check(begun + seconds(10)), check_at(begun + seconds(70)));
    keep_alive.message_sent(begun + seconds(30));
    let last = begun + seconds(90);
    assert_eq!(keep_alive.check(last - seconds(1)), check_at(last));
    assert_eq!(keep_alive.check(last), Due { ping: false, next: Next::Idle });
}

#[test]
fn without_its_times_nothing_is_due() {
    let begun = Instant::now();
    let mut keep_alive = limited(Duration::ZERO, Duration::ZERO, begun);
    let late = begun + seconds(1_000_000);
    assert!(!keep_alive.not_reading(late));
    assert_eq!(keep_alive.check(late), check_at(late + NEVER));
}
