//! What belongs to the process and to no server: the one interpreter, keys and rights, the
//! filter of the log, and where a panic of our own code ends.

pub(crate) mod catch_panic;
pub(crate) mod certificates;
pub(crate) mod interpreter;
pub(crate) mod log;
