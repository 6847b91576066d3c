//! One listener that is open: its sockets, how connections that come there begin, and who else has
//! it.
//!
//! Opened and closed on the thread that starts the server or makes a change. Its tasks on the first
//! I/O thread accept by descriptors of their own, and take no lock that is held while a disk is
//! waited for.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::{Condvar, Mutex};
use slimhttp_site::listener::{Endpoint, Listener};
use socket2::{SockFilter, SockRef};
use tokio::sync::watch;

use crate::net::inherited::{InheritedSocket, Source};
use crate::net::listener::ListeningSocket;
use crate::net::socket_file::Protection;
use crate::net::unix_listener::SocketPath;

/// One listener that is open. Shared by the list of them and by the tasks that accept from it.
#[derive(Debug)]
pub(crate) struct OpenListener {
    /// By which its connections are known, of all listeners of the process; never 0.
    id: u32,
    /// Its sockets: several where a name has several addresses. Empty once it is closed.
    sockets: Mutex<Vec<ListeningSocket>>,
    /// The files of those that have one, until they are taken away.
    files: Mutex<Vec<SocketPath>>,
    /// The addresses of those that have one.
    bound: Vec<SocketAddr>,
    /// How connections that come here begin, as the site in force says.
    rules: ArcSwap<Listener>,
    /// Whether it is to accept nobody more.
    is_closing: watch::Sender<bool>,
    /// How many tasks accept from it, and who waits until there is none.
    accepting: (Mutex<usize>, Condvar),
    /// The process that has opened it, and no child that this has forked.
    process: u32,
    /// Where its sockets come from.
    source: Source,
    /// Whether the process before this one has let go of them.
    is_let_go: AtomicBool,
    /// Whether another process has taken them over.
    is_handed_over: AtomicBool,
}

impl OpenListener {
    pub(super) fn new(
        listener: Arc<Listener>,
        sockets: Vec<ListeningSocket>,
        source: Source,
    ) -> Self {
        static NEXT_ID: AtomicU32 = AtomicU32::new(1);
        Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            bound: sockets.iter().filter_map(ListeningSocket::address).collect(),
            files: Mutex::new(sockets.iter().filter_map(ListeningSocket::file).collect()),
            sockets: Mutex::new(sockets),
            rules: ArcSwap::new(listener),
            is_closing: watch::Sender::new(false),
            accepting: Default::default(),
            process: std::process::id(),
            source,
            is_let_go: AtomicBool::new(false),
            is_handed_over: AtomicBool::new(false),
        }
    }

    /// By which its connections are known.
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// How connections that come here begin.
    pub(crate) fn rules(&self) -> Arc<Listener> {
        self.rules.load_full()
    }

    /// Changes that.
    pub(super) fn set_rules(&self, rules: Arc<Listener>) {
        self.rules.store(rules);
    }

    /// The addresses that are bound; none of a socket in the file system.
    pub(crate) fn bound(&self) -> &[SocketAddr] {
        &self.bound
    }

    /// As a URL, with the port that is bound: `http://127.0.0.1:8080`, `unix:/run/site.sock`.
    pub(crate) fn url(&self) -> String {
        let rules = self.rules();
        match (&rules.endpoint, self.bound.first()) {
            (Endpoint::Tcp { address, port: 0 }, Some(bound)) => {
                Listener::new(Endpoint::tcp(address, bound.port()), rules.tls).to_string()
            }
            _ => rules.to_string(),
        }
    }

    /// Descriptors of its sockets for the tasks that accept, which are counted from now on; none
    /// where it is closing.
    ///
    /// # Errors
    /// The system's, where it gives no more descriptors.
    pub(super) fn begin_accepting(&self) -> io::Result<Vec<OwnedFd>> {
        let sockets = self.sockets.lock();
        let mut accepting = self.accepting.0.lock();
        if *accepting > 0 || *self.is_closing.borrow() {
            return Ok(Vec::new());
        }
        let duplicates = sockets.iter().map(ListeningSocket::duplicate);
        let duplicates: Vec<_> = duplicates.collect::<io::Result<_>>()?;
        *accepting = duplicates.len();
        Ok(duplicates)
    }

    /// One of these tasks has ended, and closed its descriptor.
    pub(crate) fn end_accepting(&self) {
        let mut sockets = self.sockets.lock();
        let mut accepting = self.accepting.0.lock();
        *accepting -= 1;
        if *accepting == 0 {
            // Else whoever ends the server is about to close it.
            if self.is_closing() || self.is_handed_over.load(Ordering::Acquire) {
                sockets.clear();
            }
            self.accepting.1.notify_all();
        }
    }

    /// Whether it is to accept nobody more, and the server goes on.
    pub(crate) fn is_closing(&self) -> bool {
        *self.is_closing.borrow()
    }

    /// Waits until it is to accept nobody more.
    pub(crate) async fn closing(&self) {
        // The sender is `self`, so the channel cannot close meanwhile.
        let _ = self.is_closing.subscribe().wait_for(|is_closing| *is_closing).await;
    }

    /// Lets the system take no further connections for a socket that is to be closed: what it has
    /// taken is accepted, and is not reset when the socket closes. A client that asks meanwhile asks
    /// again, a second later. Whether there is a moment to wait for handshakes that have begun.
    pub(crate) fn refuse_handshakes(&self, socket: SockRef<'_>) -> bool {
        // Of a socket that another process has too, that one accepts.
        if !self.is_ours_alone() {
            return false;
        }
        refuse_handshakes(&socket)
    }

    /// Whether no other process has its sockets.
    pub(super) fn is_ours_alone(&self) -> bool {
        let is_ours = match &self.source {
            Source::Ours => true,
            Source::Predecessor => self.is_let_go.load(Ordering::Acquire),
            Source::Manager(_) => false,
        };
        let is_kept = !self.is_handed_over.load(Ordering::Acquire);
        is_ours && is_kept && self.process == std::process::id()
    }

    /// Asks the tasks that accept to end; without any it is closed at once.
    pub(super) fn close(&self) {
        self.remove_files();
        let mut sockets = self.sockets.lock();
        self.is_closing.send_replace(true);
        if *self.accepting.0.lock() == 0 {
            sockets.clear();
        }
    }

    /// Takes its files away, unless they are another process's too.
    fn remove_files(&self) {
        if self.is_ours_alone() {
            // Once each, for the number of a file that is gone may be another one's soon. Waits
            // for the disk, so not with the lock that an I/O thread takes.
            let files = std::mem::take(&mut *self.files.lock());
            files.iter().for_each(SocketPath::remove);
        }
    }

    /// Blocks until it is closed, at most `timeout`.
    pub(super) fn wait_closed(&self, timeout: Duration) {
        let (accepting, ended) = &self.accepting;
        let mut accepting = accepting.lock();
        ended.wait_while_for(&mut accepting, |accepting| *accepting > 0, timeout);
    }
}

/// Drops the first packet of every handshake that comes to a socket (SYN, RFC 9293 section 3.5).
#[cfg(any(target_os = "linux", target_os = "android"))]
fn refuse_handshakes(socket: &SockRef<'_>) -> bool {
    /// The flags of TCP's header, and the flag SYN.
    const FLAGS: u32 = 13;
    const SYN: u32 = 0x02;
    // A filter of classic BPF sees a packet from the header of TCP on: load the byte of the flags,
    // test the one, and let nothing through, or all.
    let filter = [
        SockFilter::new(0x30, 0, 0, FLAGS),
        SockFilter::new(0x45, 0, 1, SYN),
        SockFilter::new(0x06, 0, 0, 0),
        SockFilter::new(0x06, 0, 0, u32::MAX),
    ];
    socket.attach_filter(&filter).is_ok()
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn refuse_handshakes(_: &SockRef<'_>) -> bool {
    false
}

/// Which process has it.
impl OpenListener {
    /// Descriptors of its sockets, by name, for the process that takes over: from now on they are that
    /// one's too.
    ///
    /// # Errors
    /// The system's, where it gives no more descriptors.
    pub(super) fn hand_over(&self) -> io::Result<Vec<InheritedSocket>> {
        self.is_handed_over.store(true, Ordering::Release);
        let endpoint = self.rules.load().endpoint.to_string();
        let name = |index: usize| match &self.source {
            // By which a successor knows that it is not ours to close.
            Source::Manager(names) => names[index].clone(),
            Source::Ours | Source::Predecessor => endpoint.clone(),
        };
        let sockets = self.sockets.lock();
        let named = sockets.iter().enumerate().map(|(index, socket)| {
            Ok(InheritedSocket { name: name(index), socket: socket.duplicate()? })
        });
        named.collect()
    }

    /// Whether whoever manages the process has opened a socket of that name for it.
    pub(super) fn is_of_manager(&self, name: &str) -> bool {
        matches!(&self.source, Source::Manager(names) if names.iter().any(|known| known == name))
    }

    /// No process has taken it over after all.
    pub(super) fn keep(&self) {
        self.is_handed_over.store(false, Ordering::Release);
        self.settle();
    }

    /// The process before this one has let go of it: who may open it is what this one has read.
    pub(super) fn own(&self) {
        self.is_let_go.store(true, Ordering::Release);
        self.settle();
        let (rules, files) = (self.rules(), self.files.lock());
        for file in files.iter() {
            if let Err(error) = file.protect(&rules.socket_file) {
                tracing::warn!("{rules} keeps the permissions that it has: {error}");
            }
        }
    }

    /// What was left alone as long as another process had it too.
    fn settle(&self) {
        if self.is_closing() {
            self.remove_files();
        }
    }
}

impl OpenListener {
    /// Who may open it may have changed, of a socket in the file system.
    pub(super) fn protect(&self, wanted: &Listener) -> io::Result<Vec<Protection>> {
        if self.rules.load().socket_file == wanted.socket_file {
            return Ok(Vec::new());
        }
        let files = self.files.lock();
        files.iter().filter_map(|file| file.protect(&wanted.socket_file).transpose()).collect()
    }

    pub(super) fn tcp_sockets(&self) -> Vec<TcpListener> {
        let duplicate = |socket: &ListeningSocket| match socket {
            ListeningSocket::Tcp(socket) => socket.try_clone().ok(),
            ListeningSocket::Unix(..) => None,
        };
        self.sockets.lock().iter().filter_map(duplicate).collect()
    }
}
