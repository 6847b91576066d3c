//! Lines of the log into which nothing can be injected. What is logged may hold what a
//! client has sent: a line end in it would begin a line of the client's own, and an
//! escape sequence would be obeyed by the terminal. Called by `tracing` on the thread that logs.

use std::fmt::{self, Write};

use slimhttp_site::escape::{Escaped, is_printable};
use tracing::field::Field;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::format::{FormatFields, Writer, debug_fn};

/// Formats the message of an event, then every other field as `name=value`.
pub(super) fn fields() -> impl for<'w> FormatFields<'w> {
    let write = |writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug| {
        let mut contained = Contained { writer, indented: 0 };
        match field.name() {
            "message" => write!(contained, "{value:?}"),
            name => write!(contained, "{name}={value:?}"),
        }
    };
    debug_fn(write).delimited(" ")
}

/// How far the further lines of an event are indented.
const INDENT: &str = "  ";

/// Escapes what a terminal would act upon, and indents every line after the first.
struct Contained<'w, W> {
    writer: &'w mut W,
    /// How many blanks at the beginning of this line are there already.
    indented: usize,
}

impl<W: Write> Write for Contained<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            match character {
                '\n' => {
                    write!(self.writer, "\n{INDENT}")?;
                    self.indented = INDENT.len();
                }
                // Of a line that is indented by itself.
                ' ' if self.indented > 0 => self.indented -= 1,
                other => {
                    self.indented = 0;
                    if is_printable(other) {
                        self.writer.write_char(other)?;
                    } else {
                        write!(self.writer, "{}", Escaped(other))?;
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
