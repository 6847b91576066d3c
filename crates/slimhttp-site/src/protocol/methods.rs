//! The methods that a resource answers, and the `Allow` field that names them
//! (RFC 9110 sections 9 and 10.2.1).

use std::fmt;
use std::sync::Arc;

use http::{HeaderValue, Method};

/// The methods that something answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Methods {
    /// Every method.
    Any,
    /// These only; never empty. `GET` includes `HEAD`.
    Only(Arc<[Method]>),
}

impl Methods {
    /// What files answer.
    pub fn of_files() -> Self {
        Self::Only(Arc::new([Method::GET, Method::HEAD, Method::OPTIONS]))
    }

    /// Whether `method` is answered; `HEAD` is wherever `GET` is.
    pub fn allows(&self, method: &Method) -> bool {
        match self {
            Self::Any => true,
            Self::Only(methods) => {
                methods.contains(method)
                    || (method == Method::HEAD && methods.contains(&Method::GET))
            }
        }
    }

    /// The value of an `Allow` field.
    pub fn allow(&self) -> HeaderValue {
        HeaderValue::try_from(self.to_string()).expect("tokens, joined by commas")
    }

    /// The methods as named, or `None` where every one is answered.
    pub(crate) fn names(&self) -> Option<&[Method]> {
        match self {
            Self::Any => None,
            Self::Only(methods) => Some(methods),
        }
    }

    /// Whether both are named and have none in common.
    pub(crate) fn is_disjoint(&self, other: &Self) -> bool {
        match (self.names(), other.names()) {
            (Some(these), Some(those)) => !these.iter().any(|method| those.contains(method)),
            _ => false,
        }
    }

    /// The methods of both, these first.
    pub(crate) fn union(&self, other: &Self) -> Self {
        let (Some(these), Some(those)) = (self.names(), other.names()) else {
            return Self::Any;
        };
        let new = those.iter().filter(|method| !these.contains(method));
        Self::Only(these.iter().chain(new).cloned().collect())
    }
}

/// The value of an `Allow` field (RFC 9110 section 10.2.1).
impl fmt::Display for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Only(methods) = self else {
            return f.write_str("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
        };
        for (position, method) in methods.iter().enumerate() {
            if position > 0 {
                f.write_str(", ")?;
            }
            f.write_str(method.as_str())?;
        }
        if methods.contains(&Method::GET) && !methods.contains(&Method::HEAD) {
            f.write_str(", HEAD")?;
        }
        Ok(())
    }
}
