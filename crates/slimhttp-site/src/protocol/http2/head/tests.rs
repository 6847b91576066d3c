//! The bounds of a head, and what is malformed: a case is a line.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use slimhttp_http1::Limits;

use super::validate;
use crate::protocol::refusal::Refusal;

const LIMITS: Limits = Limits { max_head: 300, max_fields: 4, max_target: 40 };

fn check(target: &str, fields: &[(&str, &str)]) -> Result<(), Refusal> {
    let uri = format!("https://a.example{target}").parse::<Uri>().expect("a target of a test");
    let fields = fields.iter().map(|(name, value)| {
        let name = name.parse::<HeaderName>().expect("a name of a test");
        (name, HeaderValue::from_str(value).expect("a value of a test"))
    });
    let mut headers = HeaderMap::new();
    fields.for_each(|(name, value)| {
        headers.append(name, value);
    });
    validate(&Method::GET, &uri, &headers, &LIMITS)
}

#[test]
fn the_target_is_bounded_by_max_uri() {
    assert_eq!(check(&format!("/{}", "a".repeat(39)), &[]), Ok(()));
    assert_eq!(check(&format!("/{}", "a".repeat(40)), &[]), Err(Refusal::UriTooLong));
    assert_eq!(check(&format!("/?{}", "a".repeat(39)), &[]), Err(Refusal::UriTooLong));
}

#[test]
fn a_target_is_one_that_http_1_takes() {
    let check = |method, target: &str| {
        let uri = Uri::builder().scheme("https").authority("a.example").path_and_query(target);
        validate(&method, &uri.build().expect("a target of a test"), &HeaderMap::new(), &LIMITS)
    };
    for (method, target) in [
        (Method::GET, "/"),
        (Method::GET, "/a/b?c=d"),
        (Method::GET, "/%C3%A9"),
        (Method::GET, "/a\\b"),
        (Method::GET, "/\"{|}^"),
        (Method::OPTIONS, "*"),
        (Method::OPTIONS, "/"),
    ] {
        assert_eq!(check(method, target), Ok(()), "{target}");
    }
    for (method, target) in [
        (Method::GET, "?x"),
        (Method::GET, "*"),
        (Method::POST, "*"),
        (Method::GET, "/é"),
        (Method::GET, "/?é"),
        // Longer than `max_uri` besides.
        (Method::GET, &format!("/{}", "é".repeat(40))),
    ] {
        let judged = check(method, target);
        assert!(matches!(judged, Err(Refusal::BadRequest(_))), "{target}: {judged:?}");
    }
}

#[test]
fn fields_are_counted_with_the_authority() {
    let three = [("a", "1"), ("a", "2"), ("b", "3")];
    assert_eq!(check("/", &three), Ok(()));
    let four = [("a", "1"), ("a", "2"), ("b", "3"), ("c", "4")];
    assert_eq!(check("/", &four), Err(Refusal::HeaderTooLarge));
    let with_host = [("a", "1"), ("a", "2"), ("b", "3"), ("host", "a.example")];
    assert_eq!(check("/", &with_host), Ok(()), "`Host` stands for the same");
}

#[test]
fn a_cookie_in_crumbs_is_one_field() {
    let crumbs = [("a", "1"), ("cookie", "a=1"), ("cookie", "b=2"), ("cookie", "c=3"), ("b", "2")];
    assert_eq!(check("/", &crumbs), Ok(()));
}

#[test]
fn the_head_is_as_long_as_it_would_be_in_http_1() {
    let without = "GET / HTTP/1.1\r\nhost: a.example\r\nx: \r\n\r\n".len();
    let longest = "y".repeat(LIMITS.max_head - without);
    assert_eq!(check("/", &[("x", &longest)]), Ok(()));
    let longer = format!("{longest}y");
    assert_eq!(check("/", &[("x", &longer)]), Err(Refusal::HeaderTooLarge));
}

#[test]
fn white_space_around_a_value_is_malformed() {
    for value in [" x", "x ", "\tx", "x\t", " "] {
        let judged = check("/", &[("a", "fine"), ("b", value)]);
        assert!(matches!(judged, Err(Refusal::BadRequest(_))), "{value:?}: {judged:?}");
    }
    for value in ["", "x", "x y", "x\ty"] {
        assert_eq!(check("/", &[("a", value)]), Ok(()), "{value:?}");
    }
}

#[test]
fn connect_has_no_target() {
    let uri = Uri::from_static("a.example:443");
    assert_eq!(validate(&Method::CONNECT, &uri, &HeaderMap::new(), &LIMITS), Ok(()));
}
