//! Serving, for the program without Python: the server is started, and the main thread waits for
//! signals until it has ended.

use std::time::{Duration, Instant};

use slimhttp_server::Server;

use crate::Prepared;
use crate::ended::{FAILURE, fail, write_stderr};
use crate::signals::{SignalAction, Signals};

/// Serves what was prepared until a signal; gives the status to exit with.
pub(crate) fn serve(Prepared { server_config, origin, .. }: Prepared) -> i32 {
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(cause) => return fail(&format!("slimhttp: cannot wait for signals: {cause}\n")).tell(),
    };
    let server = match Server::bind(server_config) {
        Ok(server) => server,
        Err(error) => return fail(&origin.explain(&error)).tell(),
    };
    if let Err(cause) = server.start() {
        return fail(&format!("slimhttp: cannot start: {cause}\n")).tell();
    }
    if !server.live().current().site.service.quiet {
        write_stderr(&format!("{}\n", server.greeting()));
    }

    while !react(signals.wait(), &server) {}
    tracing::info!("stopping");
    server.stop();
    let begin = Instant::now();
    let mut is_logged = false;
    while !server.wait(Duration::ZERO) {
        if let Some(action) = signals.wait_timeout(Duration::from_millis(20))
            && react(action, &server)
            && begin.elapsed() >= REPEATED_SIGNAL
        {
            server.close();
            return FAILURE;
        }
        if !is_logged && begin.elapsed() >= UNREMARKED_WAIT {
            is_logged = true;
            log_in_flight(&server);
        }
    }
    0
}

/// A signal that comes so soon is the first one once more: `timeout` and some supervisors send it
/// to the process and to its group.
const REPEATED_SIGNAL: Duration = Duration::from_millis(500);

/// How long the end may take before the log says what it waits for.
const UNREMARKED_WAIT: Duration = Duration::from_millis(500);

fn log_in_flight(server: &Server) {
    if let Some(what) = server.describe_in_flight() {
        let most = server.live().current().site.service.grace_period.as_secs_f64();
        tracing::info!("waiting for {what}, up to {most} s; Ctrl-C again to end now");
    }
}

/// Does what is to be done at a signal, but for stopping: then it is `true`.
fn react(action: SignalAction, server: &Server) -> bool {
    match action {
        SignalAction::Stop => return true,
        SignalAction::ReopenLogs => {
            tracing::info!("SIGUSR1: the access logs are opened anew");
            server.reopen_access_logs();
        }
        SignalAction::Reload => tracing::warn!(
            "SIGHUP: nothing is read anew while it runs; start it again for another configuration"
        ),
    }
    false
}
