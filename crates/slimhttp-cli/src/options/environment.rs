//! Flags from the environment: `SLIMHTTP_PORT` is `--port`, and so
//! on. A flag wins over it; it wins over a configuration file. `PORT`, which
//! platforms set for every program alike, comes behind `SLIMHTTP_PORT`. A
//! variable that is empty is none. Read once, on the main thread, before anything else runs.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

use clap::builder::BoolishValueParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgAction, Command};

/// Each flag and its variable.
pub(super) const VARIABLES: &[(&str, &str)] = &[
    ("addr", "SLIMHTTP_ADDR"),
    ("host", "SLIMHTTP_ADDR"),
    ("port", "SLIMHTTP_PORT"),
    ("index", "SLIMHTTP_INDEX"),
    ("scripts", "SLIMHTTP_SCRIPTS"),
    ("access_log", "SLIMHTTP_ACCESS_LOG"),
    ("debug", "SLIMHTTP_DEBUG"),
    ("io_threads", "SLIMHTTP_IO_THREADS"),
];

/// The same commands, whose flags may come from the environment.
pub(super) fn with_environment(command: Command) -> Command {
    command.mut_subcommands(|command| {
        command.mut_args(|arg| {
            let named = VARIABLES.iter().find(|(flag, _)| arg.get_id() == flag);
            let is_given = |name| std::env::var_os(name).is_some_and(|value| is_set(name, &value));
            match named.filter(|(_, name)| is_given(name)) {
                // `1`, `no` and so on: by default whatever is in it would switch the flag on.
                Some((_, name)) if matches!(arg.get_action(), ArgAction::SetTrue) => {
                    arg.env(name).value_parser(BoolishValueParser::new())
                }
                Some((_, name)) => arg.env(name),
                None => arg,
            }
        })
    })
}

/// An error of a value that names the variable that holds it, in place of the flag.
pub(super) fn name_variable(mut error: clap::Error) -> clap::Error {
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else {
        return error;
    };
    // `--access-log [<FORMAT>]`
    let id = flag.split(' ').next().unwrap_or_default();
    let id = id.trim_start_matches('-').split('[').next().unwrap_or_default().replace('-', "_");
    if let Some((_, variable)) = VARIABLES.iter().find(|(flag, _)| *flag == id) {
        error.insert(ContextKind::InvalidArg, ContextValue::String((*variable).to_owned()));
    }
    error
}

/// Whether somebody has set a variable for this program. Kubernetes sets
/// `NAME_PORT=tcp://10.0.0.1:80` in every pod beside a Service of this name, so one
/// that is called `slimhttp` seems to set our port and does not.
pub(super) fn is_set(name: &str, value: &OsStr) -> bool {
    let of_service = |scheme: &&str| value.as_bytes().starts_with(scheme.as_bytes());
    let is_link = name == "SLIMHTTP_PORT" && SERVICES.iter().any(of_service);
    !value.is_empty() && !is_link
}

/// How Kubernetes names the protocols of Services.
const SERVICES: [&str; 3] = ["tcp://", "udp://", "sctp://"];

/// The port that was given, else what the variable `PORT` holds.
///
/// # Errors
/// It holds no port.
pub(super) fn port(
    given: Option<u16>,
    variable: Option<OsString>,
) -> Result<Option<u16>, clap::Error> {
    let Some(value) = variable.filter(|value| given.is_none() && !value.is_empty()) else {
        return Ok(given);
    };
    let value = value.to_string_lossy();
    value.trim().parse().map(Some).map_err(|_| {
        let text = format!("PORT: expected a number from 0 to 65535, found `{value}`\n");
        clap::Error::raw(ErrorKind::ValueValidation, text)
    })
}
