//! What is wrong with a certificate or its key. Made where their files are read, at start and
//! when the configuration changes; a fault of the configuration's options is what becomes of it.

use slimhttp_site::fault::{Fault, Place};
use slimhttp_site::tls::TlsPart;

/// Which of the two files, or options, a fault is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PairPart {
    Certificate,
    Key,
}

impl PairPart {
    /// This part of the pair of that number.
    pub(crate) fn of(self, number: usize) -> TlsPart {
        match self {
            Self::Certificate => TlsPart::Certificate(number),
            Self::Key => TlsPart::Key(number),
        }
    }
}

/// Why a certificate and its key cannot be presented.
#[derive(Debug)]
pub(crate) struct CertificateFault {
    pub(crate) part: PairPart,
    pub(super) expected: String,
    pub(super) found: String,
    pub(super) hint: Option<String>,
}

impl CertificateFault {
    /// The fault of a configuration, which says it there.
    pub(crate) fn at(self, place: Place) -> Fault {
        Fault { place, expected: self.expected, found: Some(self.found), hint: self.hint }
    }

    /// The same for the log, where the file is said and not the option.
    pub(crate) fn told(self) -> Fault {
        let key = match self.part {
            PairPart::Certificate => "cert",
            PairPart::Key => "key",
        };
        self.at(Place::default().key(key))
    }
}
