//! What arguments and a file prepare, and what is said where they prepare nothing.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::Arc;

use slimhttp_server::StartError;
use slimhttp_site::fault::{Fault, Faults, Place};
use slimhttp_site::listener::{Endpoint, Listener};
use slimhttp_site::value::Value;

use crate::document::Document;
use crate::ended::{FAILURE, USAGE};
use crate::options::Listen;
use crate::{Origin, prepare, server_config_of};

fn document(text: &str) -> Document {
    Document::parse(Path::new("conf/site.toml"), text.to_owned()).expect("TOML")
}

fn status(args: &[&str]) -> Option<i32> {
    prepare(args.iter().map(OsString::from), "slimhttp", false).err().map(|ended| ended.status)
}

#[test]
fn a_file_and_the_flags_beside_it_say_where_to_listen() {
    let flags = |addr: Option<&str>, port| Listen { addr: addr.map(str::to_owned), port };
    for (text, listen, expected) in [
        ("", flags(None, None), "http://:80"),
        ("addr = '::1'\nport = 0", flags(None, None), "http://[::1]:0"),
        ("addr = '::1'\nport = 1", flags(Some("a.example"), None), "http://a.example:1"),
        ("addr = '::1'\nport = 1", flags(None, Some(2)), "http://[::1]:2"),
        // A flag covers what is wrong in the file.
        ("port = 'http'", flags(None, Some(2)), "http://:2"),
        // A certificate asks for HTTPS.
        ("cert = 'c'\nkey = 'k'", flags(None, None), "https://:443"),
        ("tls = 'auto'", flags(None, None), "https://:443"),
        ("[vhosts.a.tls]\ncert = 'c'", flags(None, None), "https://:443"),
        ("[vhosts.a]\nproxy = 'b:1'\nssl = true", flags(None, None), "http://:80"),
        ("ssl = { cert = 'c', key = 'k' }", flags(None, Some(8443)), "https://:8443"),
        // With neither, `listen` says it.
        ("listen = ['https://:443', 'http://:80']", flags(None, None), "https://:443"),
        ("listen = ['https://:443', 'http://:80']", flags(None, Some(2)), "http://:2"),
        // This is TLS to an upstream.
        ("proxy = 'a:1'\nssl = true", flags(None, None), "http://:80"),
    ] {
        let (server_config, faults) =
            server_config_of(&document(text), &listen, false).expect("a configuration");
        assert_eq!(faults, [], "{text}");
        let first = server_config.first_listener().expect("there is one");
        assert_eq!(first.to_string(), expected, "{text}");
    }
}

#[test]
fn c3_4_the_configuration_and_the_listener_agree() {
    let listen = Listen { addr: Some("127.0.0.1".into()), port: Some(8080) };
    let text = "addr = '::1'\nport = 1\nweb_root = 'a'";
    let (server_config, _) =
        server_config_of(&document(text), &listen, false).expect("a configuration");
    assert_eq!(server_config.config.get(&["addr".into()]), Some(&"127.0.0.1".into()));
    assert_eq!(server_config.config.get(&["port".into()]), Some(&Value::Integer(8080)));
    assert_eq!(server_config.config.get(&["web_root".into()]), Some(&"a".into()));
}

#[test]
fn c2_6_a_wrong_address_or_port_is_a_fault() {
    let place = |key| Place::default().key(key);
    for (text, expected) in [
        ("port = 65536", vec![(place("port"), "`65536`")]),
        ("port = -1", vec![(place("port"), "`-1`")]),
        ("port = '80'", vec![(place("port"), "`80`")]),
        ("addr = 1\nport = 1.5", vec![(place("addr"), "`1`"), (place("port"), "`1.5`")]),
    ] {
        let (_, faults) =
            server_config_of(&document(text), &Listen::default(), false).expect("a configuration");
        let found: Vec<_> = faults
            .iter()
            .map(|fault| (fault.place.clone(), fault.found.as_deref().unwrap_or_default()))
            .collect();
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn a_module_is_no_fault_where_python_is_to_come() {
    for python in [false, true] {
        let (server_config, _) =
            server_config_of(&document(""), &Listen::default(), python).expect("a configuration");
        assert_eq!(server_config.handler.is_some(), python);
    }
}

#[test]
fn serve_listens_on_8080_and_starts_at_the_working_directory() {
    let prepared =
        prepare(["serve", "src"].map(OsString::from), "slimhttp", false).expect("a configuration");
    let server_config = prepared.server_config;
    let first = server_config.first_listener().expect("there is one");
    assert_eq!(first.to_string(), "http://:8080");
    assert_eq!(server_config.base, std::env::current_dir().expect("a working directory"));
    assert_eq!(server_config.config.get(&["web_root".into()]), Some(&"src".into()));
}

#[test]
fn what_cannot_be_prepared_has_its_status() {
    for (args, expected) in [
        (&["--version"][..], Some(0)),
        (&["frobnicate"], Some(USAGE)),
        (&["serve", "no such folder"], Some(USAGE)),
        (&["serve", "Cargo.toml"], Some(USAGE)),
        (&["run", "no such file"], Some(FAILURE)),
        (&["run", "src"], Some(FAILURE)),
        (&["check", "no such file"], Some(FAILURE)),
        (&["check", "src/main.rs"], Some(FAILURE)),
        (&["serve", "src", "--port", "0"], None),
    ] {
        assert_eq!(status(args), expected, "{args:?}");
    }
}

#[test]
fn an_application_is_served_where_python_is() {
    let app = |python, more: &[&str]| {
        let args = ["app", "a:b", "--app-dir", "src"].iter().chain(more).map(OsString::from);
        prepare(args, "slimhttp", python)
    };
    let prepared = app(true, &["--reload"]).expect("a configuration");
    let here = std::env::current_dir().expect("a working directory");
    let server_config = prepared.server_config;
    let first = server_config.first_listener().expect("there is one");
    assert_eq!(first.to_string(), "http://127.0.0.1:8000");
    assert_eq!(server_config.config.get(&["app_dir".into()]), Some(&"src".into()));
    assert_eq!((server_config.base, prepared.folder), (here.clone(), None));
    assert_eq!(prepared.reload.expect("watching").folders, [here.join("src")]);

    let moved = app(true, &["--chdir", "src", "--app-dir", "."]);
    assert_eq!(moved.map(drop).expect_err("twice").status, USAGE);
    let args = ["app", "a:b", "--chdir", "src"].map(OsString::from);
    let moved = prepare(args, "slimhttp", true).expect("a configuration");
    assert_eq!(moved.folder, Some(here.join("src")));
    assert_eq!(moved.server_config.base, here.join("src"));
    assert_eq!(moved.reload, None);

    let ended = app(false, &[]).map(drop).expect_err("no Python");
    assert_eq!(ended.status, USAGE);
    assert!(ended.message.contains("`python -m slimHTTP app …` has"), "{}", ended.message);
}

#[test]
fn a_server_that_does_not_start_says_why() {
    let listen = |address: &str, port, kind: io::ErrorKind| StartError::Listen {
        listener: Arc::new(Listener::new(Endpoint::tcp(address, port), false)),
        cause: kind.into(),
    };
    let fault = Fault {
        place: Place::default().key("web_root"),
        expected: "a path".into(),
        found: Some("`3`".into()),
        hint: None,
    };
    let faults = || StartError::Config(Faults(vec![fault.clone()]));
    let flags = Origin(None);
    let file = Origin(Some(document("\nweb_root = 3")));
    for (origin, error, expected) in [
        (&flags, faults(), "slimhttp: web_root: expected a path, found `3`\n"),
        (&file, faults(), "conf/site.toml:2:12: web_root: expected a path, found `3`\n"),
        (
            &flags,
            listen("", 80, io::ErrorKind::PermissionDenied),
            "slimhttp: cannot listen on port 80 of every interface: permission denied\n  \
             hint: ports below 1024 need a privilege; `--port 8080` does not\n",
        ),
        (
            &flags,
            listen("::1", 8080, io::ErrorKind::AddrInUse),
            "slimhttp: cannot listen on [::1]:8080: address in use\n  \
             hint: another program has it; `--port 0` takes a free port\n",
        ),
        (
            &file,
            listen("192.0.2.1", 8080, io::ErrorKind::AddrNotAvailable),
            "slimhttp: cannot listen on 192.0.2.1:8080: address not available\n",
        ),
    ] {
        assert_eq!(origin.explain(&error), expected);
    }
}
