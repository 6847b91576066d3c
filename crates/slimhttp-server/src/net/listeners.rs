//! The listeners that a server has open. A change opens what is new before it holds, and closes
//! what is not named any more behind it, without a client that is refused.
//!
//! Opened and closed on the thread that starts the server or makes a change. The first I/O thread
//! accepts by descriptors of its own of the same sockets, see `serve/accept.rs`, and takes its leave
//! from a listener before that is closed.

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

use crate::net::inherited::{Inherited, InheritedSocket, Source};
use crate::net::listener::{self, ListeningSocket};
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
    /// Where its sockets come from.
    source: Source,
    /// Whether the process before this one has let go of them.
    is_let_go: AtomicBool,
    /// Whether another process has taken them over.
    is_handed_over: AtomicBool,
}

impl OpenListener {
    fn new(listener: Arc<Listener>, sockets: Vec<ListeningSocket>, source: Source) -> Self {
        static NEXT_ID: AtomicU32 = AtomicU32::new(1);
        Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            bound: sockets.iter().filter_map(ListeningSocket::address).collect(),
            files: Mutex::new(sockets.iter().filter_map(ListeningSocket::file).collect()),
            sockets: Mutex::new(sockets),
            rules: ArcSwap::new(listener),
            is_closing: watch::Sender::new(false),
            accepting: Default::default(),
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
    fn begin_accepting(&self) -> io::Result<Vec<OwnedFd>> {
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
    fn is_ours_alone(&self) -> bool {
        let is_ours = match &self.source {
            Source::Ours => true,
            Source::Predecessor => self.is_let_go.load(Ordering::Acquire),
            Source::Manager(_) => false,
        };
        is_ours && !self.is_handed_over.load(Ordering::Acquire)
    }

    /// Asks the tasks that accept to end; without any it is closed at once.
    fn close(&self) {
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
    fn wait_closed(&self, timeout: Duration) {
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

/// All listeners of a server.
#[derive(Debug)]
pub(crate) struct Listeners {
    open: Mutex<Vec<Arc<OpenListener>>>,
    /// Whether nobody accepts any more: then no change opens one. Written with `open` locked.
    is_final: AtomicBool,
    inherited: Inherited,
    /// How often the list has changed.
    changes: watch::Sender<u64>,
}

/// The listeners of a site that is not in force yet: dropped, it closes those that are new, and gives
/// files the permissions that they had.
#[derive(Debug, Default)]
pub(crate) struct PreparedListeners {
    all: Vec<(Arc<Listener>, Arc<OpenListener>)>,
    /// Those of them that were opened for it.
    new: Vec<Arc<OpenListener>>,
    /// What files of sockets were given for it.
    protections: Vec<Protection>,
}

impl Drop for PreparedListeners {
    fn drop(&mut self) {
        for protection in &self.protections {
            protection.undo();
        }
        for opened in &self.new {
            opened.close();
        }
    }
}

/// Why one of the listeners of a site cannot be opened.
#[derive(Debug)]
pub(crate) struct CannotListen {
    pub(crate) listener: Arc<Listener>,
    pub(crate) cause: io::Error,
}

impl Listeners {
    /// None yet; with what was handed over to the process.
    ///
    /// # Errors
    /// Something of that does not listen.
    pub(crate) fn new(inherited: Vec<InheritedSocket>) -> io::Result<Self> {
        let inherited = Inherited::new(inherited)?;
        let (open, is_final, changes) = Default::default();
        Ok(Self { open, is_final, inherited, changes })
    }

    /// Opens the first.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn open_first(&self, listener: &Arc<Listener>) -> io::Result<Arc<OpenListener>> {
        let opened = Arc::new(self.open(listener, &[])?);
        self.open.lock().push(opened.clone());
        Ok(opened)
    }

    /// The first, of no socket.
    #[cfg(test)]
    pub(crate) fn pretend(&self, listener: Listener) {
        self.open.lock().push(Arc::new(OpenListener::new(
            listener.into(),
            Vec::new(),
            Source::Ours,
        )));
    }

    /// Opens those of `wanted` that are not open yet, unless the server accepts nobody more.
    ///
    /// # Errors
    /// Every one that cannot be opened; those that are new are closed then.
    pub(crate) fn prepare(
        &self,
        wanted: &[Arc<Listener>],
    ) -> Result<PreparedListeners, Vec<CannotListen>> {
        let mut open = self.open.lock().clone();
        let all_open = open.clone();
        let mut prepared = PreparedListeners::default();
        let mut faults = Vec::new();
        for listener in wanted {
            let is_it = |open: &Arc<OpenListener>| {
                let rules = open.rules.load();
                rules.endpoint == listener.endpoint && rules.reuse_port == listener.reuse_port
            };
            let known = open.iter().position(is_it).map(|known| open.remove(known));
            let opened = match known {
                Some(known) => Ok(known),
                None if self.is_final.load(Ordering::Acquire) => continue,
                None => self.open(listener, &all_open).map(Arc::new).inspect(|opened| {
                    prepared.new.push(opened.clone());
                }),
            };
            match opened {
                Ok(opened) => prepared.all.push((listener.clone(), opened)),
                Err(cause) => faults.push(CannotListen { listener: listener.clone(), cause }),
            }
        }
        // Last, for clients would see it.
        for (listener, open) in prepared.all.iter().filter(|_| faults.is_empty()) {
            match open.protect(listener) {
                Ok(given) => prepared.protections.extend(given),
                Err(cause) => {
                    return Err(vec![CannotListen { listener: listener.clone(), cause }]);
                }
            }
        }
        if faults.is_empty() { Ok(prepared) } else { Err(faults) }
    }

    fn open(
        &self,
        listener: &Arc<Listener>,
        ours: &[Arc<OpenListener>],
    ) -> io::Result<OpenListener> {
        let (handed_over, source) = self.inherited.take(&listener.endpoint)?;
        if !handed_over.is_empty() {
            return Ok(OpenListener::new(listener.clone(), handed_over, source));
        }
        if let Endpoint::Inherited(name) = &listener.endpoint {
            let names = self.inherited.names();
            let known = if names.is_empty() { "none".into() } else { names.join(", ") };
            let why = format!("no socket `{name}` was handed over to this process, but {known}");
            return Err(io::Error::new(io::ErrorKind::NotFound, why));
        }
        // Descriptors of their own, so that no lock is held while a name is looked up.
        let held: Vec<_> = ours.iter().flat_map(|open| open.tcp_sockets()).collect();
        let sockets = listener::open(listener, held.iter())?;
        Ok(OpenListener::new(listener.clone(), sockets, Source::Ours))
    }

    /// Makes prepared listeners those of the server, and asks all others to close; gives these. Only
    /// one change at a time prepares and does this.
    pub(crate) fn replace(&self, mut prepared: PreparedListeners) -> ClosingListeners {
        prepared.protections.clear();
        let all = std::mem::take(&mut prepared.all);
        for (rules, open) in &all {
            open.rules.store(rules.clone());
        }
        let mut all: Vec<_> = all.into_iter().map(|(_, open)| open).collect();
        let before = {
            let mut open = self.open.lock();
            match self.is_final.load(Ordering::Acquire) {
                // Those that are new close with `prepared`.
                true => all.retain(|open| !prepared.new.iter().any(|new| Arc::ptr_eq(open, new))),
                false => prepared.new.clear(),
            }
            std::mem::replace(&mut *open, all.clone())
        };
        let is_gone = |open: &Arc<OpenListener>| !all.iter().any(|other| Arc::ptr_eq(open, other));
        let gone: Vec<_> = before.into_iter().filter(is_gone).collect();
        for open in &gone {
            open.close();
        }
        self.changes.send_modify(|changes| *changes += 1);
        ClosingListeners(gone)
    }

    /// Those that are open.
    pub(crate) fn all(&self) -> Vec<Arc<OpenListener>> {
        self.open.lock().clone()
    }

    /// Told when the list changes.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Those from which nobody accepts yet, with descriptors to do so.
    pub(crate) fn begin_accepting(&self) -> Vec<(Arc<OpenListener>, Vec<OwnedFd>)> {
        let begin = |open: Arc<OpenListener>| match open.begin_accepting() {
            Ok(sockets) if sockets.is_empty() => None,
            Ok(sockets) => Some((open, sockets)),
            Err(error) => {
                tracing::error!("cannot accept connections at {}: {error}", open.url());
                None
            }
        };
        self.all().into_iter().filter_map(begin).collect()
    }

    /// Opens no further ones, for nobody will accept from them.
    pub(crate) fn open_no_more(&self) {
        let _open = self.open.lock();
        self.is_final.store(true, Ordering::Release);
    }

    /// Closes all of them, for good.
    pub(crate) fn close(&self) {
        self.open_no_more();
        for open in self.all() {
            open.close();
        }
    }

    /// Closes what was handed over and is not used, once the server serves; what another one than
    /// the process before has opened is left for a later change, and the log tells of it.
    pub(crate) fn discard_inherited(&self) {
        self.inherited.discard();
        let all = self.all();
        let is_named = |name: &String| {
            let is_it = |listener: &Arc<OpenListener>| matches!(&listener.rules().endpoint, Endpoint::Inherited(known) if **known == **name);
            all.iter().any(is_it)
        };
        for name in self.inherited.names().iter().filter(|name| !is_named(name)) {
            tracing::warn!(
                "the socket `{name}` was handed over, and no listener has it: who connects waits"
            );
        }
    }

    /// The process before this one has let go of its sockets.
    pub(crate) fn own(&self) {
        for open in self.all() {
            open.is_let_go.store(true, Ordering::Release);
        }
    }

    /// Nobody has taken the sockets over after all.
    pub(crate) fn keep(&self) {
        for open in self.all() {
            open.is_handed_over.store(false, Ordering::Release);
        }
    }

    /// Descriptors of all sockets, by name, for the process that takes over. From now on these
    /// sockets are another process's too, until [`Self::keep`] says that they are not.
    ///
    /// # Errors
    /// The system's, where it gives no more descriptors.
    pub(crate) fn hand_over(&self) -> io::Result<Vec<InheritedSocket>> {
        let mut handed_over = self.inherited.duplicates()?;
        for open in self.all() {
            open.is_handed_over.store(true, Ordering::Release);
            let endpoint = open.rules.load().endpoint.clone();
            // Those that have a name of their own are among the inherited ones.
            if matches!(endpoint, Endpoint::Inherited(_)) {
                continue;
            }
            for (index, socket) in open.sockets.lock().iter().enumerate() {
                let socket = socket.duplicate()?;
                let name = match &open.source {
                    // By which a successor knows that it is not ours to close.
                    Source::Manager(names) => names[index].clone(),
                    Source::Ours | Source::Predecessor => endpoint.to_string(),
                };
                handed_over.push(InheritedSocket { name, socket });
            }
        }
        Ok(handed_over)
    }
}

impl OpenListener {
    /// Who may open it may have changed, of a socket in the file system.
    fn protect(&self, wanted: &Listener) -> io::Result<Vec<Protection>> {
        if self.rules.load().socket_file == wanted.socket_file {
            return Ok(Vec::new());
        }
        let files = self.files.lock();
        files.iter().filter_map(|file| file.protect(&wanted.socket_file).transpose()).collect()
    }

    fn tcp_sockets(&self) -> Vec<TcpListener> {
        let duplicate = |socket: &ListeningSocket| match socket {
            ListeningSocket::Tcp(socket) => socket.try_clone().ok(),
            ListeningSocket::Unix(..) => None,
        };
        self.sockets.lock().iter().filter_map(duplicate).collect()
    }
}

/// Listeners that are asked to close.
#[must_use]
pub(crate) struct ClosingListeners(Vec<Arc<OpenListener>>);

impl ClosingListeners {
    /// Blocks until they are closed, at most `timeout`; not on an I/O thread, which closes them.
    pub(crate) fn wait(&self, timeout: Duration) {
        for open in &self.0 {
            open.wait_closed(timeout);
        }
    }
}

#[cfg(test)]
mod tests;
