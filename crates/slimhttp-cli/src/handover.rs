//! How one process takes the place of another without a refused connection: the one that serves
//! starts the program once more, sends it the sockets on which it listens, and goes on; the new one
//! ([`Predecessor`] is what it has of the other) opens all that it needs, serves, and says so. Only then does the old one let go. One that fails, or says nothing for too long, is
//! ended, and nothing has happened.
//!
//! ```text
//! predecessor                                successor
//!   starts it, with one end of a channel
//!   socket, once for each; begin      ───►   adopts them, opens what is new, starts
//!                                     ◄───   ready, or failed and why
//!   tells the service manager
//!   go                                ───►   tells the service manager
//!   accepts nobody more, ends                serves
//! ```
//!
//! One that cannot start beside the other, for both need what one process may have, says `alone`
//! before it opens that: the other ends, and then says `go`.
//!
//! [`Upgrade`] is all of it as whoever serves sees it.
//!
//! Each side sends and receives on the thread that starts the server or waits for its end. The end
//! of the channel is the end of the other process: a successor that has not been let go ends with
//! it, see `predecessor`.

mod channel;
mod inheritance;
mod invocation;
mod predecessor;
mod successor;
mod upgrade;

pub use self::inheritance::Inheritance;
pub use self::invocation::Invocation;
pub use self::predecessor::Predecessor;
use self::successor::{Progress, Successor};
pub use self::upgrade::{Step, Upgrade};
