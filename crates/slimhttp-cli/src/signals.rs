//! The signals that ask the program to end: Ctrl-C (SIGINT), SIGTERM, and SIGHUP,
//! which a terminal sends when it closes.

use std::io;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals, from the moment of [`Signals::listen`] on: none is lost.
pub(crate) struct Signals {
    runtime: Runtime,
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Begins to listen; from now on a signal no longer ends the process.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn listen() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let inside = runtime.enter();
        let interrupt = signal(SignalKind::interrupt())?;
        let terminate = signal(SignalKind::terminate())?;
        let hang_up = signal(SignalKind::hangup())?;
        drop(inside);
        Ok(Self { runtime, interrupt, terminate, hang_up })
    }

    /// Waits for a signal.
    pub(crate) fn wait(&mut self) {
        while !self.within(Duration::from_secs(3600)) {}
    }

    /// Waits for a signal, at most `patience`; whether one came. The runtime runs
    /// only here, so that a server may be stopped between two calls by code that
    /// runs one of its own.
    pub(crate) fn within(&mut self, patience: Duration) -> bool {
        let Self { runtime, interrupt, terminate, hang_up } = self;
        runtime.block_on(async {
            let any = async {
                tokio::select! {
                    _ = interrupt.recv() => (),
                    _ = terminate.recv() => (),
                    _ = hang_up.recv() => (),
                }
            };
            tokio::time::timeout(patience, any).await.is_ok()
        })
    }
}
