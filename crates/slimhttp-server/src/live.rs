//! The site in force, and changes of it: a draft is compiled and opened as a snapshot, which
//! takes the place of the one before in one atomic step.

pub(crate) mod draft;
pub(crate) mod registry;
pub(crate) mod snapshot;
pub(crate) mod store;
#[cfg(test)]
pub(crate) mod testing;

pub use draft::Draft;
pub use snapshot::Snapshot;
pub use store::Live;
