//! Which page a refusal is answered with, and what is sent of it.

use http::header::{ETAG, IF_MATCH, LAST_MODIFIED, RANGE};
use serde_json::json;

use super::*;
use crate::files::tests::{Fixture, TREE, headers, text};

#[tokio::test]
async fn a_refusal_is_answered_by_the_page_of_its_status() {
    let pages = json!({"error_pages": {"404": "/404.html", "500": "/gone.html", "503": "/a"}});
    let site = Fixture::new(TREE, &pages);
    let rules = &site.site.global.options.answers;
    // The conditions and ranges of a request are not about the page.
    let fields = headers(&[(RANGE, "bytes=0-1"), (IF_MATCH, "\"x\"")]);
    for (status, method, expected) in [
        (404, Method::GET, "nothing"),
        (404, Method::POST, "nothing"),
        (404, Method::HEAD, ""),
        (500, Method::GET, "before"),
        (503, Method::GET, "before"),
        (403, Method::GET, "before"),
    ] {
        let mut response = Response::new(Body::from("before"));
        *response.status_mut() = StatusCode::from_u16(status).expect("a status");
        let request = FileRequest { method: &method, headers: &fields, rewritten: false };
        error_page(&site.lookup(), rules, request, &mut response).await;
        assert_eq!(response.status().as_u16(), status);
        let validators = [ETAG, LAST_MODIFIED];
        assert!(validators.iter().all(|name| !response.headers().contains_key(name)));
        assert_eq!(text(response).await, expected, "{status} {method}");
    }
}
