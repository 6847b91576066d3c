//! Which file a field names, and what is answered by it.

use std::sync::Arc;

use super::*;

/// The request of a scope with this `private_root`.
fn request(private_root: Option<&str>) -> Arc<Request> {
    let mut request = crate::tests::request("/report");
    let scope = &mut Arc::get_mut(&mut request).expect("nobody else has it").scope;
    Arc::make_mut(&mut Arc::make_mut(scope).options).private_root = private_root.map(Into::into);
    request
}

fn fields(given: &[(&'static str, &str)]) -> HeaderMap {
    let mut fields = HeaderMap::new();
    for (name, value) in given {
        let value = HeaderValue::from_bytes(value.as_bytes()).expect("is a value");
        fields.append(HeaderName::from_static(name), value);
    }
    fields
}

#[test]
fn c11_4_a_file_is_named_below_the_private_root() {
    let (sendfile, redirect) = (X_SENDFILE, X_ACCEL_REDIRECT);
    for (by, value, expected) in [
        (&sendfile, "/srv/private/a.txt", Some("/srv/private/a.txt")),
        (&sendfile, "a.txt", Some("/srv/private/a.txt")),
        (&sendfile, "sub/./a b.txt", Some("/srv/private/sub/./a b.txt")),
        (&sendfile, "a%20b?c", Some("/srv/private/a%20b?c")),
        (&sendfile, "..a/a.txt", Some("/srv/private/..a/a.txt")),
        (&sendfile, "/etc/passwd", None),
        (&sendfile, "/a.txt", None),
        (&sendfile, "/srv/private2/a.txt", None),
        (&sendfile, "../a.txt", None),
        (&sendfile, "sub/../../a.txt", None),
        (&sendfile, "/srv/private/../a.txt", None),
        (&sendfile, "", None),
        (&redirect, "/a%20b.txt", Some("/srv/private/a b.txt")),
        (&redirect, "/sub/a.txt?x=1", Some("/srv/private/sub/a.txt")),
        (&redirect, "/srv/private/a.txt", Some("/srv/private/a.txt")),
        (&redirect, "a.txt", Some("/srv/private/a.txt")),
        (&redirect, "/etc/passwd", Some("/srv/private/etc/passwd")),
        (&redirect, "/%2e%2e/a.txt", None),
        (&redirect, "/a%00.txt", None),
        (&redirect, "//etc/passwd", Some("/srv/private/etc/passwd")),
        (&redirect, "?x", None),
    ] {
        let value = HeaderValue::from_bytes(value.as_bytes()).expect("is a value");
        let named = Named { by: by.clone(), value };
        let found = named.below(Path::new("/srv/private"));
        assert_eq!(found.as_deref(), expected.map(Path::new), "{by}: {named}");
    }
}

#[test]
fn c11_4_a_field_that_names_a_file_is_never_sent() {
    let both = [("x-sendfile", "a.txt"), ("x-accel-redirect", "/b.txt"), ("x-other", "1")];
    for (root, status) in
        [(None, StatusCode::OK), (Some("/srv"), StatusCode::NOT_FOUND), (None, StatusCode::CREATED)]
    {
        let mut fields = fields(&both);
        assert!(answer(&request(root), "app", status, &mut fields).is_none());
        assert_eq!(fields.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-other"]);
    }
}

#[test]
fn c11_4_a_file_is_answered_with_the_other_fields() {
    let given = fields(&[
        ("x-sendfile", "a.txt"),
        ("x-accel-redirect", "/b.txt"),
        ("content-length", "3"),
        ("content-type", "text/x-own"),
        ("content-range", "bytes 0-2/9"),
        ("accept-ranges", "bytes"),
    ]);
    for status in [StatusCode::OK, StatusCode::PARTIAL_CONTENT] {
        let outcome = answer(&request(Some("/srv")), "app", status, &mut given.clone());
        let Some(Ok(Answer::File(path, fields))) = outcome else { panic!("no file: {outcome:?}") };
        assert_eq!(path, Path::new("/srv/a.txt"));
        assert_eq!(fields.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["content-type"]);
    }
}

#[test]
fn c11_4_a_file_outside_is_a_failure() {
    let mut given = fields(&[("x-sendfile", "/etc/passwd")]);
    let outcome = answer(&request(Some("/srv")), "app", StatusCode::OK, &mut given);
    let Some(Err(HandlerFault::Refused(Refusal::Internal, Some(why)))) = outcome else {
        panic!("it is answered: {outcome:?}")
    };
    assert_eq!(why, "`x-sendfile` names \"/etc/passwd\", which is not below `private_root`");
}

#[test]
fn an_answer_without_the_fields_is_left_as_it_is() {
    let mut given = fields(&[("content-length", "3")]);
    assert!(answer(&request(Some("/srv")), "app", StatusCode::OK, &mut given).is_none());
    assert_eq!(given.len(), 1);
}
