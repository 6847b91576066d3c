//! What the operating system gives: the time, descriptors, memory, the rights of the user.
//! Nothing in here knows of connections or requests, or waits for any.

pub(crate) mod clock;
pub(crate) mod descriptors;
pub(crate) mod memory;
pub mod privileges;
