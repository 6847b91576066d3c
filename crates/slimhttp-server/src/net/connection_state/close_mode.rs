//! Why a connection is to end. Kept as a number, in an atomic of its state.

/// Why a connection is to end. A stronger reason replaces a weaker one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum CloseMode {
    /// It is not.
    No = 0,
    /// After one more exchange: another process has the clients from now on. A connection that
    /// waits for a request goes on to wait, for the client may be sending one, and could not tell
    /// whether it was lost.
    AfterRequest = 1,
    /// After the exchange in flight, at once where there is none.
    Gracefully = 2,
    /// Its head took too long: 408. HTTP/2, where other requests may be in flight,
    /// says that it ends (RFC 9113 section 6.8) and answers them.
    HeadTimeout = 3,
    /// It only keeps us busy, as a client of HTTP/2 can: GOAWAY says so.
    Rejected = 4,
    /// Its body or its reading of our response stalled, or the server's time is over.
    Cut = 5,
}

impl CloseMode {
    /// Whether a connection ends that waits for a request.
    pub(crate) fn ends_idle(self) -> bool {
        !matches!(self, Self::No | Self::AfterRequest)
    }

    pub(super) fn from_number(number: u8) -> Self {
        match number {
            0 => Self::No,
            1 => Self::AfterRequest,
            2 => Self::Gracefully,
            3 => Self::HeadTimeout,
            4 => Self::Rejected,
            _ => Self::Cut,
        }
    }
}
