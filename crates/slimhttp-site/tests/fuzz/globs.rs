//! Globs, and what `exclude` takes by them.
//!
//! An input is a pattern and, in a line of its own each, paths without their
//! first slash.

use slimhttp_site::glob::{Glob, Globs, Subtrees};

use crate::spelled::{Words, texts};

const WORDS: Words = [
    b"**/",
    b"/**",
    b"/**/",
    b"**",
    b"*",
    b"?",
    b"[ab]",
    b"[!a]",
    b"[^b-c]",
    b"[]a]",
    b"{a,b}",
    b"{,.c}",
    b"{*.a,b?}",
    b"a",
    b"b",
    b"/",
    b"a/b",
    b"\n",
    b".",
    b"aa",
    b"\\",
    b"\\*",
    b"[a-",
    b"]",
    b"{",
    b",",
    b"}",
    b"!",
    b"c",
    b"\na/b/c",
    b"\nab/a.c",
    b"\n.b",
];

pub(crate) fn check(input: &[u8]) {
    for text in texts(input, &WORDS) {
        let mut lines = text.split(|&byte| byte == b'\n');
        let Some(Ok(pattern)) = lines.next().map(std::str::from_utf8) else { continue };
        let Ok(glob) = Glob::parse(pattern) else { continue };
        let subtrees = Subtrees::new(vec![glob.clone()]).expect("a short pattern");
        let globs = Globs::from_iter([glob]);
        let reference = Reference::read(pattern);
        for path in lines.filter_map(named) {
            let matched = globs.matches(&path);
            let shown = path.escape_ascii();
            if let Some(reference) = &reference {
                assert_eq!(matched, reference.matches(&path), "`{pattern}` and `{shown}`");
            }
            // The definition of what is taken, at the price of its square.
            let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
            let mut ends = slashes.map(|(at, _)| at).chain([path.len()]);
            let taken = ends.any(|end| globs.matches(&path[..end]));
            assert_eq!(subtrees.take(&path), taken, "`{pattern}` takes `{shown}`");
        }
    }
}

/// A path without empty names, as a request's is by then.
fn named(line: &[u8]) -> Option<Vec<u8>> {
    let names: Vec<&[u8]> = line.split(|&byte| byte == b'/').filter(|n| !n.is_empty()).collect();
    (!names.is_empty()).then(|| names.join(&b'/'))
}

/// A pattern, read as its documentation says and matched by trying everything.
struct Reference {
    /// Without a slash it is held against the last name.
    of_a_name: bool,
    tokens: Vec<Token>,
}

enum Token {
    Byte(u8),
    /// Any byte but a slash.
    One,
    /// Any bytes but slashes.
    Many,
    /// A byte of these, or of all but these.
    Of(Vec<(u8, u8)>, bool),
    /// `**/` at the beginning: nothing, or whole folders.
    Folders,
    /// `/**/`: a slash, or whole folders between two of them.
    Between,
    /// `/**` at the end: a slash and whatever comes.
    Below,
}

impl Reference {
    /// `None` for what the documentation leaves open: alternatives beside folders
    /// that are passed over, one `**` behind another, a slash behind a backslash,
    /// and classes beyond ASCII.
    fn read(pattern: &str) -> Option<Self> {
        let alternatives = pattern.contains(['{', '}']);
        let stars = pattern.contains("**/**") || pattern.contains("***");
        let odd = alternatives || stars || pattern.contains("\\/");
        if odd || !pattern.is_ascii() {
            return None;
        }
        let of_a_name = !pattern.contains('/');
        let mut rest = pattern.strip_prefix('/').unwrap_or(pattern).as_bytes();
        let mut tokens = Vec::new();
        if rest == b"**" {
            // Everything, whatever it is held against.
            return Some(Self { of_a_name: false, tokens: vec![Token::Folders, Token::Many] });
        }
        if let Some(behind) = rest.strip_prefix(b"**/") {
            tokens.push(Token::Folders);
            rest = behind;
        }
        while let Some((&first, behind)) = rest.split_first() {
            rest = behind;
            let token = match first {
                b'/' if rest == b"**" => {
                    rest = b"";
                    Token::Below
                }
                b'/' if rest.starts_with(b"**/") => {
                    rest = &rest[3..];
                    Token::Between
                }
                b'*' => Token::Many,
                b'?' => Token::One,
                b'\\' => {
                    let (&escaped, behind) = rest.split_first()?;
                    rest = behind;
                    Token::Byte(escaped)
                }
                b'[' => {
                    let (class, behind) = class(rest)?;
                    rest = behind;
                    class
                }
                other => Token::Byte(other),
            };
            tokens.push(token);
        }
        Some(Self { of_a_name, tokens })
    }

    fn matches(&self, path: &[u8]) -> bool {
        let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
        fits(&self.tokens, if self.of_a_name { name } else { path })
    }
}

/// A class, of which the bracket was read already, and what stands behind it.
fn class(rest: &[u8]) -> Option<(Token, &[u8])> {
    let negated = matches!(rest.first(), Some(b'!' | b'^'));
    let inside = &rest[usize::from(negated)..];
    // One bracket at the beginning is a member.
    let end = 1 + inside.get(1..)?.iter().position(|&byte| byte == b']')?;
    let (mut members, mut ranges) = (&inside[..end], Vec::new());
    while let Some(&first) = members.first() {
        let (last, length) = match members {
            [_, b'-', last, ..] => (*last, 3),
            _ => (first, 1),
        };
        ranges.push((first, last));
        members = &members[length..];
    }
    Some((Token::Of(ranges, negated), &inside[end + 1..]))
}

fn fits(tokens: &[Token], text: &[u8]) -> bool {
    let Some((token, behind)) = tokens.split_first() else { return text.is_empty() };
    // Where the rest may begin behind a run of bytes, the empty one included.
    let after = |run: fn(&[u8]) -> bool| {
        (0..=text.len()).any(|at| run(&text[..at]) && fits(behind, &text[at..]))
    };
    let one = |takes: &dyn Fn(u8) -> bool| {
        text.split_first().is_some_and(|(&byte, rest)| takes(byte) && fits(behind, rest))
    };
    match token {
        Token::Byte(byte) => one(&|other| other == *byte),
        Token::One => one(&|byte| byte != b'/'),
        Token::Of(ranges, negated) => {
            one(&|byte| ranges.iter().any(|(a, z)| (*a..=*z).contains(&byte)) != *negated)
        }
        Token::Many => after(|run| !run.contains(&b'/')),
        Token::Folders => after(|run| run.is_empty() || run.ends_with(b"/")),
        Token::Between => after(|run| run.starts_with(b"/") && run.ends_with(b"/")),
        Token::Below => text.first() == Some(&b'/'),
    }
}
