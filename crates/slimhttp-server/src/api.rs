//! What a program that embeds the server implements and is given: the open trait `Handler`,
//! its requests and answers, and connections that it takes over.

pub(crate) mod handler;
pub(crate) mod takeover;
pub(crate) mod unsent_answers;
