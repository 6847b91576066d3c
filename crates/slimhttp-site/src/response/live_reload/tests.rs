//! Which answers are added to, and what a policy comes to: a case is a line.

use http::header::HeaderValue;

use super::*;

fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    let field = |&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value));
    fields.iter().map(field).collect()
}

#[test]
fn only_a_browser_that_shows_a_page_is_given_another_one() {
    let accepts = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
    for (expected, method, fields) in [
        (true, "GET", &[("sec-fetch-dest", "document")][..]),
        (true, "HEAD", &[("sec-fetch-dest", "document")]),
        (true, "GET", &[("sec-fetch-dest", "iframe")]),
        (true, "GET", &[accepts]),
        (true, "GET", &[("accept", "Text/HTML")]),
        (false, "POST", &[("sec-fetch-dest", "document"), accepts]),
        (false, "GET", &[]),
        (false, "GET", &[("accept", "*/*")]),
        (false, "GET", &[("sec-fetch-dest", "empty"), accepts]),
        (false, "GET", &[("sec-fetch-dest", "script"), accepts]),
    ] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        assert_eq!(is_navigation(&method, &headers(fields)), expected, "{method} {fields:?}");
    }
}

#[test]
fn only_a_whole_page_is_added_to() {
    for (expected, status, fields) in [
        (true, 200, &[("content-type", "text/html")][..]),
        (true, 500, &[("content-type", "Text/HTML; charset=utf-8")]),
        (true, 404, &[("content-type", "text/html")]),
        (false, 206, &[("content-type", "text/html")]),
        (false, 204, &[("content-type", "text/html")]),
        (false, 304, &[("content-type", "text/html")]),
        (false, 200, &[("content-type", "text/html"), ("content-encoding", "gzip")]),
        (false, 200, &[("content-type", "text/plain")]),
        (false, 200, &[("content-type", "application/xhtml+xml")]),
        (false, 200, &[("content-type", "text/html-fragment")]),
        (false, 200, &[]),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        assert_eq!(is_page(status, &headers(fields)), expected, "{status} {fields:?}");
    }
}

/// `#` stands for the hash of the script.
#[test]
fn a_policy_admits_the_script_and_nothing_else() {
    for (policy, expected) in [
        ("", ""),
        ("img-src 'self'", "img-src 'self'"),
        ("script-src 'self'", "script-src 'self' #"),
        ("script-src 'none'", "script-src #"),
        ("script-src", "script-src #"),
        ("script-src 'nonce-abc' 'strict-dynamic'", "script-src 'nonce-abc' 'strict-dynamic' #"),
        ("script-src 'unsafe-inline'", "script-src 'unsafe-inline'"),
        ("script-src 'unsafe-inline' 'nonce-a'", "script-src 'unsafe-inline' 'nonce-a' #"),
        ("script-src-elem a.example; script-src b", "script-src-elem a.example #; script-src b"),
        ("Script-Src 'self'; script-src 'none'", "Script-Src 'self' #; script-src 'none'"),
        ("connect-src 'none'", "connect-src 'self'"),
        ("connect-src *", "connect-src *"),
        ("connect-src 'self'; img-src x", "connect-src 'self'; img-src x"),
        ("default-src 'none'", "default-src 'none'; script-src-elem #; connect-src 'self'"),
        ("default-src 'self'", "default-src 'self'; script-src-elem 'self' #"),
        (
            "default-src 'self' 'unsafe-inline'; connect-src a",
            "default-src 'self' 'unsafe-inline'; connect-src a 'self'",
        ),
        (" ; script-src a ;; ", "script-src a #"),
        ("script-src a, connect-src b", "script-src a #,connect-src b 'self'"),
    ] {
        assert_eq!(allow_in_policy(policy), expected.replace('#', HASH), "{policy}");
    }
}
