//! The I/O threads: one runtime each, and nothing shared between them while
//! they answer. The first also accepts, and deals connections out in turn.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use slimhttp_site::site::Service;
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

use crate::context::server::Shared;
use crate::http1;
use crate::live::store::Live;
use crate::net::connection_state::{CLOSE_TIMEOUT, CloseMode};
use crate::net::connections::Connections;
use crate::net::shutdown::Stage;
use crate::serve::accept::Accepting;
use crate::serve::io_thread::IoThread;
use crate::sys::descriptors;
use crate::sys::memory;

/// How often the files of a certificate are looked at.
const RENEWAL: Duration = Duration::from_secs(5);

/// Starts `count` threads that serve `listeners` until the server stops.
pub(crate) fn start(
    shared: &Arc<Shared>,
    listeners: Vec<TcpListener>,
    count: usize,
) -> io::Result<Arc<[Arc<IoThread>]>> {
    let mut io_threads = Vec::with_capacity(count);
    let mut runtimes = Vec::with_capacity(count);
    for _ in 0..count {
        let runtime =
            Builder::new_current_thread().enable_all().max_blocking_threads(64).build()?;
        io_threads.push(Arc::new(IoThread {
            connections: Connections::default(),
            handle: runtime.handle().clone(),
            active: Arc::default(),
        }));
        runtimes.push(runtime);
    }
    let io_threads: Arc<[Arc<IoThread>]> = io_threads.into();
    let mut accepting =
        Some(Accepting { listeners, io_threads: io_threads.clone(), shared: shared.clone() });
    let finished = Arc::new(Finished { left: AtomicUsize::new(count), shared: shared.clone() });
    for (index, runtime) in runtimes.into_iter().enumerate() {
        let accepting = accepting.take();
        let (shared, io_thread, finished) =
            (shared.clone(), io_threads[index].clone(), finished.clone());
        std::thread::Builder::new().name(format!("slimhttp-io-{index}")).spawn(move || {
            run(runtime, &shared, &io_thread, accepting);
            finished.one();
        })?;
    }
    Ok(io_threads)
}

/// Tells the server when its last I/O thread has ended.
struct Finished {
    left: AtomicUsize,
    shared: Arc<Shared>,
}

impl Finished {
    fn one(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.shared.shutdown.finished();
        }
    }
}

fn run(
    runtime: Runtime,
    shared: &Arc<Shared>,
    io_thread: &Arc<IoThread>,
    accepting: Option<Accepting>,
) {
    runtime.block_on(async {
        if let Some(accepting) = accepting {
            accepting.spawn();
            if shared.live.listener().tls {
                tokio::spawn(renew_certificate(shared.live.clone()));
            }
        }
        let sweeping = sweep(shared, io_thread);
        tokio::select! {
            () = shared.shutdown.requested() => {}
            () = sweeping => {}
        }
        drain(shared, io_thread).await;
    });
    // A read from a dead disk must not hold the end up.
    runtime.shutdown_background();
}

/// Looks at every connection once a tick.
async fn sweep(shared: &Arc<Shared>, io_thread: &Arc<IoThread>) {
    loop {
        // The look also lets go of the last site that this I/O thread saw.
        let service = shared.live.cached().site.service.clone();
        io_thread.connections.enforce_timeouts(&service);
        http1::response_cache::sweep();
        memory::give_back();
        descriptors::look();
        tokio::time::sleep(tick(&service)).await;
    }
}

/// Looks now and then whether the certificate was renewed on disk; away from the
/// I/O thread, for a disk may be slow.
async fn renew_certificate(live: Arc<Live>) {
    loop {
        tokio::time::sleep(RENEWAL).await;
        let live = live.clone();
        let _ = tokio::task::spawn_blocking(move || live.renew_certificate()).await;
    }
}

/// Fine enough for the shortest of the times, coarse enough to cost nothing.
fn tick(service: &Service) -> Duration {
    let shortest =
        [service.header_timeout, service.body_timeout, service.send_timeout, service.idle_timeout]
            .into_iter()
            .min()
            .unwrap_or(Duration::from_secs(1));
    (shortest / 8).clamp(Duration::from_millis(20), Duration::from_millis(500))
}

/// Lets exchanges in flight finish, within the grace period.
async fn drain(shared: &Arc<Shared>, io_thread: &Arc<IoThread>) {
    // What was accepted just before the end is dealt with before the listeners
    // close, so that every connection is known here by now.
    shared.shutdown.accepting_ended().await;
    let service = shared.live.cached().site.service.clone();
    io_thread.connections.request_close(CloseMode::Gracefully);
    let begin = Instant::now();
    let end = begin + service.grace_period;
    let finished = async {
        while io_thread.active.any() {
            let _ = tokio::time::timeout(tick(&service), io_thread.active.changed()).await;
            io_thread.connections.enforce_timeouts(&service);
            io_thread.connections.request_close(CloseMode::Gracefully);
            // Those who take what is sent have seen its end by now.
            if begin.elapsed() >= CLOSE_TIMEOUT {
                io_thread.connections.cut_endless();
            }
        }
    };
    tokio::select! {
        () = finished => {}
        () = tokio::time::sleep_until(end) => {}
        () = shared.shutdown.reached(Stage::Cut) => {}
    }
    io_thread.connections.request_close(CloseMode::Cut);
    let end = Instant::now() + Duration::from_millis(200);
    while io_thread.active.any() && Instant::now() < end {
        let _ = tokio::time::timeout_at(end, io_thread.active.changed()).await;
    }
}
