//! Panics of our own code while it serves Python: they end what was at work, and
//! nothing else.

use std::any::Any;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Does `work`, of which a panic ends nothing else: the thread goes on, and the
/// log says so. `what` names what was at work. `None` after a panic.
pub(crate) fn catch_panic<R, W: Display>(
    what: impl FnOnce() -> W,
    work: impl FnOnce() -> R,
) -> Option<R> {
    // What a panic leaves behind is whole: no lock is held while Python runs, and
    // a reply that is dropped by it answers by itself, see `Reply`.
    catch_unwind(AssertUnwindSafe(work))
        .inspect_err(|panic| {
            tracing::error!("{}: native code panicked: {}", what(), panic_message(&**panic));
        })
        .ok()
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| Some(panic.downcast_ref::<String>()?)).unwrap_or("it does not say why")
}
