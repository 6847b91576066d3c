//! An I/O thread as the other threads know it, and the list of what belongs to one thread alone.
//!
//! A connection stays on the I/O thread that was given it. What its exchanges use again and again
//! therefore belongs to the thread, so that no request waits for another thread or writes to
//! memory that several of them read. Such a part is a thread-local of the module that uses it,
//! next to its type: one struct of them all would have to stand below `websocket` and above
//! `http1` at once, and a table of untyped parts would cost a search at each use.
//!
//! Each part is declared in one way: a `static` in the one `thread_local!` of its file, `const`
//! initialised where its type allows, a `RefCell` or a `Cell` by itself. It is borrowed by a
//! closure, so never across an `.await`, and nothing that runs within the closure uses the same
//! part again; several parts may be borrowed at once. A part is dropped when its thread ends.
//!
//! | file | what a thread has of its own |
//! | --- | --- |
//! | `http1/connection.rs` | what the heads of requests are read to |
//! | `http1/date.rs` | the field `Date`, made once a second |
//! | `http1/response_cache.rs` | responses of files that are sent again as they are |
//! | `http1/sending.rs` | the buffer in which a head is written |
//! | `live/store.rs` | the snapshot that it saw last, with a count of references of its own |
//! | `net/read_buffer.rs` | the buffer into which sockets are read |
//! | `upstream/connection.rs` | where heads of responses are read to |
//! | `upstream/groups.rs` | the groups of upstreams that it has looked up |
//! | `upstream/pool.rs` | its idle connections to upstreams, and whose turn it is among these |
//! | `upstream/send_queue.rs` | the buffer in which the head of a request is written |
//! | `websocket/deflate.rs` | what compresses and decompresses messages, and the buffer for it |
//!
//! `tests/tidy/test_thread_locals.py` holds the table.

use std::sync::Arc;

use tokio::runtime::Handle;

use crate::net::admission::ConnectionCount;
use crate::net::connections::Connections;
use crate::serve::heartbeat::Heartbeat;
use crate::serve::resting::Resting;

/// One I/O thread. Shared by all threads of the server: the one that accepts hands it connections,
/// any thread may ask what is under way on it.
#[derive(Debug)]
pub(crate) struct IoThread {
    /// Its connections, as its housekeeping and the end of the server look at them.
    pub(crate) connections: Connections,
    /// Those among them that rest, and have no task.
    pub(super) resting: Resting,
    /// That it goes on.
    pub(super) heartbeat: Heartbeat,
    /// By which other threads start tasks on it.
    pub(super) handle: Handle,
    /// How many connections it has, those included whose task has not begun.
    pub(super) active: Arc<ConnectionCount>,
}

impl IoThread {
    /// By which a task is started on it.
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }
}
