//! The number of a job, and of what the interpreter's side keeps for it: all that an I/O thread
//! knows of an object of the interpreter. Unique within a bridge.

/// The number under which the dispatcher keeps a Python object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct JobId(pub u64);
