//! What may come when: the states of both sides of a connection, as one table.
//!
//! # Theory of operation
//!
//! Two sides share a connection, the client and the server. Each is in one [`State`], and every
//! thing that a side sends is an [`Event`] of that side: its head, a piece of content, the end of
//! its message, the end of its connection. [`next`] is the table: where an event leads from a
//! state, and `None` where it may not come at all. An engine watches both sides, its own by what
//! it is asked to write, the other by what it reads; it consults this table and nothing else.
//! What breaks the table is a fault of the peer, or an error that its owner is told of. An engine
//! lets no `Close` of its own side come: closing is its owner's, and those rows are for whoever
//! models both sides.
//!
//! Some changes have no event of their own, for they follow from where *both* sides stand:
//! [`next_of_both`] lists these. A request that has begun makes a response due. A request that offers
//! to switch protocols (101, `CONNECT`) has its client wait, for what it sends next is HTTP only
//! if the server stays with it. When both messages are complete, the exchange is over: both
//! sides begin anew where the connection persists (RFC 9112 section 9.3), else neither sends
//! another message. So the order in which the two messages end does not matter: a server may
//! answer before a request is complete (RFC 9112 section 7.5), and the next request begins
//! behind the content of this one all the same.
//!
//! ```text
//!              head            end                  both done, persistent
//! client  Idle ────▶ SendBody ────▶ Done ─────────────────────────────────────▶ Idle
//!                                     ├─▶ MightSwitch ─▶ Switched, or Done again
//!                                     └─▶ MustClose    (not persistent)
//!
//!              a request        interim ⟲      head            end
//! server  Idle ─────────▶ SendResponse ───────────▶ SendBody ────▶ Done ─▶ Idle, or MustClose
//!                               └─▶ Switched
//! ```

/// Where one side of a connection stands in the present exchange.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// It has sent nothing of its message. Of a server: nobody has asked.
    #[default]
    Idle,
    /// A server that has a request to answer, and has not sent the head of its final response.
    SendResponse,
    /// It has sent a head, and sends content.
    SendBody,
    /// Its message is complete, and another one may follow on this connection.
    Done,
    /// It sends no other message.
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

/// One of the two ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Sends requests.
    Client,
    /// Sends responses.
    Server,
}

/// What a side sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The head of a request, or of a final response.
    Head,
    /// The head of an interim response (RFC 9110 section 15.2), but for 101.
    Interim,
    /// The response with which HTTP ends: 101, or 2xx to `CONNECT`.
    Switch,
    /// A piece of content.
    Data,
    /// The end of the message.
    End,
    /// The end of all that it sends.
    Close,
}

/// Where `side` goes from `state` by `event`; `None`: it may not come.
pub const fn next(side: Side, state: State, event: Event) -> Option<State> {
    use Event::{Close, Data, End, Head, Interim, Switch};
    use Side::{Client, Server};
    use State::{Closed, Done, Idle, MightSwitch, MustClose, SendBody, SendResponse, Switched};
    Some(match (side, state, event) {
        (Client, Idle, Head) => SendBody,
        (Client, Idle, Close) => Closed,
        (Client, SendBody, Data) => SendBody,
        (Client, SendBody, End) => Done,
        (Client, Done, Close) => Closed,
        (Client, MightSwitch, Close) => Closed,
        (Client, MustClose, Close) => Closed,
        (Client, Closed, Close) => Closed,

        // Without a request: the refusal of one that never became whole (408, 400).
        (Server, Idle, Head) => SendBody,
        (Server, Idle, Close) => Closed,
        (Server, SendResponse, Interim) => SendResponse,
        (Server, SendResponse, Head) => SendBody,
        (Server, SendResponse, Switch) => Switched,
        (Server, SendBody, Data) => SendBody,
        (Server, SendBody, End) => Done,
        (Server, Done, Close) => Closed,
        (Server, MustClose, Close) => Closed,
        (Server, Closed, Close) => Closed,
        _ => return None,
    })
}

/// What both sides become by themselves: one step, the same again where there is none.
/// `persistent` is whether the connection outlasts the exchange, `offers` whether its request
/// offers to switch protocols.
pub const fn next_of_both(
    client: State,
    server: State,
    persistent: bool,
    offers: bool,
) -> (State, State) {
    use State::{
        Closed, Done, Error, Idle, MightSwitch, MustClose, SendBody, SendResponse, Switched,
    };
    match (client, server) {
        // A request has begun: a response is due.
        (SendBody, Idle) => (SendBody, SendResponse),
        // The offer stands until it is answered.
        (Done, SendResponse) if offers => (MightSwitch, SendResponse),
        (MightSwitch, Switched) => (Switched, Switched),
        (MightSwitch, SendBody | Done) => (Done, server),
        // The exchange is over.
        (Done, Done) if persistent => (Idle, Idle),
        (Done, _) if !persistent => (MustClose, server),
        (_, Done) if !persistent => (client, MustClose),
        // Who has no one to talk to sends no other message.
        (MustClose | Closed | Error, Done) => (client, MustClose),
        (Idle | Done, MustClose | Closed | Error) => (MustClose, server),
        // A response without a request is the last one, and no request is read behind it.
        (Idle, SendBody | Done) => (MustClose, server),
        _ => (client, server),
    }
}

/// Both sides of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sides {
    pub(crate) client: State,
    pub(crate) server: State,
    /// Whether the connection outlasts the exchange, as far as is known.
    persistent: bool,
    /// Whether the request offers to switch protocols.
    offers: bool,
}

/// An event that may not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OutOfTurn;

impl Sides {
    /// The beginning of a connection.
    pub(crate) const fn new() -> Self {
        Self { client: State::Idle, server: State::Idle, persistent: true, offers: false }
    }

    /// Whether `event` of `side` may come.
    pub(crate) fn allow(&self, side: Side, event: Event) -> Result<State, OutOfTurn> {
        let state = match side {
            Side::Client => self.client,
            Side::Server => self.server,
        };
        // A switch needs an offer.
        if matches!(event, Event::Switch) && self.client != State::MightSwitch {
            return Err(OutOfTurn);
        }
        next(side, state, event).ok_or(OutOfTurn)
    }

    /// Lets `event` of `side` come.
    ///
    /// # Errors
    /// It may not come; nothing is changed.
    pub(crate) fn apply(&mut self, side: Side, event: Event) -> Result<(), OutOfTurn> {
        let state = self.allow(side, event)?;
        self.set(side, state);
        Ok(())
    }

    /// A request begins.
    ///
    /// # Errors
    /// As [`Sides::apply`].
    pub(crate) fn request(&mut self, persistent: bool, offers: bool) -> Result<(), OutOfTurn> {
        let state = self.allow(Side::Client, Event::Head)?;
        self.offers = offers;
        self.persistent &= persistent;
        self.set(Side::Client, state);
        Ok(())
    }

    /// `side` has broken the protocol.
    pub(crate) fn fail(&mut self, side: Side) {
        self.persistent = false;
        self.set(side, State::Error);
    }

    /// The present exchange, or the next one, is the last.
    pub(crate) fn end_with_exchange(&mut self) {
        self.persistent = false;
        self.advance();
    }

    /// Whether the connection outlasts the exchange, as far as is known.
    pub(crate) fn is_persistent(&self) -> bool {
        self.persistent && !matches!(self.client, State::Closed)
    }

    /// Whether the exchange is complete and another may follow.
    pub(crate) fn is_ready(&self) -> bool {
        self.client == State::Idle && self.server == State::Idle
    }

    fn set(&mut self, side: Side, state: State) {
        match side {
            Side::Client => self.client = state,
            Side::Server => self.server = state,
        }
        self.advance();
    }

    /// Has both sides become what follows, until nothing does.
    fn advance(&mut self) {
        loop {
            let next = next_of_both(self.client, self.server, self.persistent, self.offers);
            if next == (self.client, self.server) {
                return;
            }
            (self.client, self.server) = next;
        }
    }
}

#[cfg(test)]
mod tests;
