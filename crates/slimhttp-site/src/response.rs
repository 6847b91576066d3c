//! What an answer carries because of its site, whoever gave it.

pub mod live_reload;
pub mod response_fields;
