//! Connections as the seam knows them: what is asked of Python about them, and
//! on whose wish. No Python in it; the identity that a program sees is known
//! here by its number.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::time::Duration;

use slimhttp_server::handler::{Guest as AnyGuest, VerdictFuture, Visitor, Wants};
use slimhttp_server::takeover::{Bytestream, Carrier};
use tokio::sync::oneshot;

use crate::bridge::Desk;
use crate::job::{Job, Ticket};
use crate::pipe::{MOST_RECEIVED, Pipe};

/// How long an identity may leave a full buffer alone.
const PATIENCE: Duration = Duration::from_secs(60);

/// One connection.
#[derive(Debug)]
pub struct Guest {
    /// Under which Python keeps its identity.
    pub ticket: Ticket,
    /// Who and where.
    pub visitor: Visitor,
    /// Its bytes, once it is upgraded.
    pub pipe: Arc<Pipe>,
    /// Whether Python has seen it, and may keep an identity for it.
    pub is_seen: AtomicBool,
    /// Whether Python has been told of its end.
    pub is_told: AtomicBool,
    desk: Arc<Desk>,
}

impl Guest {
    /// The guest that a request brings along.
    pub fn of(any: Option<&AnyGuest>) -> Option<Arc<Self>> {
        any.cloned()?.downcast::<Self>().ok()
    }

    /// The desk at which it is served.
    pub fn desk(&self) -> &Desk {
        &self.desk
    }

    /// Asks Python to look at what has come.
    pub fn tell(self: &Arc<Self>) {
        self.desk.take_jobs([Job::Hook(HookJob::Data(self.clone()))]);
    }
}

impl fmt::Display for Guest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peer = self.visitor.peer;
        SocketAddr::new(peer.ip().to_canonical(), peer.port()).fmt(f)
    }
}

/// What is asked of Python about a connection.
#[derive(Debug)]
pub enum HookJob {
    /// Whether it is served.
    Judge(Arc<Guest>, oneshot::Sender<bool>),
    /// To take what its client has sent.
    Data(Arc<Guest>),
    /// To hear that it has ended.
    Left(Arc<Guest>),
}

impl HookJob {
    /// Whether nobody waits for the outcome any more.
    pub fn is_abandoned(&self) -> bool {
        match self {
            Self::Judge(_, reply) => reply.is_closed(),
            Self::Data(_) | Self::Left(_) => false,
        }
    }

    /// What it is, for messages.
    pub fn subject(&self) -> Arc<str> {
        match self {
            Self::Judge(guest, _) => format!("on_accept of {guest}"),
            Self::Data(guest) => format!("the upgraded connection of {guest}"),
            Self::Left(guest) => format!("on_close of {guest}"),
        }
        .into()
    }
}

/// What a program wants to hear of connections.
#[derive(Debug, Default)]
pub struct Wishes(AtomicU8);

const CONNECTIONS: u8 = 1;
const VERDICTS: u8 = 2;
const UPGRADES: u8 = 4;

impl Wishes {
    /// Changes them.
    pub fn set(&self, wants: Wants) {
        let Wants { connections, verdicts, upgrades } = wants;
        let bit = |wanted: bool, bit: u8| if wanted { bit } else { 0 };
        let bits =
            bit(connections, CONNECTIONS) | bit(verdicts, VERDICTS) | bit(upgrades, UPGRADES);
        self.0.store(bits, Ordering::Relaxed);
    }

    /// What they are.
    pub fn get(&self) -> Wants {
        let bits = self.0.load(Ordering::Relaxed);
        Wants {
            connections: bits & CONNECTIONS != 0,
            verdicts: bits & VERDICTS != 0,
            upgrades: bits & UPGRADES != 0,
        }
    }
}

/// Meets a connection.
pub fn meet(desk: &Arc<Desk>, visitor: Visitor) -> AnyGuest {
    Arc::new(Guest {
        ticket: desk.ticket(),
        visitor,
        pipe: Arc::default(),
        is_seen: AtomicBool::new(false),
        is_told: AtomicBool::new(false),
        desk: desk.clone(),
    })
}

/// Asks whether a connection is served.
pub fn judge(desk: &Desk, guest: &AnyGuest) -> VerdictFuture {
    let Some(guest) = Guest::of(Some(guest)) else { return Box::pin(std::future::ready(false)) };
    let (reply, verdict) = oneshot::channel();
    desk.take_jobs([Job::Hook(HookJob::Judge(guest, reply))]);
    // Without a verdict nobody serves any more.
    Box::pin(async { verdict.await.unwrap_or(false) })
}

/// Tells that a connection has ended. While Python is blocked, clients may come
/// and go as they like: of those that it has not seen, no more ends are kept for it
/// than [`Ends`] has room for.
pub fn left(desk: &Desk, guest: AnyGuest) {
    let Some(guest) = Guest::of(Some(&guest)) else { return };
    guest.pipe.end();
    if !desk.ends.add() && !guest.is_seen.load(Ordering::SeqCst) {
        desk.ends.remove();
        if !desk.ends.is_reported.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "`on_close` is not called for connections that end now: Python has been busy \
                 for long, and too many ends wait already (16 times `max_queue`)"
            );
        }
        return;
    }
    desk.take_jobs([Job::Hook(HookJob::Left(guest))]);
}

/// How many ends of connections wait for Python.
#[derive(Debug, Default)]
pub struct Ends {
    waiting: AtomicUsize,
    most: AtomicUsize,
    /// Whether the log has been told that there is no room; until all are told.
    is_reported: AtomicBool,
}

impl Ends {
    /// Of so many calls that may wait, the room for ends is a multiple.
    pub fn set_limit(&self, calls: usize) {
        self.most.store(calls.saturating_mul(16), Ordering::Relaxed);
    }

    /// One more; whether there was room for it.
    fn add(&self) -> bool {
        self.waiting.fetch_add(1, Ordering::Relaxed) < self.most.load(Ordering::Relaxed)
    }

    /// One is told, or is not to be.
    pub fn remove(&self) {
        if self.waiting.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.is_reported.store(false, Ordering::Relaxed);
        }
    }
}

/// Carries the bytes of an upgraded connection to and from Python.
#[derive(Debug)]
pub struct PipeEnd(pub Arc<Guest>);

impl Carrier for PipeEnd {
    fn carry(
        self: Box<Self>,
        connection: Box<dyn Bytestream>,
    ) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            let guest = &self.0;
            if !guest.pipe.carry(connection, PATIENCE, || guest.tell()).await {
                tracing::warn!(
                    "{guest}: its identity has taken nothing for {PATIENCE:?}, and \
                     {MOST_RECEIVED} bytes wait: closed"
                );
            }
        })
    }
}

impl Drop for PipeEnd {
    fn drop(&mut self) {
        self.0.pipe.end();
    }
}
