//! Paths that are sent elsewhere, and paths that are answered in place of others.

/// Where paths are sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redirects(Vec<(Box<str>, Box<str>, u16)>);

/// Which path is answered in place of another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewrites(Vec<(Box<str>, Box<str>)>);

impl Redirects {
    /// Reads patterns, their targets and statuses.
    ///
    /// # Errors
    /// The position of the first that is wrong, and what was expected there.
    pub fn new<'r>(
        entries: impl Iterator<Item = (&'r str, &'r str, u16)>,
    ) -> Result<Self, (usize, String)> {
        let mut read = Vec::new();
        for (position, (from, to, status)) in entries.enumerate() {
            if !from.starts_with('/') {
                return Err((position, "a path that begins with `/`".to_owned()));
            }
            read.push((from.into(), to.into(), status));
        }
        Ok(Self(read))
    }
}

impl Rewrites {
    /// Reads patterns and their targets.
    ///
    /// # Errors
    /// As [`Redirects::new`].
    pub fn new<'r>(
        entries: impl Iterator<Item = (&'r str, &'r str)>,
    ) -> Result<Self, (usize, String)> {
        let entries = entries.map(|(from, to)| (from, to, 0));
        let Redirects(read) = Redirects::new(entries)?;
        Ok(Self(read.into_iter().map(|(from, to, _)| (from, to)).collect()))
    }
}
