//! Which variant of a file is sent to whom.

use std::time::Duration;

use http::HeaderMap;
use http::header::{ACCEPT_ENCODING, RANGE};
use serde_json::json;

use super::*;
use crate::files::lookup::Resolved;
use crate::files::lookup_budget::LookupBudget;
use crate::files::response::Source;
use crate::files::tests::{Fixture, headers, set_modified};

/// What is selected for a request, in words: the coding, where the bytes come from, and
/// whether it varies.
async fn selected(site: &Fixture, name: &str, method: &Method, fields: &HeaderMap) -> String {
    let lookup = site.lookup();
    let path = SafePath::of_names(name.as_bytes()).expect("plain names");
    let found = lookup.find(&path, &mut LookupBudget::default()).await;
    let Ok(Resolved::File(file)) = found else { panic!("{name} is no file") };
    let request = FileRequest { method, headers: fields, rewritten: false };
    let representation = select(&lookup, &path, &file, &request).await;
    let bytes = match representation.source {
        Source::Memory(bytes) if bytes.starts_with(b"beside") => "beside",
        Source::Memory(bytes) if bytes.starts_with(b"text") => "as it is",
        Source::Memory(_) => "made here",
        Source::File(_) => "streamed",
    };
    let coding = representation.coding.map_or("identity", Coding::token);
    // A tag of one coding is never that of another one.
    let is_own = *representation.etag == *file.etag();
    assert_eq!(is_own, representation.coding.is_none(), "{name}");
    format!("{coding}, {bytes}{}", if representation.varies { ", varies" } else { "" })
}

/// Options, a file, what is accepted, and what is selected.
#[tokio::test]
async fn the_coding_follows_from_the_file_the_rules_and_the_request() {
    let long = "text ".repeat(1000);
    let files = [
        ("long.txt", &*long),
        ("short.txt", "text"),
        ("long.png", &long),
        ("both.txt", &long),
        ("both.txt.br", "beside, br"),
        ("both.txt.gz", "beside, gz"),
        ("old.txt", &long),
        ("old.txt.gz", "beside, but old"),
        ("linked.txt", &long),
        ("hidden.txt", &long),
        ("packed.svg.gz", "text, packed"),
    ];
    for (options, name, accepted, expected) in [
        (json!({}), "long.txt", "", "identity, as it is, varies"),
        (json!({}), "long.txt", "gzip", "gzip, made here, varies"),
        (json!({}), "long.txt", "gzip, br, zstd", "br, made here, varies"),
        (json!({}), "long.txt", "br;q=0, zstd", "zstd, made here, varies"),
        (json!({}), "long.txt", "deflate", "identity, as it is, varies"),
        (json!({}), "short.txt", "gzip", "identity, as it is, varies"),
        (json!({}), "long.png", "gzip", "identity, as it is"),
        (json!({}), "both.txt", "br", "br, beside, varies"),
        (json!({}), "both.txt", "gzip", "gzip, beside, varies"),
        (json!({}), "both.txt", "zstd", "zstd, made here, varies"),
        (json!({}), "old.txt", "gzip", "gzip, made here, varies"),
        (json!({"compress": false}), "both.txt", "br", "identity, as it is"),
        (json!({"compress": {"precompressed": false}}), "both.txt", "br", "br, made here, varies"),
        (
            json!({"compress": {"on_the_fly": false}}),
            "long.txt",
            "br",
            "identity, as it is, varies",
        ),
        (json!({"content_encoding": ["*.gz"]}), "packed.svg.gz", "gzip", "gzip, as it is, varies"),
        (
            json!({"content_encoding": ["*.gz"]}),
            "packed.svg.gz",
            "br",
            "identity, as it is, varies",
        ),
        (json!({}), "packed.svg.gz", "gzip", "identity, as it is"),
    ] {
        let site = Fixture::new(&files, &options);
        set_modified(&site.path("old.txt.gz"), Duration::from_secs(10));
        let fields = match accepted {
            "" => HeaderMap::new(),
            accepted => headers(&[(ACCEPT_ENCODING, accepted)]),
        };
        for method in [Method::GET, Method::HEAD] {
            let found = selected(&site, name, &method, &fields).await;
            assert_eq!(found, expected, "{options} {method} {name} {accepted}");
        }
    }
}

#[tokio::test]
async fn a_range_is_of_the_file_as_it_is() {
    let long = "text ".repeat(1000);
    let site = Fixture::new(&[("long.txt", &*long)], &json!({}));
    let fields = headers(&[(ACCEPT_ENCODING, "gzip"), (RANGE, "bytes=0-1")]);
    for (method, expected) in [
        (Method::GET, "identity, as it is, varies"),
        // A range is not defined for it (RFC 9110 section 14.2).
        (Method::HEAD, "gzip, made here, varies"),
    ] {
        assert_eq!(selected(&site, "long.txt", &method, &fields).await, expected, "{method}");
    }
}

/// A sibling that leads to a hidden file, or to nothing, is none.
#[tokio::test]
async fn a_sibling_must_be_one_that_may_be_sent() {
    let long = "text ".repeat(1000);
    let files = [("a.txt", &*long), ("b.txt", &long), (".secret", "beside, but hidden")];
    let site = Fixture::new(&files, &json!({}));
    std::os::unix::fs::symlink(".secret", site.path("a.txt.gz")).expect("a link");
    std::fs::create_dir(site.path("b.txt.gz")).expect("a folder");
    let fields = headers(&[(ACCEPT_ENCODING, "gzip")]);
    for name in ["a.txt", "b.txt"] {
        let found = selected(&site, name, &Method::GET, &fields).await;
        assert_eq!(found, "gzip, made here, varies", "{name}");
    }
}

#[tokio::test]
async fn a_long_file_is_sent_as_it_is_until_it_has_been_compressed() {
    let long = "text ".repeat(100_000);
    let site = Fixture::new(&[("long.txt", &*long)], &json!({}));
    let fields = headers(&[(ACCEPT_ENCODING, "gzip")]);
    let found = selected(&site, "long.txt", &Method::GET, &fields).await;
    assert_eq!(found, "identity, streamed, varies");
    // Who takes nothing else waits for it, where its identity can be trusted.
    let strict = headers(&[(ACCEPT_ENCODING, "gzip, identity;q=0")]);
    let found = selected(&site, "long.txt", &Method::GET, &strict).await;
    assert_eq!(found, "identity, streamed, varies", "it was written just now");
}
