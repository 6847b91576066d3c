//! What an answer carries because of its site, whoever gave it.

pub mod reload;
pub mod response_fields;
