//! Between the server and an interpreter: jobs that I/O threads hand in, the queues in
//! which they wait for a thread of the interpreter, and the answers on their way back.
//! Fairness among virtual hosts, the bounds of what waits, and what happens when a client
//! leaves or a handler holds others up are decided here.
//!
//! A call's path: the server calls [`handler`] on an I/O thread; the job is collected in that
//! thread's [`submission`] queue and moved to the [`queue`] or the [`loop_queue`] of the
//! [`bridge`]; a thread of the interpreter takes it and answers by its [`reply`], which comes back
//! through the I/O thread's [`completion`] queue. Only threads of the interpreter ever wait here,
//! in [`queue::Queue::wait`] and in [`pipe::Pipe::send`]; I/O threads never do.
//!
//! No Python in it, which its `Cargo.toml` sees to: an object of the interpreter is a
//! number here. `slimhttp-python` takes the jobs and calls the handlers.

#![forbid(unsafe_code)]
// A test may be a table of any length.
#![cfg_attr(test, allow(clippy::too_many_lines))]

pub mod acme;
pub mod acme_job;
pub mod applications;
pub mod bridge;
pub mod completion;
pub mod connection;
pub mod fair_queue;
pub mod forms;
pub mod handler;
pub mod interests;
pub mod job;
pub mod job_id;
pub mod log_ring;
pub mod loop_queue;
pub mod outcome;
pub mod pending_handshake;
pub mod pending_signals;
pub mod pipe;
pub mod pulled_body;
pub mod pushed_body;
pub mod query;
pub mod queue;
pub mod release;
pub mod reply;
pub mod retained_request;
pub mod sendfile_header;
pub mod side;
pub mod submission;
#[cfg(test)]
mod tests;
pub mod upgraded_pipe;
pub mod watchdog;
pub mod written_body;
