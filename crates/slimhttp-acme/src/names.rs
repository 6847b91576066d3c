//! What one certificate is for: its identifiers together, which are its name everywhere here.

use std::fmt::{self, Write as _};
use std::net::IpAddr;
use std::sync::Arc;

use aws_lc_rs::digest;
use data_encoding::HEXLOWER;
use slimhttp_site::acme::Identifier;

/// The identifiers of one certificate: at least one, each once, in an order of their own. Two
/// certificates with the same ones are the same one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Names(Arc<[Identifier]>);

/// How many identifiers a certificate may have: what the usual authority takes.
pub const MOST_NAMES: usize = 100;

impl Names {
    /// The identifiers of a certificate. `None`: there are none, or more than [`MOST_NAMES`].
    pub fn new(identifiers: impl IntoIterator<Item = Identifier>) -> Option<Self> {
        let mut identifiers: Vec<_> = identifiers.into_iter().collect();
        identifiers.sort();
        identifiers.dedup();
        (1..=MOST_NAMES).contains(&identifiers.len()).then(|| Self(identifiers.into()))
    }

    /// The identifiers.
    pub fn iter(&self) -> impl Iterator<Item = &Identifier> {
        self.0.iter()
    }

    /// How many of `wanted` a certificate for these is one for.
    pub fn covered(&self, wanted: &Self) -> usize {
        let is_covered = |name: &&Identifier| self.iter().any(|own| own.covers(name));
        wanted.iter().filter(is_covered).count()
    }

    /// Whether the two have one in common.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.iter().any(|name| other.0.binary_search(name).is_ok())
    }

    /// The name of the folder of this certificate: the first identifier, and where there are
    /// more, how many and a digest of all. No two have the same: neither `_` nor `+` is in a name
    /// of the DNS.
    pub(crate) fn folder(&self) -> String {
        let mut folder = match &self.0[0] {
            Identifier::Dns(name) => name.to_string(),
            Identifier::Wildcard(name) => format!("_.{name}"),
            // A colon means a machine to `rsync` and `scp`.
            Identifier::Ip(IpAddr::V4(address)) => format!("ip_{address}"),
            Identifier::Ip(IpAddr::V6(address)) => format!("ip_{address}").replace(':', "-"),
        };
        if self.0.len() > 1 {
            let digest = digest::digest(&digest::SHA256, self.to_string().as_bytes());
            let digest = HEXLOWER.encode(&digest.as_ref()[..8]);
            // With the longest name it is still shorter than 255 bytes, which a file's may be.
            folder.truncate(200);
            write!(folder, "+{}_{digest}", self.0.len() - 1).expect("a `String` takes every text");
        }
        folder
    }
}

impl fmt::Display for Names {
    /// `a.example, *.a.example`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, name) in self.0.iter().enumerate() {
            let joint = if position == 0 { "" } else { ", " };
            write!(f, "{joint}{name}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
