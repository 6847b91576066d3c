//! Something on an I/O thread by which the interpreter keeps an object: when it is dropped there,
//! the object's number is released, and a turn of a thread of the interpreter ends the object.

use std::sync::Arc;

use crate::bridge::Bridge;
use crate::job_id::JobId;

/// The hold on an object of the interpreter.
pub struct Release {
    /// Where it is released.
    pub bridge: Arc<Bridge>,
    /// The number of the object.
    pub id: JobId,
}

impl Drop for Release {
    fn drop(&mut self) {
        self.bridge.queue.release(self.id);
    }
}
