//! The rooms of the crate that have no Python in them, tested without Python:
//! a test of the library itself would have to be linked with it. A room's tests
//! stand beside it.

#![allow(dead_code, reason = "Python's side uses what no test here does")]

#[path = "../src/attendant.rs"]
mod attendant;
#[path = "../src/companion.rs"]
mod companion;
#[path = "../src/desk.rs"]
mod desk;
#[path = "../src/forms.rs"]
mod forms;
#[path = "../src/guest.rs"]
mod guest;
#[path = "../src/job.rs"]
mod job;
#[path = "../src/lanes.rs"]
mod lanes;
#[path = "../src/log_ring.rs"]
mod log_ring;
#[path = "../src/loop_queue.rs"]
mod loop_queue;
#[path = "../src/mailbox.rs"]
mod mailbox;
#[path = "../src/opening.rs"]
mod opening;
#[path = "../src/outbox.rs"]
mod outbox;
#[path = "../src/pipe.rs"]
mod pipe;
#[path = "../src/query.rs"]
mod query;
#[path = "../src/queue.rs"]
mod queue;
#[path = "../src/stream.rs"]
mod stream;
#[path = "../src/tests.rs"]
mod tests;
#[path = "../src/unheeded.rs"]
mod unheeded;
