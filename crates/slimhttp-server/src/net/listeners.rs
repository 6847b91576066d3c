//! The listeners that a server has open. A change opens what is new before it holds, and closes
//! what is not named any more behind it, without a client that is refused.
//!
//! Opened and closed on the thread that starts the server or makes a change. The first I/O thread
//! accepts by descriptors of its own of the same sockets, see `serve/accept.rs`, and takes its leave
//! from a listener before that is closed.

use std::collections::HashSet;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use slimhttp_site::listener::{Endpoint, Listener};
use tokio::sync::watch;

use crate::net::inherited::{Inherited, InheritedSocket, Source};
use crate::net::listener;
use crate::net::socket_file::Protection;
use crate::net::unix_listener::SocketPath;

mod open_listener;

pub(crate) use open_listener::OpenListener;

/// All listeners of a server.
#[derive(Debug)]
pub(crate) struct Listeners {
    open: Mutex<Vec<Arc<OpenListener>>>,
    /// Whether nobody accepts any more: then no change opens one. Written with `open` locked.
    is_final: AtomicBool,
    /// Those that changes have closed while another process had their sockets too.
    closed_for_us: Mutex<Vec<Arc<OpenListener>>>,
    inherited: Inherited,
    /// Files of the process before this one, which this one does not listen at.
    discarded: Mutex<Vec<SocketPath>>,
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
        let (open, is_final, closed_for_us, discarded, changes) = Default::default();
        Ok(Self { open, is_final, closed_for_us, inherited, discarded, changes })
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
        // The more specific one of two that are new takes what it names, too.
        let mut all_open = open.clone();
        let mut prepared = PreparedListeners::default();
        let mut faults = Vec::new();
        for listener in wanted {
            let is_it = |open: &Arc<OpenListener>| {
                let rules = open.rules();
                rules.endpoint == listener.endpoint && rules.reuse_port == listener.reuse_port
            };
            let known = open.iter().position(is_it).map(|known| open.remove(known));
            let opened = match known {
                Some(known) => Ok(known),
                None if self.is_final.load(Ordering::Acquire) => continue,
                None => self.open(listener, &all_open).map(Arc::new).inspect(|opened| {
                    all_open.push(opened.clone());
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
            let others = match &*names {
                [] => "and no other one".to_owned(),
                names => format!("but {}", names.join(", ")),
            };
            let why = format!("no socket `{name}` was handed over to this process, {others}");
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
            open.set_rules(rules.clone());
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
        let is_shared = |open: &&Arc<OpenListener>| !open.is_ours_alone();
        self.closed_for_us.lock().extend(gone.iter().filter(is_shared).cloned());
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
        self.discarded.lock().extend(self.inherited.discard());
        let all = self.all();
        let is_named = |name: &String| all.iter().any(|open| open.is_of_manager(name));
        for name in self.inherited.names().iter().filter(|name| !is_named(name)) {
            tracing::warn!(
                "the socket `{name}` was handed over, and no listener has it: who connects waits"
            );
        }
    }

    /// The process before this one has let go of its sockets.
    pub(crate) fn own(&self) {
        std::mem::take(&mut *self.discarded.lock()).iter().for_each(SocketPath::remove);
        self.of_several_processes().iter().for_each(|open| open.own());
    }

    /// Nobody has taken the sockets over after all.
    pub(crate) fn keep(&self) {
        self.of_several_processes().iter().for_each(|open| open.keep());
    }

    /// Those that are open, and those that were closed while another process had them too.
    fn of_several_processes(&self) -> Vec<Arc<OpenListener>> {
        let mut all = std::mem::take(&mut *self.closed_for_us.lock());
        all.extend(self.all());
        all
    }

    /// Descriptors of all sockets, by name, for the process that takes over: those of the first
    /// listener first, and last what no listener has. From now on these sockets are another
    /// process's too, until [`Self::keep`] says that they are not.
    ///
    /// # Errors
    /// The system's, where it gives no more descriptors.
    pub(crate) fn hand_over(&self) -> io::Result<Vec<InheritedSocket>> {
        let mut handed_over = Vec::new();
        for open in self.all() {
            handed_over.extend(open.hand_over()?);
        }
        let known = handed_over.iter().map(InheritedSocket::identity);
        let known: HashSet<_> = known.collect::<io::Result<_>>()?;
        for left in self.inherited.duplicates()? {
            if !known.contains(&left.identity()?) {
                handed_over.push(left);
            }
        }
        Ok(handed_over)
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
