//! Which answers count.

use http::Response;

use super::*;

#[test]
fn only_what_is_in_memory_is_held() {
    let answers = Arc::new(UnsentAnswers::new(1));
    let held_all = |body: fn() -> Body| {
        let held = (0..9).map(|_| held(Answer::Reply(Response::new(body())), &answers));
        let held: Vec<_> = held.collect();
        (answers.has_room(), held).0
    };
    assert!(held_all(|| Body::Empty));
    assert!(held_all(|| Body::Omitted));
    assert!(!held_all(|| Body::from(&b"abc"[..])));
    assert!(answers.has_room(), "they are gone");
}
