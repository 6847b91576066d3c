//! The upgrades of a process: begun by a signal, and looked after until another process has taken
//! over or has failed to. One at a time; what comes of it is told to the log and to the service
//! manager here, the same for the program and for Python. Called by whoever waits for signals, on
//! one thread or on several.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use slimhttp_server::Server;

use crate::handover::{Invocation, Progress, Successor};
use crate::service_manager::ServiceManager;

/// The upgrades of this process.
#[derive(Debug)]
pub struct Upgrade {
    /// How it is started once more.
    invocation: Invocation,
    manager: Arc<ServiceManager>,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    /// This process serves, and nobody else is to.
    Alone,
    /// That process is to take over, and is not ready.
    Starting(Successor),
    /// It takes over as soon as this process has let go of all that it holds.
    Waiting(Successor),
    /// The process of this number has taken over.
    Replaced(u32),
}

/// What this process is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// To serve.
    Serve,
    /// To serve, and to look again soon: another process is starting.
    LookAgain,
    /// To answer who is here, and to end: another process serves.
    Retire,
    /// To end soon, and to call [`Upgrade::let_go`] then: another process waits for that.
    MakeRoom,
}

impl Upgrade {
    /// None yet.
    pub fn new(invocation: Invocation, manager: Arc<ServiceManager>) -> Self {
        Self { invocation, manager, state: Mutex::new(State::Alone) }
    }

    /// Starts a process that is to take over from `server`, if that is possible now; the log says
    /// whether it is.
    pub fn begin(&self, server: &Server) -> Step {
        let mut state = self.state.lock();
        let step = state.step();
        if let Err(why) = can_begin(&state, server) {
            tracing::warn!("SIGUSR2: {why}");
            return step;
        }
        self.manager.reloading("another process is starting, which is to take over");
        let started =
            server.hand_over().and_then(|sockets| Successor::start(&self.invocation, &sockets));
        match started {
            Ok(successor) => {
                tracing::info!("SIGUSR2: process {} is to take over", successor.pid());
                *state = State::Starting(successor);
            }
            Err(cause) => {
                self.goes_on(server, &format!("{} does not start: {cause}", self.invocation));
            }
        }
        state.step()
    }

    /// Looks how far the process is that is to take over, and waits up to `patience` for what it
    /// says. Where it serves it is let go.
    pub fn look(&self, server: &Server, patience: Duration) -> Step {
        if server.is_stopping() {
            self.abandon(server);
        }
        let mut state = self.state.lock();
        let State::Starting(successor) = &mut *state else { return state.step() };
        match successor.wait(patience) {
            Progress::Starting => {}
            Progress::Failed(why) => {
                *state = State::Alone;
                self.goes_on(server, &why);
            }
            progress @ (Progress::Ready | Progress::WantsToBeAlone) => {
                let State::Starting(successor) = std::mem::replace(&mut *state, State::Alone)
                else {
                    return Step::Serve;
                };
                let process = successor.pid();
                // Before it is let go: it speaks for the service from then on.
                self.manager.replaced_by(process);
                if progress == Progress::Ready {
                    tracing::info!(
                        "process {process} has taken over after {:.2} s: this one answers who is \
                         here, and ends",
                        successor.age().as_secs_f64()
                    );
                    successor.let_go();
                    *state = State::Replaced(process);
                } else {
                    tracing::info!(
                        "process {process} takes over when this one has ended, for both need the \
                         file of `persist`: clients wait"
                    );
                    *state = State::Waiting(successor);
                }
            }
        }
        state.step()
    }

    /// Lets the process go that waits for the end of this one, if one does.
    pub fn let_go(&self) {
        let mut state = self.state.lock();
        if let State::Waiting(successor) = std::mem::replace(&mut *state, State::Alone) {
            *state = State::Replaced(successor.pid());
            successor.let_go();
        }
    }

    /// Ends the process that is starting, if one is: nobody wants it any more.
    pub fn abandon(&self, server: &Server) {
        let mut state = self.state.lock();
        if let State::Starting(successor) = &*state {
            tracing::info!("process {}, which was to take over, is ended", successor.pid());
            *state = State::Alone;
            server.keep_listeners();
        }
    }

    /// Says why no other process takes over.
    fn goes_on(&self, server: &Server, why: &str) {
        server.keep_listeners();
        let service = &server.live().current().site.service;
        let why = explain(why, service.user.as_deref());
        tracing::error!("no other process takes over: {why}; this one goes on");
        self.manager.ready(&format!("{}; the last upgrade failed: {why}", server.status()));
    }
}

impl State {
    fn step(&self) -> Step {
        match self {
            Self::Alone => Step::Serve,
            Self::Starting(_) => Step::LookAgain,
            Self::Waiting(_) => Step::MakeRoom,
            Self::Replaced(_) => Step::Retire,
        }
    }
}

/// Whether another process can take over now.
///
/// # Errors
/// Why not, as a sentence.
fn can_begin(state: &State, server: &Server) -> Result<(), String> {
    match state {
        State::Starting(successor) => {
            return Err(format!("process {} is starting already", successor.pid()));
        }
        State::Waiting(successor) => {
            return Err(format!("process {} is taking over already", successor.pid()));
        }
        State::Replaced(process) => {
            return Err(format!("process {process} has taken over already"));
        }
        State::Alone => {}
    }
    if server.is_stopping() {
        return Err("it is stopping".to_owned());
    }
    if std::process::id() == 1 {
        return Err("this is process 1 of a container, which ends with it: start the container \
                    anew"
            .to_owned());
    }
    Ok(())
}

/// Why a successor does not serve, and what that may have to do with the `user` that it starts as.
fn explain(why: &str, user: Option<&str>) -> String {
    match user {
        Some(user) if why.to_lowercase().contains("permission denied") => format!(
            "{why} (it is started as `{user}`, since the rights of root are given up: what only \
             root may open takes a restart)"
        ),
        _ => why.to_owned(),
    }
}

#[cfg(test)]
mod tests;
