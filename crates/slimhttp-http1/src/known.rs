//! The names of fields that mean something to an engine, recognised once.

/// A field name, as far as it means something here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    Connection,
    ContentLength,
    Expect,
    Host,
    TransferEncoding,
    Upgrade,
    /// One whose value is not looked at.
    Other,
}

impl Known {
    /// Which name this is. Its length leaves one candidate at most.
    pub(crate) fn of(name: &[u8]) -> Self {
        let (spelled, known): (&[u8], Self) = match name.len() {
            4 => (b"host", Self::Host),
            6 => (b"expect", Self::Expect),
            7 => (b"upgrade", Self::Upgrade),
            10 => (b"connection", Self::Connection),
            14 => (b"content-length", Self::ContentLength),
            17 => (b"transfer-encoding", Self::TransferEncoding),
            _ => return Self::Other,
        };
        if name.eq_ignore_ascii_case(spelled) { known } else { Self::Other }
    }
}
