//! Lines of arguments: what they spell, and what is said of wrong ones.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use clap::CommandFactory as _;
use clap::error::ErrorKind;
use slimhttp_site::value::Value;

use super::{Command, Options};

fn read(line: &str) -> Result<Options, clap::Error> {
    Options::read(line.split_whitespace().map(OsString::from), "slimhttp")
}

#[test]
fn the_flags_do_not_contradict_each_other() {
    Options::command().debug_assert();
}

/// The configuration that a `serve` line spells, as `key=value` in the order of
/// keys.
fn config(line: &str) -> String {
    let Command::Serve(serve) = read(line).expect("a line").command else {
        panic!("{line} is not `serve`");
    };
    let config = serve.config().expect("a configuration");
    let show = |value: &Value| match value {
        Value::List(items) => items.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    };
    let pairs = config.root().iter().map(|(key, value)| format!("{key}={}", show(value)));
    pairs.collect::<Vec<_>>().join(" ")
}

#[test]
fn serve_spells_a_configuration() {
    for (line, expected) in [
        ("serve", "scripts=`false` web_root=`.`"),
        ("serve public", "scripts=`false` web_root=`public`"),
        (
            "serve a --index i.html --index j.html",
            "index=`i.html`,`j.html` scripts=`false` web_root=`a`",
        ),
        ("serve --access-log", "access_log=`combined` scripts=`false` web_root=`.`"),
        ("serve a --access-log json", "access_log=`json` scripts=`false` web_root=`a`"),
        ("serve --access-log=common a", "access_log=`common` scripts=`false` web_root=`a`"),
        ("serve --debug", "debug=`true` scripts=`false` web_root=`.`"),
        ("serve --io-threads 3", "io_threads=`3` scripts=`false` web_root=`.`"),
        ("serve --scripts", "scripts=`true` web_root=`.`"),
        // Where it listens is no part of the configuration.
        ("serve --addr ::1 --port 1", "scripts=`false` web_root=`.`"),
    ] {
        assert_eq!(config(line), expected, "{line}");
    }
}

#[test]
fn a_folder_name_that_no_configuration_can_say_is_refused() {
    let args = ["serve".into(), OsString::from_vec(b"a\xff".to_vec())];
    let Ok(Options { command: Command::Serve(serve) }) = Options::read(args, "slimhttp") else {
        panic!("not `serve`");
    };
    assert_eq!(serve.config(), Err("expected a name in UTF-8, found \"a\\xFF\"".to_owned()));
}

#[test]
fn wrong_lines_are_refused_with_the_status_of_usage() {
    for (line, kind, says) in [
        ("", ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand, "Usage: slimhttp <COMMAND>"),
        ("srve", ErrorKind::InvalidSubcommand, "'serve'"),
        (
            "frobnicate",
            ErrorKind::InvalidSubcommand,
            "`check`, `certificates`, `completion` and `man`",
        ),
        ("src", ErrorKind::InvalidSubcommand, "to serve `src`, write `serve src`"),
        ("Cargo.toml", ErrorKind::InvalidSubcommand, "to run `Cargo.toml`, write `run Cargo.toml`"),
        ("run", ErrorKind::MissingRequiredArgument, "<FILE>"),
        ("check", ErrorKind::MissingRequiredArgument, "<FILE>"),
        ("run a b", ErrorKind::UnknownArgument, "'b'"),
        ("check a --port 1", ErrorKind::UnknownArgument, "'--port'"),
        ("serve --port 65536", ErrorKind::ValueValidation, "0..=65535"),
        ("serve --port http", ErrorKind::ValueValidation, "'http'"),
        ("serve --io-threads 0", ErrorKind::ValueValidation, "1..=1024"),
        ("serve --access-log pretty", ErrorKind::InvalidValue, "common, combined, json"),
        ("serve --acces-log", ErrorKind::UnknownArgument, "'--access-log'"),
    ] {
        let error = read(line).expect_err(line);
        let said = error.to_string();
        assert_eq!((error.kind(), error.exit_code()), (kind, 2), "{line}: {said}");
        assert!(said.contains(says), "{line}: {said}");
    }
}

#[test]
fn help_and_version_are_no_failure_and_bear_the_programs_name() {
    for (line, name, says) in [
        ("--version", "slimhttp", concat!("slimhttp ", env!("CARGO_PKG_VERSION"))),
        ("--version", "python -m slimHTTP", concat!("slimhttp ", env!("CARGO_PKG_VERSION"))),
        ("--help", "slimhttp", "\n  slimhttp run site.toml --port 8080 "),
        ("--help", "python -m slimHTTP", "\n  python -m slimHTTP check site.toml "),
        ("serve --help", "python -m slimHTTP", "Usage: python -m slimHTTP serve [OPTIONS] [DIR]"),
    ] {
        let args = line.split_whitespace().map(OsString::from);
        let error = Options::read(args, name).expect_err(line);
        let said = error.to_string();
        assert_eq!(error.exit_code(), 0, "{line}: {said}");
        assert!(said.contains(says), "{line}: {said}");
    }
}

#[test]
fn a_former_flag_leads_to_the_one_of_today() {
    for line in ["serve --workers 2", "serve --workers=2 a", "serve --threads 3"] {
        let said = read(line).expect_err(line).to_string();
        assert!(said.contains("  tip: did you mean `--io-threads`?\n"), "{said}");
        assert_eq!(said.matches("tip: ").count(), 1, "{said}");
    }
    let said = read("serve --io-thread 2").expect_err("no such flag").to_string();
    assert!(said.contains("a similar argument exists: '--io-threads'"), "{said}");
}

#[test]
fn every_flag_has_its_variable() {
    use super::environment::VARIABLES;

    for command in Options::command().get_subcommands() {
        let flags = command.get_arguments().filter(|arg| arg.get_long().is_some());
        // What names an application, what watches it, and what is asked of certificates, is what
        // somebody types.
        let is_typed = |flag: &str| {
            matches!(command.get_name(), "app" | "certificates") || flag.starts_with("reload")
        };
        let shared = ["host", "port", "access_log", "debug"];
        for flag in flags.filter(|flag| flag.get_id() != "help") {
            let id = flag.get_id().as_str();
            if is_typed(id) && !shared.contains(&id) {
                continue;
            }
            let named = if id == "host" { "addr" } else { id };
            let name = format!("SLIMHTTP_{}", named.to_uppercase());
            let known = VARIABLES.iter().find(|(id, _)| flag.get_id() == id);
            assert_eq!(known.map(|(_, name)| *name), Some(name.as_str()));
        }
    }
}

#[test]
fn the_port_of_the_platform_comes_last() {
    use super::environment::port;

    for (given, variable, expected) in [
        (Some(1), Some("2"), Ok(Some(1))),
        (None, Some("2"), Ok(Some(2))),
        (None, Some(" 3000\n"), Ok(Some(3000))),
        (None, Some(""), Ok(None)),
        (None, None, Ok(None)),
        (None, Some("http"), Err("PORT: expected a number from 0 to 65535, found `http`")),
        (None, Some("65536"), Err("PORT: expected a number from 0 to 65535, found `65536`")),
        (Some(1), Some("http"), Ok(Some(1))),
    ] {
        let found = port(given, variable.map(OsString::from));
        match (found, expected) {
            (Ok(found), expected) => assert_eq!(Ok(found), expected, "{variable:?}"),
            (Err(error), expected) => {
                let said = expected.expect_err("a port");
                assert!(error.to_string().contains(said), "{error}");
            }
        }
    }
}

#[test]
fn what_kubernetes_says_of_a_service_is_not_meant_for_us() {
    use super::environment::is_set;

    for (name, value, expected) in [
        ("SLIMHTTP_PORT", "8080", true),
        ("SLIMHTTP_PORT", "http", true),
        ("SLIMHTTP_PORT", "", false),
        ("SLIMHTTP_PORT", "tcp://10.0.0.1:80", false),
        ("SLIMHTTP_PORT", "udp://[fd00::1]:443", false),
        ("SLIMHTTP_PORT", "sctp://10.0.0.1:80", false),
        // No Service sets these.
        ("SLIMHTTP_INDEX", "tcp://10.0.0.1:80", true),
    ] {
        assert_eq!(is_set(name, value.as_ref()), expected, "{name}={value}");
    }
}
