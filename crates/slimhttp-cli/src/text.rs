//! The text of a configuration file, and how a place in it is shown: line and
//! column as editors count them, and the line itself with a caret below.

use std::fmt::Write as _;
use std::ops::Range;

use slimhttp_site::escape::{Escaped, is_printable};

/// The widest excerpt of a line, in characters: a minified file is one line.
const WIDEST: usize = 100;

/// Line and column, both from 1; columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    /// The line, from 1.
    pub(crate) line: usize,
    /// The column, from 1, in characters.
    pub(crate) column: usize,
}

/// A text, and where each of its lines begins.
#[derive(Debug)]
pub(crate) struct Text {
    text: String,
    /// The offset of each line's first byte; never empty.
    lines: Vec<usize>,
}

impl Text {
    /// Finds the lines of `text`. A byte order mark is taken away.
    pub(crate) fn new(mut text: String) -> Self {
        if text.starts_with('\u{feff}') {
            text.drain(..'\u{feff}'.len_utf8());
        }
        let ends = text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n');
        let lines = std::iter::once(0).chain(ends.map(|(offset, _)| offset + 1)).collect();
        Self { text, lines }
    }

    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Where the byte at `offset` stands. Beyond the end: behind the last byte.
    pub(crate) fn position(&self, offset: usize) -> Position {
        let offset = self.boundary(offset);
        let line = self.lines.partition_point(|&start| start <= offset);
        let column = self.text[self.lines[line - 1]..offset].chars().count() + 1;
        Position { line, column }
    }

    /// The offset of the byte `column` (from 1) of `line` (from 1), cut to the
    /// text. Column 0 is the end of the line before.
    pub(crate) fn offset(&self, line: usize, column: usize) -> usize {
        let start = self.lines.get(line.saturating_sub(1)).copied().unwrap_or(self.text.len());
        (start + column).saturating_sub(1).min(self.text.len())
    }

    /// The start of the character to which the byte at `offset` belongs, or the
    /// end of the text.
    fn boundary(&self, offset: usize) -> usize {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        offset
    }

    /// The lexeme that begins at `offset`, in a reader's words: a word, a
    /// character, or where the text ends.
    pub(crate) fn lexeme(&self, offset: usize) -> String {
        let rest = &self.text[self.boundary(offset)..];
        let word: String = rest
            .chars()
            .take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
            .take(40)
            .collect();
        match rest.chars().next() {
            None => "the end of the file".to_owned(),
            Some('\n') => "the end of the line".to_owned(),
            Some('\r') if rest.starts_with("\r\n") => "the end of the line".to_owned(),
            Some(c) if c == '\t' || !is_printable(c) => format!("`{}`", Escaped(c)),
            Some(c) if word.is_empty() => format!("`{c}`"),
            Some(_) => format!("`{word}`"),
        }
    }

    /// The line on which `span` begins, with carets below it, each of the three
    /// lines with its end. Carets stay on that line.
    pub(crate) fn excerpt(&self, span: &Range<usize>) -> String {
        let Position { line, column } = self.position(span.start);
        let start = self.lines[line - 1];
        let end = self.lines.get(line).map_or(self.text.len(), |&next| next - 1);
        let whole: Vec<char> = self.text[start..end].trim_end_matches('\r').chars().collect();

        let marked_end = self.position(span.end.min(end).max(span.start)).column;
        let (from, to) = window(whole.len(), column - 1);
        let marks = (marked_end.min(to + 1)).saturating_sub(column).max(1);

        // A control byte must not reach the terminal; a tab keeps its width in
        // both lines.
        let plain = |c: char| if c.is_control() && c != '\t' { '\u{fffd}' } else { c };
        let cut = |is_cut: bool| if is_cut { "…" } else { "" };
        let shown: String = whole[from..to].iter().copied().map(plain).collect();
        let (left, right) = (cut(from > 0), cut(to < whole.len()));
        let lead: String = whole[from..(column - 1).min(to)]
            .iter()
            .map(|&c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        let indent = if from > 0 { " " } else { "" };

        let number = line.to_string();
        let gutter = " ".repeat(number.len());
        let mut excerpt = format!("{gutter} |\n{number} | {left}{shown}{right}\n");
        let _ = writeln!(excerpt, "{gutter} | {indent}{lead}{}", "^".repeat(marks));
        excerpt
    }
}

/// The part of a line of `length` characters that is shown around `column`
/// (from 0).
fn window(length: usize, column: usize) -> (usize, usize) {
    if length <= WIDEST {
        return (0, length);
    }
    let from = column.saturating_sub(WIDEST / 2).min(length - WIDEST);
    (from, from + WIDEST)
}
