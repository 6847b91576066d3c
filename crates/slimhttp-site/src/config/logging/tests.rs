//! The words of `SLIMHTTP_LOG`.

use super::*;

#[test]
fn levels_forms_and_directives() {
    let directives = |text: &str| LogFilter::Directives(text.to_owned());
    for (text, json, filter) in [
        ("", false, LogFilter::Default),
        (" , ", false, LogFilter::Default),
        ("debug", false, LogFilter::Level("debug")),
        (" WARN ", false, LogFilter::Level("warn")),
        ("warning", false, LogFilter::Level("warn")),
        ("critical", false, LogFilter::Level("error")),
        ("off", false, LogFilter::Level("off")),
        ("json", true, LogFilter::Default),
        ("text", false, LogFilter::Default),
        ("json,debug", true, LogFilter::Level("debug")),
        ("trace, JSON", true, LogFilter::Level("trace")),
        ("hyper=debug", false, directives("hyper=debug")),
        (
            "hyper = Debug,slimhttp_server::proxy,info",
            false,
            directives("hyper=debug,slimhttp_server::proxy=trace,info"),
        ),
        ("_slimhttp,json", true, directives("_slimhttp=trace")),
        ("rustls::conn", false, directives("rustls::conn=trace")),
    ] {
        assert_eq!(Logging::parse(text), Ok(Logging { json, filter }), "{text:?}");
    }
}

#[test]
fn it_is_written_as_it_may_be_read() {
    for text in ["off", "debug", "json", "trace,json", "hyper=debug,info", "hyper=debug,json"] {
        let logging = Logging::parse(text).expect("words");
        assert_eq!(logging.to_string(), text);
    }
    assert_eq!(Logging::default().to_string(), "info", "what is usual");
}

#[test]
fn an_unknown_word_is_an_error() {
    for (text, found, meant) in [
        ("verbose", "verbose", None),
        ("debgu", "debgu", Some("debug")),
        ("jsn", "jsn", Some("json")),
        ("info,loud", "loud", None),
        ("hyper", "hyper", None),
        ("slimhttp_server=loud", "slimhttp_server=loud", None),
        ("slimhttp_server=inof", "slimhttp_server=inof", Some("info")),
        ("=debug", "=debug", None),
        ("[span]=debug", "[span]=debug", None),
        ("a b=debug", "a b=debug", None),
        ("=,,=[[", "=", None),
    ] {
        let unknown = Unknown { found: found.to_owned(), meant };
        assert_eq!(Logging::parse(text), Err(unknown), "{text:?}");
    }
}

#[test]
fn what_is_said_of_an_unknown_word() {
    let said = Logging::parse("jsn").expect_err("no word").to_string();
    assert!(said.starts_with("expected `error`, `warn`"), "{said}");
    assert!(said.ends_with(", found `jsn`\n  hint: did you mean `json`?"), "{said}");
}
