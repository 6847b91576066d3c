//! By which options each limit is described.

use super::*;

#[test]
fn each_limit_is_named_by_its_options() {
    for (refusal, within, options) in [
        (Refusal::ContentTooLarge(9), Within::Body, &["`max_body`", "9 bytes"][..]),
        (Refusal::UriTooLong, Within::Head, &["`max_uri`"]),
        (Refusal::HeaderTooLarge, Within::Head, &["`max_head`", "`max_headers`"]),
        (Refusal::RequestTimeout, Within::Head, &["`header_timeout`"]),
        (Refusal::RequestTimeout, Within::Body, &["`body_timeout`"]),
    ] {
        let said = describe(&refusal, within).expect("a limit");
        for option in options {
            assert!(said.contains(option), "{refusal:?}: {said}");
        }
    }
    assert_eq!(describe(&Refusal::NotFound, Within::Body), None);
    assert_eq!(describe(&Refusal::BadRequest("a line"), Within::Head), None);
}
