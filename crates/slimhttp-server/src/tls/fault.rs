//! What is wrong with a certificate or its key. Made where their files are read, at start and
//! when the configuration changes; a fault of the configuration's options is what becomes of it.

use slimhttp_site::fault::{Fault, Place};

/// Which of the two files, or options, a fault is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PairPart {
    Certificate,
    Key,
}

/// Why a certificate and its key cannot be presented.
#[derive(Debug)]
pub(crate) struct CertificateFault {
    pub(super) part: PairPart,
    pub(super) expected: String,
    pub(super) found: String,
    pub(super) hint: Option<String>,
}

impl CertificateFault {
    /// The fault of a configuration. Its options stand in the table `ssl`, or
    /// at the top level.
    pub(crate) fn fault(self, in_table: bool) -> Fault {
        let key = match self.part {
            PairPart::Certificate => "cert",
            PairPart::Key => "key",
        };
        let place = if in_table { Place::default().key("ssl") } else { Place::default() };
        Fault {
            place: place.key(key),
            expected: self.expected,
            found: Some(self.found),
            hint: self.hint,
        }
    }
}
