//! Connections at rest: plain ones of HTTP/1 on which nothing has come for a while. Such a
//! connection has no task, no buffer and no registration with the runtime. Its socket and its
//! context wait in a table of its I/O thread, and a poller of that table tells when the client
//! sends something or leaves. To the rest of the server it is an idle connection like any other:
//! its [`ConnectionState`](crate::net::connection_state::ConnectionState) is in the list of the thread, its permit is held, and whoever asks it to end is heard.
//!
//! [`rest`] is called by the task of a connection as the last thing that it does. One task of the
//! I/O thread, [`watch`], waits for all that rest: it starts a task anew for a connection whose
//! client has sent something, and ends one that is asked to end or whose client has left. It does
//! so for a bounded number in one turn, for thousands may wake in one moment. The first connection
//! that rests starts it; a thread that has none has neither poller nor task.
//!
//! All of that is on the I/O thread. Other threads ask a connection to end; they reach the table
//! by the waker that stands in its state, see [`EndRequests`].

use std::fmt;
use std::io;
use std::net::TcpStream as StdTcpStream;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, Wake, Waker};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use mio::unix::SourceFd;
use mio::{Events, Registry, Token};
use parking_lot::Mutex;
use slab::Slab;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::TcpStream;

use crate::context::connection::ConnectionContext;
use crate::net::connection_state::{CloseMode, run_until_cut};
use crate::serve::connection::plain_http1;
use crate::serve::io_thread::IoThread;

/// How many connections are looked at in one turn, of those that have something to read and of
/// those that may be to end: some microseconds of work each.
const AT_ONCE: usize = 64;

/// The connections of one I/O thread that rest.
#[derive(Default)]
pub(super) struct Resting {
    /// Since the first of them rested. Locked by the I/O thread alone.
    table: Mutex<Option<Table>>,
    requests: Arc<EndRequests>,
}

/// The connections, each by a key, which its events carry.
struct Table {
    connections: Slab<IdleConnection>,
    /// What stands in their states in place of the waker of a task: one for each [`AT_ONCE`] keys.
    wakers: Vec<Arc<GroupWaker>>,
    registry: Registry,
}

/// All that a connection keeps that rests.
struct IdleConnection {
    socket: StdTcpStream,
    context: Arc<ConnectionContext>,
}

/// What a client has sent while nobody looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unread {
    Nothing,
    Bytes,
    /// It has closed its side, or the connection is broken.
    End,
}

/// Lets the connection rest, whose task ends. Gives the socket back where the system has no
/// room for it there.
pub(super) fn rest(
    io_thread: &Arc<IoThread>,
    socket: TcpStream,
    context: &Arc<ConnectionContext>,
) -> Result<(), TcpStream> {
    let Resting { table, requests } = &io_thread.resting;
    let mut table = table.lock();
    let table = match &mut *table {
        Some(table) => table,
        none => match Table::begin(io_thread) {
            Ok(begun) => none.insert(begun),
            Err(_) => return Err(socket),
        },
    };
    if let Some(key) = table.insert(socket, context)? {
        let waker = Waker::from(table.waker(key, requests));
        // Registered before it looks, as a task does: what is asked in between is not missed.
        context.state.register(&waker);
        if context.state.close_mode().ends_idle() {
            waker.wake();
        }
    }
    Ok(())
}

impl Table {
    /// An empty one, and the task that watches it.
    fn begin(io_thread: &Arc<IoThread>) -> io::Result<Self> {
        let poller = mio::Poll::new()?;
        let registry = poller.registry().try_clone()?;
        #[expect(
            deprecated,
            reason = "what replaces it is `unsafe`, for types that may change their descriptor, \
                      which a poller does not"
        )]
        let poller = AsyncFd::with_interest(poller, Interest::READABLE)?;
        tokio::spawn(watch(io_thread.clone(), poller));
        Ok(Self { connections: Slab::new(), wakers: Vec::new(), registry })
    }

    /// Takes a connection in: its key, or `None` where it is broken and was dropped.
    fn insert(
        &mut self,
        socket: TcpStream,
        context: &Arc<ConnectionContext>,
    ) -> Result<Option<usize>, TcpStream> {
        let vacant = self.connections.vacant_entry();
        let key = vacant.key();
        let source = socket.as_raw_fd();
        // What the client sends from here on is told here, and what has come already, too.
        let registered =
            self.registry.register(&mut SourceFd(&source), Token(key), mio::Interest::READABLE);
        if registered.is_err() {
            return Err(socket);
        }
        let Ok(socket) = socket.into_std() else { return Ok(None) };
        vacant.insert(IdleConnection { socket, context: context.clone() });
        Ok(Some(key))
    }

    /// The waker of the group to which a key belongs.
    fn waker(&mut self, key: usize, requests: &Arc<EndRequests>) -> Arc<GroupWaker> {
        let group = key / AT_ONCE;
        for group in self.wakers.len()..=group {
            let (requests, is_queued) = (requests.clone(), AtomicBool::new(false));
            self.wakers.push(Arc::new(GroupWaker { requests, group, is_queued }));
        }
        self.wakers[group].clone()
    }

    /// Takes a connection out.
    fn remove(&mut self, key: usize) -> Option<IdleConnection> {
        let connection = self.connections.try_remove(key)?;
        // Not left to the close: a process that was forked may have the socket open too.
        let _ = self.registry.deregister(&mut SourceFd(&connection.socket.as_raw_fd()));
        Some(connection)
    }
}

impl IdleConnection {
    fn unread(&self) -> Unread {
        match self.socket.peek(&mut [0]) {
            Ok(0) => Unread::End,
            Ok(_) => Unread::Bytes,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Unread::Nothing,
            Err(_) => Unread::End,
        }
    }
}

impl fmt::Debug for Resting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resting").finish_non_exhaustive()
    }
}

impl Resting {
    /// Takes out a connection whose client has sent something or has left.
    fn take_readable(&self, key: usize) -> Option<IdleConnection> {
        self.table.lock().as_mut()?.remove(key)
    }

    /// Takes out those of a group that are asked to end. There may be none: a waker stands in the
    /// state of a connection that has gone on until its next task registers; and who is to end
    /// after one more request waits for that here.
    fn take_ending(&self, group: usize) -> Vec<IdleConnection> {
        let mut table = self.table.lock();
        let Some(table) = &mut *table else { return Vec::new() };
        // Before it looks, so that who is asked from now on is looked at again.
        table.wakers[group].is_queued.swap(false, Ordering::AcqRel);
        let keys = group * AT_ONCE..(group + 1) * AT_ONCE;
        let waker = Waker::from(table.wakers[group].clone());
        let is_to_end = |table: &Table, key| {
            let Some(IdleConnection { context, .. }) = table.connections.get(key) else {
                return false;
            };
            // The wake-up has taken the registration away.
            context.state.register(&waker);
            context.state.close_mode().ends_idle()
        };
        keys.filter_map(|key| if is_to_end(table, key) { table.remove(key) } else { None })
            .collect()
    }

    /// Drops all of them, at the end of the I/O thread.
    pub(super) fn clear(&self) {
        let table = self.table.lock().take();
        drop(table);
    }
}

/// Waits for whatever concerns the connections of `io_thread` that rest, for as long as the
/// thread runs.
async fn watch(io_thread: Arc<IoThread>, mut poller: AsyncFd<mio::Poll>) {
    let resting = &io_thread.resting;
    let mut events = Events::with_capacity(AT_ONCE);
    loop {
        tokio::select! {
            ready = poller.readable_mut() => {
                // An error there is the end of the runtime.
                let Ok(mut ready) = ready else { return };
                let polled = ready.get_inner_mut().poll(&mut events, Some(Duration::ZERO));
                if polled.is_ok() && events.iter().count() < AT_ONCE {
                    ready.clear_ready();
                }
                for event in &events {
                    let connection = resting.take_readable(event.token().0);
                    let may_have_left = event.is_read_closed() || event.is_error();
                    match connection {
                        Some(left) if may_have_left && left.unread() == Unread::End => end(left),
                        Some(connection) => resume(connection, &io_thread),
                        None => {}
                    }
                }
            }
            group = resting.requests.next() => {
                for connection in resting.take_ending(group) {
                    // Whose request has come in time is answered first.
                    let may_ask = connection.context.state.close_mode() == CloseMode::Gracefully;
                    if may_ask && connection.unread() == Unread::Bytes {
                        resume(connection, &io_thread);
                    } else {
                        end(connection);
                    }
                }
            }
        }
        tokio::task::yield_now().await;
    }
}

/// Starts a task for a connection on which there is something to read.
fn resume(connection: IdleConnection, io_thread: &Arc<IoThread>) {
    let IdleConnection { socket, context } = connection;
    let io_thread = io_thread.clone();
    tokio::spawn(async move {
        let Ok(socket) = TcpStream::from_std(socket) else { return };
        // The runtime has yet to see it. Until then the connection would look idle, and one that
        // is asked to end would do so without an answer.
        let readable = run_until_cut(&context.state, socket.readable()).await;
        if matches!(readable, Ok(Ok(()))) {
            plain_http1(socket, context, &io_thread).await;
        }
    });
}

/// Ends a connection: in a task, for a panic of the program's that hears of it ends that task alone.
fn end(connection: IdleConnection) {
    tokio::spawn(async move { drop(connection) });
}

/// The groups in which any thread has asked a connection to end, each once.
#[derive(Debug, Default)]
struct EndRequests {
    groups: Mutex<Vec<usize>>,
    watch: AtomicWaker,
}

impl EndRequests {
    /// Waits until there is a group, and takes it.
    async fn next(&self) -> usize {
        std::future::poll_fn(|context| {
            self.watch.register(context.waker());
            self.groups.lock().pop().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

/// What is woken when a connection that rests is asked to end, as its task would be. It names no
/// connection but a group of them, which are then looked at: one for each would take as much
/// memory as all else that is kept for it in the table.
struct GroupWaker {
    requests: Arc<EndRequests>,
    group: usize,
    /// Whether the group is among the requests.
    is_queued: AtomicBool,
}

impl Wake for GroupWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_queued.swap(true, Ordering::AcqRel) {
            self.requests.groups.lock().push(self.group);
            self.requests.watch.wake();
        }
    }
}

#[cfg(test)]
mod tests;
