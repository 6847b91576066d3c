//! What a program sets on a server beside its configuration: handlers of methods, who may
//! connect, which URLs are logged in detail. It is compiled into the site as it is, and
//! outlives every change of the configuration.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::Method;
use smallvec::SmallVec;

use crate::protocol::methods::Methods;
use crate::routing::route::HandlerId;
use crate::site::access::Networks;

/// What a program has said. It holds until the program says otherwise, whatever
/// becomes of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instance {
    /// Who answers where no route, module or proxy does.
    pub methods: MethodTable,
    /// Who may connect; `None`: everybody.
    pub allowed: Option<Networks>,
    /// The decoded paths whose requests are logged in detail.
    pub debugged: BTreeSet<Arc<str>>,
}

impl Instance {
    /// Whether requests of this path (decoded) are logged in detail.
    pub fn is_debugged(&self, path: &[u8]) -> bool {
        !self.debugged.is_empty()
            && std::str::from_utf8(path).is_ok_and(|path| self.debugged.contains(path))
    }
}

/// Who answers a method in place of files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MethodTable {
    /// `None` stands for every method that is not named.
    handlers: SmallVec<[(Option<Method>, HandlerId); 1]>,
}

impl MethodTable {
    /// Lets `handler` answer `method`, or with `None` every method that nobody
    /// answers; gives who did so before.
    pub fn set(&mut self, method: Option<Method>, handler: HandlerId) -> Option<HandlerId> {
        match self.handlers.iter_mut().find(|(known, _)| *known == method) {
            Some((_, place)) => Some(std::mem::replace(place, handler)),
            None => {
                self.handlers.push((method, handler));
                None
            }
        }
    }

    /// Leaves `method` to the server again; gives who answered it.
    pub fn remove(&mut self, method: Option<&Method>) -> Option<HandlerId> {
        let position = self.handlers.iter().position(|(known, _)| known.as_ref() == method)?;
        Some(self.handlers.remove(position).1)
    }

    /// Who was set to answer exactly this.
    pub fn get(&self, method: Option<&Method>) -> Option<HandlerId> {
        self.handlers.iter().find(|(known, _)| known.as_ref() == method).map(|(_, id)| *id)
    }

    /// The methods that are answered so; `None` where there are none.
    pub fn methods(&self) -> Option<Methods> {
        if self.handlers.is_empty() {
            return None;
        }
        let named = self.handlers.iter().map(|(method, _)| method.clone());
        // One for every method answers all.
        Some(named.collect::<Option<_>>().map_or(Methods::Any, Methods::Only))
    }

    /// Who answers `method`. `HEAD` is answered by whom `GET` is.
    pub fn find(&self, method: &Method) -> Option<HandlerId> {
        if self.handlers.is_empty() {
            return None;
        }
        let as_get = || self.get(Some(&Method::GET)).filter(|_| *method == Method::HEAD);
        self.get(Some(method)).or_else(as_get).or_else(|| self.get(None))
    }
}

#[cfg(test)]
mod tests;
