//! Serving, for the program without Python: the server is started, and the main thread waits for
//! signals until it has ended, or another process has taken over.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use slimhttp_server::Server;

use crate::Prepared;
use crate::ended::{FAILURE, fail, write_stderr};
use crate::handover::{Inheritance, Invocation, Step, Upgrade};
use crate::service_manager::ServiceManager;
use crate::signals::{SignalAction, Signals};

/// A signal that comes so soon is the first one once more: `timeout` and some supervisors send it
/// to the process and to its group.
const REPEATED_SIGNAL: Duration = Duration::from_millis(500);

/// How long the end may take before the log says what it waits for.
const UNREMARKED_WAIT: Duration = Duration::from_millis(500);

/// How often it is looked whether the server has ended, and how far a successor is.
const INTERVAL: Duration = Duration::from_millis(20);

/// Serves what was prepared until a signal, or until a successor does; gives the status to exit
/// with.
pub(crate) fn serve(
    Prepared { mut server_config, origin, .. }: Prepared,
    mut inheritance: Inheritance,
    invocation: Invocation,
) -> i32 {
    for warning in inheritance.warnings.drain(..) {
        tracing::warn!("{warning}");
    }
    let failed = |inheritance: &mut Inheritance, why: String| {
        inheritance.fail(&why);
        fail(&why).tell()
    };
    let signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(cause) => {
            let why = format!("slimhttp: cannot wait for signals: {cause}\n");
            return failed(&mut inheritance, why);
        }
    };
    server_config.inherited = std::mem::take(&mut inheritance.sockets);
    let server = match Server::bind(server_config) {
        Ok(server) => server,
        Err(error) => return failed(&mut inheritance, origin.explain(&error)),
    };
    if let Err(cause) = server.start() {
        return failed(&mut inheritance, format!("slimhttp: cannot start: {cause}\n"));
    }
    if !server.live().current().site.service.quiet {
        write_stderr(&format!("{}\n", server.greeting()));
    }
    // From the first moment on; who is not watched any more does not hear of it.
    let Inheritance { predecessor, manager, .. } = inheritance;
    let manager = Arc::new(manager);
    if let Some(predecessor) = predecessor {
        predecessor.replace();
        server.own_listeners();
    }
    manager.ready(&server.status());
    let watched = server.pulse().map(|pulse| manager.watch(pulse)).transpose();
    if let Err(cause) = &watched {
        tracing::error!("there is no thread for the watchdog: {cause}");
    }
    let upgrade = Upgrade::new(invocation, manager.clone());
    Serving { server, signals, manager, upgrade }.run()
}

/// A server that runs.
struct Serving {
    server: Server,
    signals: Signals,
    manager: Arc<ServiceManager>,
    upgrade: Upgrade,
}

impl Serving {
    fn run(mut self) -> i32 {
        let mut step = Step::Serve;
        while let Step::Serve | Step::LookAgain = step {
            let action = match step {
                Step::LookAgain => self.signals.wait_timeout(INTERVAL),
                _ => Some(self.signals.wait()),
            };
            if action.is_some_and(|action| self.react(action).is_break()) {
                self.stop();
                return self.wait_for_end(Some(Instant::now()));
            }
            step = self.upgrade.look(&self.server, Duration::ZERO);
        }
        self.server.retire();
        self.wait_for_end(None)
    }

    /// Does what is to be done at a signal, but for stopping.
    fn react(&mut self, action: SignalAction) -> ControlFlow<()> {
        match action {
            SignalAction::Stop => return ControlFlow::Break(()),
            SignalAction::ReopenLogs => {
                tracing::info!("SIGUSR1: the access logs are opened anew");
                self.server.reopen_access_logs();
            }
            SignalAction::Upgrade => {
                self.upgrade.begin(&self.server);
            }
            SignalAction::Reload => tracing::warn!(
                "SIGHUP: nothing is read anew while it runs; SIGUSR2 starts it anew, and no \
                 client is refused meanwhile"
            ),
        }
        ControlFlow::Continue(())
    }

    fn stop(&self) {
        tracing::info!("stopping");
        self.manager.stopping();
        self.upgrade.abandon(&self.server);
        self.server.stop();
    }

    /// Waits until the server has ended; `stopped` is when a signal has ended it, if one has.
    fn wait_for_end(mut self, mut stopped: Option<Instant>) -> i32 {
        // Anew for each thing that it waits after.
        let (mut begin, mut is_logged) = (Instant::now(), false);
        while !self.server.wait(Duration::ZERO) {
            let action = self.signals.wait_timeout(INTERVAL);
            if action.is_some_and(|action| self.react(action).is_break()) {
                match stopped {
                    None => {
                        self.stop();
                        (begin, is_logged) = (Instant::now(), false);
                        stopped = Some(begin);
                    }
                    Some(stopped) if stopped.elapsed() >= REPEATED_SIGNAL => {
                        self.server.close();
                        return FAILURE;
                    }
                    Some(_) => {}
                }
            }
            if !is_logged && begin.elapsed() >= UNREMARKED_WAIT {
                is_logged = true;
                self.log_in_flight(stopped.is_some());
            }
        }
        0
    }

    fn log_in_flight(&self, is_stopped: bool) {
        if let Some(what) = self.server.describe_in_flight() {
            let most = self.server.live().current().site.service.grace_period.as_secs_f64();
            let hint = if is_stopped { "; Ctrl-C again to end now" } else { "" };
            tracing::info!("waiting for {what}, up to {most} s{hint}");
        }
    }
}
