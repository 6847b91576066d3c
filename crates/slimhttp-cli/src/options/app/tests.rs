//! Lines of `app`: the configurations that they spell, and what is said of wrong ones.

use std::ffi::OsString;
use std::path::Path;

use super::bind::{Bind, read as read_bind};
use crate::document::to_toml;
use crate::options::{Command, Options};

fn app(line: &str) -> Result<Box<super::App>, clap::Error> {
    match Options::read(line.split_whitespace().map(OsString::from), "python -m slimHTTP")?.command
    {
        Command::App(app) => Ok(app),
        other => panic!("{line} is {other:?}"),
    }
}

/// What a line spells, as a file; without what every one of them spells.
fn config(line: &str) -> String {
    let read = app(line).expect(line).read(Path::new("/")).expect(line);
    let usual = [
        "access_log = \"common\"",
        "addr = \"127.0.0.1\"",
        "app = \"a:b\"",
        "event_loop = \"auto\"",
        "port = 8000",
        "python_threads = 4",
        "trusted_proxies = [\"127.0.0.1\", \"::1\"]",
    ];
    let text = to_toml(&read.config);
    let lines = text.lines().filter(|line| !line.is_empty() && !usual.contains(line));
    lines.collect::<Vec<_>>().join("; ")
}

#[test]
fn app_spells_a_configuration() {
    for (line, expected) in [
        ("app a:b", ""),
        ("app a:b --host :: -p 80", "addr = \"::\"; port = 80"),
        ("app a:b --bind 0.0.0.0:80", "addr = \"0.0.0.0\"; port = 80"),
        ("app a:b -b [::1]", "addr = \"::1\""),
        ("app a:b --bind 0.0.0.0 --port 9000", "addr = \"0.0.0.0\"; port = 9000"),
        ("app a:b --static /s=a --static /t=b", MOUNTS),
        ("app a:b --factory", "app = \"a:b()\""),
        ("app a", "app = \"a\""),
        ("app a:b --interface wsgi", "interface = \"wsgi\""),
        // One thread is all that an ASGI application has use for.
        ("app a:b --interface asgi3", "interface = \"asgi\""),
        ("app a:b --threads 9 -w 1", "python_threads = 9"),
        ("app a:b --app-dir /tmp", "app_dir = \"/tmp\""),
        ("app a:b --pythonpath tmp", "app_dir = \"tmp\""),
        ("app a:b -e A=1 --env B=2=3", "[app_env]; A = \"1\"; B = \"2=3\""),
        ("app a:b --root-path /shop", "root_path = \"/shop\""),
        ("app a:b --loop asyncio", "event_loop = \"asyncio\""),
        ("app a:b --lifespan off", "lifespan = \"off\""),
        ("app a:b --log-level warning", "log = \"warning\""),
        ("app a:b --access-log json", "access_log = \"json\""),
        ("app a:b --access-logfile -", ""),
        ("app a:b --access-logfile log", "[access_log]; file = \"log\"; format = \"common\""),
        ("app a:b --ssl-certfile c --ssl-keyfile k", "cert = \"c\"; key = \"k\""),
        ("app a:b --certfile c --keyfile k", "cert = \"c\"; key = \"k\""),
        ("app a:b --timeout-keep-alive 5", "idle_timeout = 5.0"),
        ("app a:b --keep-alive 5 --graceful-timeout 1.5", "grace_period = 1.5; idle_timeout = 5.0"),
        ("app a:b --timeout-graceful-shutdown 1", "grace_period = 1.0"),
        ("app a:b --limit-concurrency 7", "max_queue = 7"),
        ("app a:b --max-body 50MiB", "max_body = \"50MiB\""),
        ("app a:b --max-body 1000", "max_body = 1000"),
        ("app a:b --header A:1", "[response_headers]; A = \"1\""),
        ("app a:b --header A:1 --header A:2", "[response_headers]; A = [\"1\", \"2\"]"),
        ("app a:b --static /s=./s", "[mounts.\"/s\"]; scripts = false; web_root = \"./s\""),
        ("app a:b --reload", "debug = true"),
        ("app a:b --debug", "debug = true"),
        (
            "app a:b --forwarded-allow-ips 10.0.0.1,10.1.0.0/16",
            "trusted_proxies = [\"10.0.0.1\", \"10.1.0.0/16\"]",
        ),
        ("app a:b --forwarded-allow-ips *", "trusted_proxies = [\"0.0.0.0/0\", \"::/0\"]"),
    ] {
        let found = config(line);
        assert_eq!(found, expected, "{line}");
    }
    for (line, without) in [
        ("app a:b --no-access-log", "access_log"),
        ("app a:b --access-log --no-access-log", "access_log"),
        ("app a:b --no-proxy-headers", "trusted_proxies"),
        ("app a:b --interface asgi", "python_threads"),
    ] {
        let read = app(line).expect(line).read(Path::new("/")).expect(line);
        assert!(!read.config.root().contains_key(without), "{line}");
    }
}

#[test]
fn the_later_of_two_opposites_wins() {
    for (line, expected) in [
        ("app a:b --no-access-log --access-log", true),
        ("app a:b --access-log --no-access-log", false),
    ] {
        let read = app(line).expect(line).read(Path::new("/")).expect(line);
        assert_eq!(read.config.root().contains_key("access_log"), expected, "{line}");
    }
}

#[test]
fn what_does_not_fit_is_refused_in_words() {
    for (line, expected) in [
        (
            "app a:b --workers 4",
            "--workers 4: slimHTTP serves from one process; `--threads 4` answers 4 requests",
        ),
        ("app a:b --workers 0", "--workers 0: expected 1"),
        ("app a:b --interface asgi2", "expected an application of ASGI 3"),
        ("app a:b --app-dir /no/such", "--app-dir: /no/such: No such file"),
        ("app a:b --chdir /no/such", "--chdir: /no/such: No such file"),
        ("app a:b --env-file /no/such", "--env-file: /no/such: No such file"),
        ("app ./no_such.py", "there is no ./no_such.py"),
        ("app a:b --static /s=.", "--static /s=.: expected a folder without the application"),
        ("app a:b --static /s=/ --app-dir /tmp", "which is imported from /tmp"),
    ] {
        let said = app(line).expect(line).read(Path::new("/")).map(drop).expect_err(line);
        assert!(said.contains(expected), "{line}: {said}");
    }
    for (line, expected) in [
        ("app", "<TARGET>"),
        ("app a:b --static /s", "expected a path and a folder such as `/static=./static`"),
        ("app a:b --static s=./s", "expected a path and a folder such as `/static=./static`"),
        ("app a:b --header A", "expected `Name: value`"),
        ("app a:b --env A", "expected `NAME=value`"),
        ("app a:b --ssl-keyfile k", "--ssl-certfile"),
        ("app a:b --reload-dir a", "--reload"),
        ("app a:b --uds /a", "  tip: it listens on a port: `--bind 127.0.0.1:8000`\n"),
        ("app a:b --uds=/a", "  tip: it listens on a port: `--bind 127.0.0.1:8000`\n"),
        ("app a:b -k gevent", "  tip: the interface decides"),
        ("app a:b --timeout 30", "  tip: a request may take as long as its client waits"),
        ("app a:b -c gunicorn.conf.py", "  tip: `run FILE` takes a configuration file"),
    ] {
        let said = app(line).expect_err(line).to_string();
        assert!(said.contains(expected), "{line}: {said}");
        assert!(said.matches("tip: ").count() <= 1, "{said}");
    }
}

const MOUNTS: &str = "[mounts.\"/s\"]; scripts = false; web_root = \"a\"; \
                      [mounts.\"/t\"]; scripts = false; web_root = \"b\"";

#[test]
fn two_flags_do_not_say_the_same_twice() {
    for (line, expected) in [
        (
            "app a:b --host ::1 --bind [::1]:80",
            "error: either --bind or --host: both say where to listen\n\n",
        ),
        (
            "app a:b --bind 127.0.0.1 --host 127.0.0.1",
            "error: either --bind or --host: both say where to listen\n\n",
        ),
        ("app a:b -b :80 -p 80", "error: either --bind or --port: both say where to listen\n\n"),
    ] {
        let said = app(line).expect_err(line);
        assert_eq!(said.kind(), clap::error::ErrorKind::ArgumentConflict, "{line}");
        assert!(said.to_string().starts_with(expected), "{said}");
    }
    for line in ["app a:b --static /s=a --static /s=b", "app a:b --static /s=a --static /s/=a"] {
        let said = app(line).expect(line).read(Path::new("/")).expect_err(line);
        assert!(said.starts_with("--static: expected every path once, found `/s"), "{said}");
    }
}

#[test]
fn an_address_and_a_port_may_be_one_word() {
    for (text, address, port) in [
        ("127.0.0.1:80", "127.0.0.1", Some(80)),
        ("localhost", "localhost", None),
        (":80", "", Some(80)),
        ("[::1]:80", "::1", Some(80)),
        ("[::1]", "::1", None),
    ] {
        let expected = Bind { address: address.to_owned(), port };
        assert_eq!(read_bind(text), Ok(expected), "{text}");
    }
    for (text, expected) in [
        ("::1", "in brackets"),
        ("[::1", "expected `]`"),
        ("[::1]80x", "found `80x`"),
        ("a:b", "found `b`"),
        ("a:65536", "found `65536`"),
        ("", "such as `127.0.0.1:8000`"),
        ("[]:80", "such as `127.0.0.1:8000`"),
        ("unix:/run/a", "expected an address and a port"),
        ("fd://3", "expected an address and a port"),
    ] {
        let said = read_bind(text).expect_err(text);
        assert!(said.contains(expected), "{text}: {said}");
    }
}
