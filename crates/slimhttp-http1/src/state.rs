//! What may come when: the states of both sides of a connection, as one table.

/// Where one side of a connection stands in the present exchange.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// It has sent nothing of its message.
    #[default]
    Idle,
    /// It has sent a head, and sends content.
    SendBody,
    /// Its message is complete, and another one may follow on this connection.
    Done,
    /// Its message is complete, and it sends no other.
    MustClose,
    /// It has closed its side.
    Closed,
    /// A client that has offered to switch protocols, and waits for the answer.
    MightSwitch,
    /// What follows is not HTTP.
    Switched,
    /// It has broken the protocol.
    Error,
}
