//! Redirects and rewrites: tables of patterns, in the same order as those of
//! [`crate::routing::route`].
//!
//! What a pattern captures of a path is percent-encoded where it is inserted, and is never
//! part of the authority of a URL. So no request can turn a redirect to another host than
//! the one that was configured, nor add a line to a head.

use std::collections::HashMap;
use std::sync::Arc;

use http::{HeaderValue, StatusCode};

use crate::routing::path::Target;
use crate::routing::redirect::template::{Captures, Reach, Template};
use crate::routing::route::pattern::{Capture, Pattern, Shape};

mod template;
#[cfg(test)]
mod tests;

/// Where paths are sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redirects(Table<Redirect>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Redirect {
    to: Template,
    status: StatusCode,
}

impl Redirects {
    /// Reads rules: the pattern of a path with the syntax of routes, where it is
    /// sent (a path or a URL, with `<name>` for what the pattern takes), and the
    /// status: 301, 302, 303, 307 or 308.
    ///
    /// # Errors
    /// The position of the first rule that is wrong, and what was expected.
    pub fn new<'r>(
        rules: impl IntoIterator<Item = (&'r str, &'r str, u16)>,
    ) -> Result<Self, (usize, String)> {
        let mut table = Table::default();
        for (position, (from, to, status)) in rules.into_iter().enumerate() {
            let read = |names: &[Arc<str>]| Redirect::read(from, names, to, status);
            table.insert(from, read).map_err(|expected| (position, expected))?;
        }
        Ok(Self(table))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Where `target` is sent: the value of `Location`, and the status. The
    /// query is kept unless the rule has its own. A rule that would send a path
    /// to itself does not apply: the client would never arrive.
    pub fn find(&self, target: &Target<'_>) -> Option<(HeaderValue, StatusCode)> {
        let (redirect, captures) = self.0.find(target)?;
        let location = redirect.to.fill(&captures, target.query);
        if redirect.to.names_path(&location, &target.path) {
            return None;
        }
        // Each byte was checked when the rule was read, or is encoded.
        Some((HeaderValue::try_from(location).ok()?, redirect.status))
    }
}

impl Redirect {
    fn read(from: &str, names: &[Arc<str>], to: &str, status: u16) -> Result<Self, String> {
        let status = StatusCode::from_u16(status)
            .ok()
            .filter(|status| matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308))
            .ok_or("a status of 301, 302, 303, 307 or 308")?;
        let to = Template::read(to, names, Reach::Anywhere)?;
        let is_itself = names.is_empty() && {
            let location = to.fill(&Captures::new(), None);
            to.names_path(&location, from.as_bytes())
        };
        if is_itself {
            return Err("another path than the one that is redirected".into());
        }
        Ok(Self { to, status })
    }
}

/// Which path is answered in place of another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewrites(Table<Template>);

impl Rewrites {
    /// Reads rules: the pattern of a path with the syntax of routes, and the
    /// path, with a query or without, that is answered instead.
    ///
    /// # Errors
    /// The position of the first rule that is wrong, and what was expected.
    pub fn new<'r>(
        rules: impl IntoIterator<Item = (&'r str, &'r str)>,
    ) -> Result<Self, (usize, String)> {
        let mut table = Table::default();
        for (position, (from, to)) in rules.into_iter().enumerate() {
            let read = |names: &[Arc<str>]| Template::read(to, names, Reach::Here);
            table.insert(from, read).map_err(|expected| (position, expected))?;
        }
        Ok(Self(table))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The path and query, encoded, that are answered in place of `target`. The
    /// query is kept unless the rule has its own.
    pub fn find(&self, target: &Target<'_>) -> Option<String> {
        let (to, captures) = self.0.find(target)?;
        Some(to.fill(&captures, target.query))
    }
}

/// Rules by the pattern of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Table<R> {
    /// By the whole path, for one look-up; first in the order by its nature.
    exact: HashMap<Box<[u8]>, R>,
    /// All others, the most specific first.
    patterns: Vec<(Shape, R)>,
}

impl<R> Table<R> {
    /// Adds the rule that `read` makes of the names in its pattern.
    fn insert(
        &mut self,
        from: &str,
        read: impl FnOnce(&[Arc<str>]) -> Result<R, String>,
    ) -> Result<(), String> {
        let Pattern { shape, names } = Pattern::parse(from, false)?;
        let rule = read(&names)?;
        let Some(shape) = shape else {
            self.exact.insert(from.as_bytes().into(), rule);
            return Ok(());
        };
        match self.patterns.binary_search_by(|(other, _)| other.cmp(&shape)) {
            Ok(_) => Err("a pattern that differs from the others in more than its names".into()),
            Err(place) => {
                self.patterns.insert(place, (shape, rule));
                Ok(())
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.patterns.is_empty()
    }

    /// The rule for `target`, and what its pattern takes of the path. A path in
    /// which a slash was sent encoded has none: decoded, it would tell another
    /// path than the one that was meant.
    fn find<'p>(&self, target: &'p Target<'_>) -> Option<(&R, Captures<'p>)> {
        if self.is_empty() || target.has_encoded_slash() {
            return None;
        }
        if let Some(rule) = self.exact.get(&*target.path) {
            return Some((rule, Captures::new()));
        }
        self.patterns.iter().find_map(|(shape, rule)| {
            let captures = shape.captures(&target.path)?;
            Some((rule, captures.into_iter().map(Capture::text).collect()))
        })
    }
}

impl<R> Default for Table<R> {
    fn default() -> Self {
        Self { exact: HashMap::new(), patterns: Vec::new() }
    }
}
