//! Values of ours as Python's, and Python's as ours. Nothing here knows a server, a request
//! under way or a handler; nothing waits, and nothing is kept but classes and functions of
//! Python that were looked up once for the process, the `objects` that configurations name, and a
//! few names of header fields and addresses that are mostly asked for again.
//! Called with Python held.

pub(crate) mod addresses;
pub(crate) mod asyncio;
pub(crate) mod bytes;
pub(crate) mod certificates;
pub(crate) mod config;
pub(crate) mod config_path;
pub(crate) mod descriptors;
pub(crate) mod errors;
pub(crate) mod events;
pub(crate) mod fields;
pub(crate) mod header_names;
pub(crate) mod json;
pub(crate) mod latin1;
pub(crate) mod objects;
pub(crate) mod values;
