//! The routes of every scope as a program registers them, until a change compiles them
//! into the site.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crate::config::fault::{Fault, Place};
use crate::config::value::Value;
use crate::routing::host::HostKey;
use crate::routing::route::{HandlerId, Route, RouteTable};
use crate::site::instance::Instance;

/// The routes of every scope, by virtual host; `None` for the global level.
/// Cloning is cheap, and a registration into a clone shares all the rest.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    /// What the program says of the server as a whole.
    pub instance: Arc<Instance>,
    tables: imbl::OrdMap<Option<HostKey>, SharedTable>,
}

/// A table that is compared by identity: two are the same when nothing was
/// registered since one was cloned from the other. That holds because a table
/// is changed through [`Arc::make_mut`] only, which leaves a clone alone.
#[derive(Clone, Debug, Default)]
pub(super) struct SharedTable(Arc<RouteTable>);

impl PartialEq for SharedTable {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Deref for SharedTable {
    type Target = RouteTable;

    fn deref(&self) -> &RouteTable {
        &self.0
    }
}

impl Routes {
    /// Registers `route` for a virtual host, whatever spelling of its name, or
    /// for the global level, and returns the handlers that it replaces. The
    /// host need not be in `vhosts`.
    ///
    /// # Errors
    /// What is wrong with the host name or with the pattern. Nothing is
    /// registered then.
    pub fn register(&mut self, vhost: Option<&str>, route: Route) -> Result<Vec<HandlerId>, Fault> {
        let place = Place::default().key("route").key(&route.pattern);
        let fault = |place: Place, expected: String, found: &str| Fault {
            place,
            expected,
            found: Some(if found.is_empty() {
                "an empty text".to_owned()
            } else {
                Value::from(found).to_string()
            }),
            hint: None,
        };
        let key = match vhost.map(HostKey::parse).transpose() {
            Ok(key) => key,
            Err(expected) => {
                return Err(fault(
                    place.key("vhost"),
                    expected.to_owned(),
                    vhost.unwrap_or_default(),
                ));
            }
        };
        let mut table = self.tables.get(&key).cloned().unwrap_or_default();
        let pattern = Arc::clone(&route.pattern);
        let replaced = Arc::make_mut(&mut table.0)
            .insert(route)
            .map_err(|expected| fault(place, expected, &pattern))?;
        self.tables.insert(key, table);
        Ok(replaced)
    }

    /// The routes of a virtual host, or of the global level.
    pub fn table(&self, host: Option<&HostKey>) -> Option<&RouteTable> {
        self.shared(host).map(Deref::deref)
    }

    /// Every route with its virtual host.
    pub fn iter(&self) -> impl Iterator<Item = (Option<&HostKey>, &Route)> {
        self.tables
            .iter()
            .flat_map(|(host, table)| table.iter().map(move |route| (host.as_ref(), route)))
    }

    /// Whether there is no route.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    pub(super) fn shared(&self, host: Option<&HostKey>) -> Option<&SharedTable> {
        self.tables.get(&host.cloned())
    }

    /// The virtual hosts that have routes.
    pub(super) fn hosts(&self) -> impl Iterator<Item = &HostKey> {
        self.tables.keys().flatten()
    }

    /// The virtual hosts whose routes differ from those of `earlier`.
    pub(super) fn hosts_changed_since<'r>(
        &'r self,
        earlier: &'r Self,
    ) -> impl Iterator<Item = &'r HostKey> {
        use imbl::ordmap::DiffItem::{Add, Remove, Update};
        earlier.tables.diff(&self.tables).filter_map(|item| match item {
            Add(host, _) | Remove(host, _) | Update { new: (host, _), .. } => host.as_ref(),
        })
    }
}

/// A host key in its normal spelling: `*.example.com:8443`, `[::1]`.
pub(super) struct Spelled<'k>(pub(super) &'k HostKey);

impl fmt::Display for Spelled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let HostKey { wildcard, name, port } = self.0;
        f.write_str(if *wildcard { "*." } else { "" })?;
        if name.contains(':') {
            write!(f, "[{name}]")?
        } else {
            f.write_str(name)?
        }
        port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}
