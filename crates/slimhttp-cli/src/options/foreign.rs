//! Flags of uvicorn and gunicorn that `app` does not have, and what is said to somebody who writes
//! one: what to use instead.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// The spellings of each flag, and what to do instead.
const FOREIGN: &[(&[&str], &str)] = &[
    (&["--uds", "--fd"], "it listens on a port: `--bind 127.0.0.1:8000`"),
    (
        &["--worker-class", "-k"],
        "the interface decides: ASGI on an event loop, WSGI on threads (`--interface`, `--threads`)",
    ),
    (&["--worker-connections"], "`max_connections` in a configuration file (`--print-config`)"),
    (
        &["--timeout", "-t"],
        "a request may take as long as its client waits; `body_timeout` and `send_timeout` bound \
         slow clients",
    ),
    (
        &[
            "--max-requests",
            "--max-requests-jitter",
            "--limit-max-requests",
            "--limit-max-requests-jitter",
        ],
        "there are no workers to replace; a service manager restarts the program",
    ),
    (&["--preload", "--preload-app"], "the application is loaded once, before requests are taken"),
    (&["--config", "-c"], "`run FILE` takes a configuration file; `--print-config` writes one"),
    (
        &["--log-config", "--logger-class"],
        "`logging` of the application; SLIMHTTP_LOG chooses what is logged",
    ),
    (&["--error-logfile", "--log-file"], "the log goes to standard error: `2>FILE`"),
    (&["--access-logformat"], "`--access-log common`, `combined` or `json`"),
    (&["--use-colors", "--no-use-colors"], "colours are for terminals; NO_COLOR=1 is none"),
    (&["--http"], "HTTP/1.1 and HTTP/2 are spoken, as the client chooses"),
    (&["--ws", "--ws-max-queue"], "WebSockets are spoken; `websocket_queue` bounds what waits"),
    (&["--ws-max-size"], "`websocket_max_message` in a configuration file (`--print-config`)"),
    (
        &["--ws-ping-interval", "--ws-ping-timeout", "--ws-per-message-deflate"],
        "`websocket_ping_interval`, `websocket_ping_timeout`, `websocket_compress` in a \
         configuration file (`--print-config`)",
    ),
    (&["--backlog"], "4096 connections wait, if the system allows so many (`somaxconn`)"),
    (
        &[
            "--h11-max-incomplete-event-size",
            "--limit-request-line",
            "--limit-request-fields",
            "--limit-request-field_size",
        ],
        "`max_head`, `max_headers` and `max_uri` in a configuration file (`--print-config`)",
    ),
    (
        &["--no-server-header", "--server-header", "--no-date-header", "--date-header"],
        "`response_headers` in a configuration file (`--print-config`) takes fields away",
    ),
    (
        &[
            "--ssl-keyfile-password",
            "--ssl-version",
            "--ssl-ciphers",
            "--ciphers",
            "--ssl-cert-reqs",
            "--ssl-ca-certs",
            "--ca-certs",
            "--cert-reqs",
        ],
        "TLS 1.2 and 1.3 with sound ciphers; a key file has no passphrase",
    ),
    (
        &["--user", "-u", "--group", "-g"],
        "`user` and `group` in a configuration file (`--print-config`)",
    ),
    (
        &["--daemon", "-D", "--pid"],
        "a service manager (systemd, a container) keeps it running and knows its process",
    ),
    (
        &[
            "--umask",
            "-m",
            "--name",
            "-n",
            "--worker-tmp-dir",
            "--reuse-port",
            "--spew",
            "--check-config",
        ],
        "there is no such thing here",
    ),
    (
        &["--reload-delay", "--reload-engine", "--reload-extra-file"],
        "`--reload-dir`, `--reload-include`",
    ),
    (
        &["--proxy-protocol", "--proxy-allow-from"],
        "`X-Forwarded-*` of the proxies in `--forwarded-allow-ips`",
    ),
];

/// The same error, which says what to use in place of the flag.
pub(super) fn suggest(mut error: clap::Error) -> clap::Error {
    let (ErrorKind::UnknownArgument, Some(ContextValue::String(given))) =
        (error.kind(), error.get(ContextKind::InvalidArg))
    else {
        return error;
    };
    let flag = given.split('=').next().unwrap_or_default();
    let Some((_, tip)) = FOREIGN.iter().find(|(names, _)| names.contains(&flag)) else {
        return error;
    };
    for guess in [ContextKind::SuggestedArg, ContextKind::TrailingArg] {
        error.remove(guess);
    }
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![(*tip).to_owned().into()]));
    error
}
