//! The mounts of a scope: the scopes that answer for parts of its paths.

use std::sync::Arc;

use crate::routing::mount::MountTable;
use crate::site::Scope;

/// What a scope says as a mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// The key of `mounts` as written.
    pub key: Arc<str>,
    /// The prefix: decoded, and without a slash at its end, so that it is empty at the root.
    pub prefix: Arc<str>,
}

/// The mounts of one scope. Cloning is cheap, an insertion into a clone shares all the rest.
#[derive(Clone, Debug, Default)]
pub struct Mounts {
    table: MountTable<Arc<Scope>>,
    /// How many of them forward requests.
    forwarding: usize,
    /// How many of them leave it to somebody else which methods there are.
    open: usize,
}

impl Mounts {
    /// Puts a mount in, in place of the one that has its prefix.
    ///
    /// # Panics
    /// The scope is no mount.
    pub fn insert(&mut self, scope: Arc<Scope>) {
        let mount = scope.mount.as_ref().expect("only a mount stands below a prefix");
        let prefix = Arc::clone(&mount.prefix);
        self.count(&scope, 1);
        if let Some(old) = self.table.insert(&prefix, scope) {
            self.count(&old, -1);
        }
    }

    /// Takes the mount with this prefix out.
    pub fn remove(&mut self, prefix: &str) {
        if let Some(old) = self.table.remove(prefix) {
            self.count(&old, -1);
        }
    }

    fn count(&mut self, scope: &Scope, change: isize) {
        let add = |count: &mut usize| {
            *count = count.checked_add_signed(change).expect("whatever goes has come before");
        };
        if scope.options.proxy.is_some() {
            add(&mut self.forwarding);
        }
        if scope.options.takes_every_method() {
            add(&mut self.open);
        }
    }

    /// The mount with exactly this prefix.
    pub fn get(&self, prefix: &str) -> Option<&Arc<Scope>> {
        self.table.get(prefix)
    }

    /// The mount that answers for `path`, which is decoded.
    pub fn find(&self, path: &[u8]) -> Option<&Arc<Scope>> {
        self.table.find(path)
    }

    /// Whether one of them forwards requests.
    pub fn forward(&self) -> bool {
        self.forwarding > 0
    }

    /// Whether one of them leaves it to somebody else which methods there are.
    pub fn take_every_method(&self) -> bool {
        self.open > 0
    }

    /// Every one, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Scope>> {
        self.table.values()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }
}
