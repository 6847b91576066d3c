//! What a refusal becomes, and what is said of lengths.

use http_body::{Body as _, SizeHint};
use slimhttp_site::methods::Methods;
use slimhttp_site::refusal::Raised;

use super::*;

const LENGTH_OF_ANOTHER: HeaderValue = HeaderValue::from_static("7");

fn refused(refusal: Refusal) -> Response<Body> {
    refuse(refusal.into(), false)
}

#[test]
fn which_refusals_end_a_connection_is_no_field() {
    let raised = Raised { status: StatusCode::NOT_FOUND, text: None, fields: HeaderMap::new() };
    for (refusal, ends) in [
        (Refusal::BadRequest("x"), true),
        (Refusal::UriTooLong, true),
        (Refusal::HeaderTooLarge, true),
        (Refusal::ContentTooLarge(7), true),
        (Refusal::RequestTimeout, true),
        (Refusal::MemoryFull, true),
        (Refusal::MalformedContent, false),
        (Refusal::Forbidden, false),
        (Refusal::NotFound, false),
        (Refusal::MethodNotAllowed(Methods::Any), false),
        (Refusal::ExpectationFailed, false),
        (Refusal::Internal, false),
        (Refusal::BadGateway, false),
        (Refusal::Unavailable, false),
        (Refusal::NotStarted { is_starting: false }, false),
        (Refusal::Raised(raised.into()), false),
    ] {
        for response in [refused(refusal.clone()), refuse_head(&refusal, false)] {
            assert_eq!(
                response.extensions().get::<CloseConnection>().is_some(),
                ends,
                "{refusal:?}"
            );
            assert!(!response.headers().contains_key(CONNECTION), "{refusal:?}");
        }
    }
    // This one is about the connection.
    assert_eq!(refused(Refusal::UpgradeRequired).headers()[CONNECTION], "upgrade");
}

/// The `Content-Length` of a response with this status, body, and field.
fn announced(status: u16, body: Body, field: Option<HeaderValue>) -> Option<String> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    if let Some(field) = field {
        response.headers_mut().insert(CONTENT_LENGTH, field);
    }
    announce_length(&mut response);
    let length = response.headers().get(CONTENT_LENGTH)?;
    Some(length.to_str().expect("digits").to_owned())
}

#[test]
fn a_length_is_told_where_it_is_known_and_may_be() {
    let length = || Some(LENGTH_OF_ANOTHER);
    for (status, body, field, expected) in [
        (200, Body::from("page"), None, Some("4")),
        (200, Body::Empty, None, Some("0")),
        (404, Body::Empty, None, Some("0")),
        (205, Body::Empty, None, Some("0")),
        // Of what is left out, who has made the response says it, or nobody does.
        (200, Body::Omitted, None, None),
        (200, Body::Omitted, length(), Some("7")),
        // RFC 9110 sections 8.6, 15.3.5 and 15.4.5.
        (204, Body::Empty, None, None),
        (204, Body::Empty, length(), None),
        (204, Body::Omitted, length(), None),
        (103, Body::Empty, length(), None),
        (304, Body::Empty, None, None),
        (304, Body::Empty, length(), Some("7")),
        (304, Body::Omitted, length(), Some("7")),
    ] {
        let shown = format!("{status} {body:?} {field:?}");
        assert_eq!(announced(status, body, field).as_deref(), expected, "{shown}");
    }
}

#[test]
fn the_content_of_a_head_is_left_out_and_its_length_told() {
    for (body, expected) in
        [(Body::from("page"), Some("4")), (Body::Empty, Some("0")), (Body::Omitted, None)]
    {
        let mut response = Response::new(body);
        omit_content(&mut response);
        let length = response.headers().get(CONTENT_LENGTH).map(HeaderValue::as_bytes);
        assert_eq!(length, expected.map(str::as_bytes));
        assert!(response.body().is_end_stream());
        assert_eq!(response.body().size_hint().exact(), SizeHint::default().exact(), "and not 0");
    }
    let mut response = refused(Refusal::NotFound);
    let length = response.body().size_hint().exact().expect("a page").to_string();
    omit_content(&mut response);
    assert_eq!(response.headers()[CONTENT_LENGTH], length);
}

#[test]
fn c11_3_the_page_of_an_application_that_has_not_started_says_so() {
    for (refusal, says) in [
        (Refusal::Unavailable, "This server is busy. Please try again in a moment."),
        (
            Refusal::NotStarted { is_starting: true },
            "The application is starting. Please try again in a moment.",
        ),
        (Refusal::NotStarted { is_starting: false }, "The application has not started."),
    ] {
        let response = refused(refusal);
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE, "{says}");
        assert_eq!(response.headers()[RETRY_AFTER], "1", "{says}");
        let Body::Full(page) = response.into_body() else { panic!("a page is whole") };
        let page = std::str::from_utf8(&page).expect("text");
        assert!(page.contains(&format!("<p>{says}</p>")), "{page}");
    }
}
