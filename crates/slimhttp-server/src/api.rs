//! What a program that embeds the server implements and is given: the open trait `Handler`,
//! its requests and answers, and connections that it takes over.

pub mod handler;
pub mod takeover;
pub(crate) mod unsent_answers;
