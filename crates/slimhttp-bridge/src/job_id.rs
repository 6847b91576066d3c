//! The number of a job, and of what is kept for it: all that an I/O thread knows of an object
//! of the interpreter.

/// The number under which the dispatcher keeps a Python object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct JobId(pub u64);
