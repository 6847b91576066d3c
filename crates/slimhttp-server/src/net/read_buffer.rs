//! The buffer into which an I/O thread reads: one for all of its connections, so that
//! a connection that is idle holds none. Whoever reads copies out what it needs before it
//! returns to the runtime.

use std::cell::RefCell;

/// Bytes read at a time.
const SIZE: usize = 64 * 1024;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; SIZE]);
}

/// Lends the buffer of this I/O thread, with whatever was read into it last. `work` is not to
/// come back here.
pub(crate) fn with<R>(work: impl FnOnce(&mut [u8]) -> R) -> R {
    BUFFER.with_borrow_mut(|buffer| work(buffer))
}
