//! The I/O threads: one runtime each, and nothing shared between them while they answer. The
//! first also accepts, and assigns connections to all of them in turn.
//!
//! [`IoThreads`] are made and spawned once, by `Server::start`, on the program's thread; the rest
//! of this file runs on the I/O threads, each from its first to its last moment.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use slimhttp_site::site::Service;
use tokio::runtime::{Builder, Runtime};

use crate::context::server::ServerContext;
use crate::http1;
use crate::live::Live;
use crate::net::connection_state::CloseMode;
use crate::net::connections::Connections;
use crate::serve::accept::Accepting;
use crate::serve::drain::drain;
use crate::serve::heartbeat::Heartbeat;
use crate::serve::io_thread::IoThread;
use crate::serve::resting::Resting;
use crate::sys::clock;
use crate::sys::descriptors;
use crate::sys::memory;
use crate::upstream;

/// How often the files of a certificate are looked at.
const CERTIFICATE_CHECK: Duration = Duration::from_secs(5);

/// How many connections are asked to rest in one turn: some microseconds of work each.
const REST_AT_ONCE: usize = 128;

/// The I/O threads before they run. In two steps, so that the server knows them before the
/// first of them serves anybody.
pub(crate) struct IoThreads {
    known: Arc<[Arc<IoThread>]>,
    /// One for each of them.
    runtimes: Vec<Runtime>,
}

impl IoThreads {
    /// So many, with their runtimes.
    ///
    /// # Errors
    /// The system's, where it gives no more descriptors.
    pub(crate) fn new(count: usize) -> io::Result<Self> {
        let mut known = Vec::with_capacity(count);
        let mut runtimes = Vec::with_capacity(count);
        for _ in 0..count {
            let runtime =
                Builder::new_current_thread().enable_all().max_blocking_threads(64).build()?;
            known.push(Arc::new(IoThread {
                connections: Connections::default(),
                resting: Resting::default(),
                heartbeat: Heartbeat::default(),
                handle: runtime.handle().clone(),
                active: Arc::default(),
            }));
            runtimes.push(runtime);
        }
        Ok(Self { known: known.into(), runtimes })
    }

    /// Them as the other threads know them.
    pub(crate) fn known(&self) -> &Arc<[Arc<IoThread>]> {
        &self.known
    }

    /// Starts them: they serve until the server stops.
    ///
    /// # Errors
    /// The system's, where it gives no more threads; those that run go on until the server stops.
    pub(crate) fn spawn(self, shared: &Arc<ServerContext>) -> io::Result<()> {
        let Self { known, runtimes } = self;
        let mut accepting = Some(Accepting { io_threads: known.clone(), shared: shared.clone() });
        let count = AtomicUsize::new(known.len());
        let running = Arc::new(Running { count, shared: shared.clone() });
        for (index, runtime) in runtimes.into_iter().enumerate() {
            let accepting = accepting.take();
            let (shared, io_thread, running) =
                (shared.clone(), known[index].clone(), running.clone());
            std::thread::Builder::new().name(format!("slimhttp-io-{index}")).spawn(move || {
                run(runtime, &shared, &io_thread, accepting);
                running.one_has_ended();
            })?;
        }
        Ok(())
    }
}

/// Completes the shutdown when the last I/O thread has ended.
struct Running {
    count: AtomicUsize,
    shared: Arc<ServerContext>,
}

impl Running {
    fn one_has_ended(&self) {
        if self.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.shared.shutdown.finished();
        }
    }
}

fn run(
    runtime: Runtime,
    shared: &Arc<ServerContext>,
    io_thread: &Arc<IoThread>,
    accepting: Option<Accepting>,
) {
    runtime.block_on(async {
        if let Some(accepting) = accepting {
            accepting.spawn();
            tokio::spawn(renew_certificates(shared.live.clone()));
        }
        tokio::select! {
            () = shared.shutdown.requested() => {}
            () = housekeeping(shared, io_thread) => {}
        }
        drain(shared, io_thread).await;
    });
    // A read from a dead disk must not hold the end up.
    runtime.shutdown_background();
    // What is left has no task that was dropped with the runtime.
    io_thread.resting.clear();
}

/// Looks at every connection, and at what the thread and the process hold, once a tick.
async fn housekeeping(shared: &Arc<ServerContext>, io_thread: &Arc<IoThread>) {
    let mut is_relieved = false;
    loop {
        io_thread.heartbeat.beat();
        if is_relieved {
            // Each time, for some are handed to the thread after that.
            io_thread.connections.request_close(CloseMode::AfterRequest);
        }
        // This also drops the last snapshot that the thread saw, if there was a change.
        let service = shared.live.cached().site.service.clone();
        io_thread.connections.enforce_timeouts(&service);
        request_rest(io_thread).await;
        http1::response_cache::drop_expired();
        upstream::drop_expired();
        memory::release_freed();
        descriptors::refresh_limit();
        tokio::select! {
            () = tokio::time::sleep(tick(&service)) => {}
            () = shared.shutdown.relieved(), if !is_relieved => is_relieved = true,
        }
    }
}

/// Asks connections to rest that have been idle for a while. After a crowd there may be thousands,
/// so that others have a turn in between.
async fn request_rest(io_thread: &IoThread) {
    let (now, mut from) = (clock::milliseconds(), 0);
    while let Some(next) = io_thread.connections.request_rest(from, REST_AT_ONCE, now) {
        from = next;
        tokio::task::yield_now().await;
    }
}

/// Looks now and then whether certificates were renewed on disk: on a blocking thread, for a
/// disk may be slow.
async fn renew_certificates(live: Arc<Live>) {
    loop {
        tokio::time::sleep(CERTIFICATE_CHECK).await;
        let live = live.clone();
        let _ = tokio::task::spawn_blocking(move || live.renew_certificates()).await;
    }
}

/// How often housekeeping looks: fine enough for the shortest of the times, coarse enough to
/// cost nothing.
pub(super) fn tick(service: &Service) -> Duration {
    let shortest =
        [service.header_timeout, service.body_timeout, service.send_timeout, service.idle_timeout]
            .into_iter()
            .min()
            .unwrap_or(Duration::from_secs(1));
    (shortest / 8).clamp(Duration::from_millis(20), Duration::from_millis(500))
}
