//! The I/O threads: one runtime each, and nothing shared between them while
//! they answer. The first also accepts, and deals connections out in turn.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use slimhttp_site::site::Service;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::http1;
use crate::live::store::Live;
use crate::net::admission::{self, Idle, Pass};
use crate::net::connection_state::{Connections, Ending, PARTING};
use crate::serve::connection;
use crate::server::Shared;
use crate::sys::clock::Seldom;
use crate::sys::descriptors;
use crate::sys::memory;

/// How long accepting pauses when the system has no more descriptors.
const EXHAUSTED: Duration = Duration::from_millis(100);

/// How often the files of a certificate are looked at.
const RENEWAL: Duration = Duration::from_secs(5);

/// One I/O thread.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) connections: Connections,
    handle: Handle,
    active: Arc<Active>,
}

/// The connections of one worker that have not ended.
#[derive(Debug, Default)]
pub(crate) struct Active {
    count: AtomicUsize,
    changed: Notify,
}

impl Active {
    /// One more.
    pub(crate) fn enter(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    /// One less.
    pub(crate) fn leave(&self) {
        if self.count.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.changed.notify_one();
        }
    }
}

/// Starts `count` threads that serve `listeners` until the server stops.
pub(crate) fn start(
    shared: &Arc<Shared>,
    listeners: Vec<TcpListener>,
    count: usize,
) -> io::Result<()> {
    let mut workers = Vec::with_capacity(count);
    let mut runtimes = Vec::with_capacity(count);
    for _ in 0..count {
        let runtime =
            Builder::new_current_thread().enable_all().max_blocking_threads(64).build()?;
        workers.push(Arc::new(Worker {
            connections: Connections::default(),
            handle: runtime.handle().clone(),
            active: Arc::default(),
        }));
        runtimes.push(runtime);
    }
    let workers: Arc<[Arc<Worker>]> = workers.into();
    let _ = shared.workers.set(workers.clone());
    let mut accepting =
        Some(Accepting { listeners, workers: workers.clone(), shared: shared.clone() });
    let finished = Arc::new(Finished { left: AtomicUsize::new(count), shared: shared.clone() });
    for (index, runtime) in runtimes.into_iter().enumerate() {
        let accepting = accepting.take();
        let (shared, worker, finished) = (shared.clone(), workers[index].clone(), finished.clone());
        std::thread::Builder::new().name(format!("slimhttp-io-{index}")).spawn(move || {
            run(runtime, &shared, &worker, accepting);
            finished.one();
        })?;
    }
    Ok(())
}

/// Tells the server when its last worker has ended.
struct Finished {
    left: AtomicUsize,
    shared: Arc<Shared>,
}

impl Finished {
    fn one(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.shared.stop.finished();
        }
    }
}

fn run(runtime: Runtime, shared: &Arc<Shared>, worker: &Arc<Worker>, accepting: Option<Accepting>) {
    runtime.block_on(async {
        if let Some(accepting) = accepting {
            accepting.spawn();
            if shared.live.listener().tls {
                tokio::spawn(renew_certificate(shared.live.clone()));
            }
        }
        let sweeping = sweep(shared, worker);
        tokio::select! {
            () = shared.stop.asked() => {}
            () = sweeping => {}
        }
        drain(shared, worker).await;
    });
    // A read from a dead disk must not hold the end up.
    runtime.shutdown_background();
}

/// Looks at every connection once a tick.
async fn sweep(shared: &Arc<Shared>, worker: &Arc<Worker>) {
    loop {
        // The look also lets go of the last site that this worker saw.
        let service = shared.live.pinned().site.service.clone();
        worker.connections.sweep(&service);
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
async fn drain(shared: &Arc<Shared>, worker: &Arc<Worker>) {
    // What was accepted just before the end is dealt with before the listeners
    // close, so that every connection is known here by now.
    shared.stop.accepting_ended().await;
    let service = shared.live.pinned().site.service.clone();
    worker.connections.finish(Ending::Gracefully);
    let begin = Instant::now();
    let end = begin + service.grace_period;
    let finished = async {
        while worker.active.count.load(Ordering::Relaxed) > 0 {
            let _ = tokio::time::timeout(tick(&service), worker.active.changed.notified()).await;
            worker.connections.sweep(&service);
            worker.connections.finish(Ending::Gracefully);
            // Those who take what is sent have seen its end by now.
            if begin.elapsed() >= PARTING {
                worker.connections.cut_endless();
            }
        }
    };
    tokio::select! {
        () = finished => {}
        () = tokio::time::sleep_until(end) => {}
        () = shared.stop.reached(Stage::Cut) => {}
    }
    worker.connections.finish(Ending::Cut);
    let end = Instant::now() + Duration::from_millis(200);
    while worker.active.count.load(Ordering::Relaxed) > 0 && Instant::now() < end {
        let _ = tokio::time::timeout_at(end, worker.active.changed.notified()).await;
    }
}

/// The accepting side, on the first worker.
struct Accepting {
    listeners: Vec<TcpListener>,
    workers: Arc<[Arc<Worker>]>,
    shared: Arc<Shared>,
}

impl Accepting {
    fn spawn(self) {
        let Self { listeners, workers, shared } = self;
        let tasks: Vec<_> = listeners
            .into_iter()
            .map(|listener| tokio::spawn(accept(listener, workers.clone(), shared.clone())))
            .collect();
        tokio::spawn(async move {
            for task in tasks {
                let _ = task.await;
            }
            shared.stop.no_more_accepting();
        });
    }
}

async fn accept(listener: TcpListener, workers: Arc<[Arc<Worker>]>, shared: Arc<Shared>) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!("cannot accept connections: {error}"),
    };
    let mut turns = (0..workers.len()).cycle();
    let (warning, mut idle) = (Seldom::default(), Idle::default());
    loop {
        let accepted = tokio::select! {
            biased;
            () = shared.stop.asked() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, peer)) => {
                let Some(pass) = admission::admit(peer, &shared) else { continue };
                tokio::select! {
                    biased;
                    () = shared.stop.asked() => {}
                    () = admission::room(&shared, &workers, &mut idle) => {}
                }
                deal(socket, peer, pass, &workers, &shared, turns.next().unwrap_or(0));
            }
            Err(error) if client_has_gone(&error) => {}
            Err(error) => {
                if warning.is_due() {
                    tracing::error!("cannot accept connections: {error}");
                }
                tokio::time::sleep(EXHAUSTED).await;
            }
        }
    }
    // Whoever has connected by now is not turned away.
    while let Some(Ok((socket, peer))) = listener.accept().now_or_never() {
        if let Some(pass) = admission::admit(peer, &shared) {
            deal(socket, peer, pass, &workers, &shared, turns.next().unwrap_or(0));
        }
    }
}

/// Whether an error in accepting is about one client only.
fn client_has_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

/// Hands a connection to the worker whose turn it is. The first worker, on
/// whose thread this runs, keeps its own where they are.
fn deal(
    socket: TcpStream,
    peer: SocketAddr,
    pass: Pass,
    workers: &[Arc<Worker>],
    shared: &Arc<Shared>,
    turn: usize,
) {
    if turn == 0 {
        let seat = pass.seat(&workers[0].active);
        let (shared, worker) = (shared.clone(), workers[0].clone());
        tokio::spawn(connection::serve(socket, peer, shared, worker, seat));
        return;
    }
    // A socket belongs to the runtime that watches it.
    if let Ok(socket) = socket.into_std() {
        send_over(socket, peer, pass, &workers[turn], shared);
    }
}

/// Serves a connection that somebody else has accepted; whether it is allowed.
/// Its descriptor, as good as a die, says which worker has it.
pub(crate) fn adopt(
    socket: std::net::TcpStream,
    peer: SocketAddr,
    workers: &[Arc<Worker>],
    shared: &Arc<Shared>,
) -> bool {
    let Some(pass) = admission::admit(peer, shared) else { return false };
    let turn = usize::try_from(socket.as_raw_fd()).unwrap_or(0) % workers.len();
    send_over(socket, peer, pass, &workers[turn], shared);
    true
}

/// Hands a connection to a worker on another thread.
fn send_over(
    socket: std::net::TcpStream,
    peer: SocketAddr,
    pass: Pass,
    worker: &Arc<Worker>,
    shared: &Arc<Shared>,
) {
    let seat = pass.seat(&worker.active);
    let (shared, worker) = (shared.clone(), worker.clone());
    worker.handle.clone().spawn(async move {
        if let Ok(socket) = TcpStream::from_std(socket) {
            connection::serve(socket, peer, shared, worker, seat).await;
        }
    });
}

/// How a server ends: asked once, finished once.
#[derive(Debug)]
pub(crate) struct Stop {
    state: tokio::sync::watch::Sender<Stage>,
    /// The end as threads outside of the runtimes wait for it.
    end: (std::sync::Mutex<End>, std::sync::Condvar),
}

/// How far the end is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    #[default]
    NotYet,
    /// The listeners are closed: the port is free.
    PortFree,
    /// Everything has ended.
    Complete,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Serving,
    Asked,
    AcceptingEnded,
    Cut,
}

impl Default for Stop {
    fn default() -> Self {
        Self { state: tokio::sync::watch::Sender::new(Stage::Serving), end: Default::default() }
    }
}

impl Stop {
    fn raise(&self, stage: Stage) {
        self.state.send_if_modified(|now| {
            let raised = stage > *now;
            *now = stage.max(*now);
            raised
        });
    }

    async fn reached(&self, stage: Stage) {
        // The sender is `self`, so the channel cannot close meanwhile.
        let _ = self.state.subscribe().wait_for(|now| *now >= stage).await;
    }

    /// Asks everyone to finish.
    pub(crate) fn ask(&self) {
        self.raise(Stage::Asked);
    }

    /// Asks everyone to drop what they do.
    pub(crate) fn cut(&self) {
        self.raise(Stage::Cut);
    }

    pub(crate) fn is_asked(&self) -> bool {
        *self.state.borrow() >= Stage::Asked
    }

    pub(crate) async fn asked(&self) {
        self.reached(Stage::Asked).await;
    }

    fn no_more_accepting(&self) {
        self.raise(Stage::AcceptingEnded);
        self.reach(End::PortFree);
    }

    async fn accepting_ended(&self) {
        self.reached(Stage::AcceptingEnded).await;
    }

    /// Everything has ended.
    pub(crate) fn finished(&self) {
        self.reach(End::Complete);
    }

    fn reach(&self, end: End) {
        let (reached, changed) = &self.end;
        let mut reached = reached.lock().unwrap_or_else(PoisonError::into_inner);
        *reached = end.max(*reached);
        changed.notify_all();
    }

    /// Waits until everything has ended, at most `timeout`; whether it has.
    pub(crate) fn wait(&self, timeout: Duration) -> bool {
        self.wait_for(End::Complete, timeout)
    }

    /// Waits until the port is free, at most `timeout`; whether it is.
    pub(crate) fn wait_for_port(&self, timeout: Duration) -> bool {
        self.wait_for(End::PortFree, timeout)
    }

    fn wait_for(&self, end: End, timeout: Duration) -> bool {
        let (reached, changed) = &self.end;
        let reached = reached.lock().unwrap_or_else(PoisonError::into_inner);
        let (reached, _) = changed
            .wait_timeout_while(reached, timeout, |reached| *reached < end)
            .unwrap_or_else(PoisonError::into_inner);
        *reached >= end
    }
}

/// The address that a client would use for `address`.
pub(crate) fn reachable(address: SocketAddr) -> String {
    let port = address.port();
    match address.ip().to_canonical() {
        ip if ip.is_unspecified() || ip.is_loopback() => format!("localhost:{port}"),
        std::net::IpAddr::V6(ip) => format!("[{ip}]:{port}"),
        ip @ std::net::IpAddr::V4(_) => format!("{ip}:{port}"),
    }
}
