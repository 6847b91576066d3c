//! Collects what a compilation finds: faults with their places, and warnings. A reader
//! reports a fault and returns `None`, and the compilation goes on to find the next.

use crate::config::fault::{Fault, Faults, Place, Step};

/// Where the compiler stands: one step and the way to it. A [`Place`] is made of
/// it only where something is wrong, so that the way costs nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct At<'p> {
    above: Option<&'p At<'p>>,
    step: Option<StepRef<'p>>,
}

#[derive(Clone, Copy, Debug)]
enum StepRef<'p> {
    Key(&'p str),
    Index(usize),
}

impl<'p> At<'p> {
    /// The whole configuration.
    pub(super) const fn root() -> Self {
        Self { above: None, step: None }
    }

    /// `key` below this.
    pub(super) fn key<'c>(&'c self, key: &'c str) -> At<'c> {
        At { above: Some(self), step: Some(StepRef::Key(key)) }
    }

    /// The list item `index` below this.
    pub(super) fn index(&self, index: usize) -> At<'_> {
        At { above: Some(self), step: Some(StepRef::Index(index)) }
    }

    /// The key that this stands under.
    pub(super) fn name(&self) -> Option<&'p str> {
        match self.step? {
            StepRef::Key(key) => Some(key),
            StepRef::Index(_) => None,
        }
    }

    /// This, to keep.
    pub(super) fn place(&self) -> Place {
        let mut steps = Vec::new();
        let mut here = Some(self);
        while let Some(at) = here {
            steps.extend(at.step.map(|step| match step {
                StepRef::Key(key) => Step::Key(key.into()),
                StepRef::Index(index) => Step::Index(index),
            }));
            here = at.above;
        }
        steps.reverse();
        Place(steps)
    }
}

/// Everything found so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// What is wrong.
    pub(super) faults: Vec<Fault>,
    /// What is valid and yet suspicious.
    pub(super) warnings: Vec<String>,
}

impl Report {
    /// The warnings of a configuration that is right.
    ///
    /// # Errors
    /// Every fault, by its place.
    pub(super) fn finish(mut self) -> Result<Vec<String>, Faults> {
        if self.faults.is_empty() {
            return Ok(self.warnings);
        }
        self.faults.sort_by(|one, other| one.place.cmp(&other.place));
        // What several scopes inherit is wrong once, where it stands.
        self.faults.dedup();
        Err(Faults(self.faults))
    }

    /// Reports a fault. `found` is `None` where nothing stands.
    pub(super) fn fault(
        &mut self,
        at: &At<'_>,
        expected: impl Into<String>,
        found: impl Into<Option<String>>,
        hint: impl Into<Option<String>>,
    ) {
        self.faults.push(Fault {
            place: at.place(),
            expected: expected.into(),
            found: found.into(),
            hint: hint.into(),
        });
    }

    /// Reports that something at a place is valid and yet suspicious.
    pub(super) fn warn(&mut self, at: &At<'_>, what: impl std::fmt::Display) {
        self.warnings.push(format!("{}: {what}", at.place()));
    }
}
