//! The options that one table gives, each read by its shape. Nothing is inherited here and
//! no default filled in: [`Layers`] looks through several of these.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use super::plain::did_you_mean;
use super::read::{Checked, read};
use super::report::{At, Report};
use super::rules::Rule;
use crate::config::options::{self, OptionSpec, Shape, Stands};
use crate::config::value::{Table, Value};
use crate::site::mounts::Mount;

/// Which kind of scope a table describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Global,
    Host,
    Mount,
}

impl Level {
    /// Whether the options of the whole server have no place there.
    fn is_inner(self) -> bool {
        self != Self::Global
    }

    fn may_have(self, stands: Stands) -> bool {
        match stands {
            Stands::Everywhere => true,
            Stands::Hosts => self != Self::Mount,
            Stands::GlobalOnly => self == Self::Global,
        }
    }
}

/// The options that a table gives. An option that stands there but is wrong is
/// known to be there, so that no second fault says that it is missing.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Layer {
    given: SmallVec<[(&'static str, Option<Checked>); 2]>,
}

impl Layer {
    /// Reads `table`. Every fault goes to the report, what is right is kept.
    pub(super) fn read(
        table: &Table,
        level: Level,
        base: &Path,
        at: &At<'_>,
        report: &mut Report,
    ) -> Self {
        let mut layer = Self::default();
        for (key, value) in table {
            let here = at.key(key);
            let Some(option) = options::find(key) else {
                unknown(key, value, level, at, &here, report);
                continue;
            };
            if !level.may_have(option.stands) {
                misplaced(option, level, &here, report);
            } else if value.is_null() || option.takes == Shape::Hosts {
                // Nothing stands there, or what others read.
            } else if level == Level::Mount && option.takes == Shape::Mounts {
                let expected = "no `mounts` in a mount";
                let hint = "mounts do not nest: write the longer prefix beside".to_owned();
                report.fault(&here, expected, None, hint);
            } else if option.takes != Shape::Mounts {
                let checked = read(option.takes, value, base, &here, report);
                layer.given.push((option.key, checked));
            }
        }
        layer
    }

    /// Whether `key` stands there, right or wrong.
    pub(super) fn has(&self, key: &str) -> bool {
        self.given.iter().any(|(name, _)| *name == key)
    }

    /// What stands under `key`, if it is right.
    pub(super) fn get(&self, key: &str) -> Option<&Checked> {
        debug_assert!(options::find(key).is_some(), "`{key}` is no option");
        self.given.iter().find(|(name, _)| *name == key)?.1.as_ref()
    }

    /// Puts what `key` came to before in place of what it comes to now.
    pub(super) fn keep(&mut self, key: &str, earlier: Checked) {
        if let Some((_, Some(now))) = self.given.iter_mut().find(|(name, _)| *name == key) {
            *now = earlier;
        }
    }
}

/// The layers that a scope looks through, its own first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layers<'l> {
    pub(super) own: &'l Layer,
    /// The mount whose own layer it is.
    pub(super) mount: Option<&'l Arc<Mount>>,
    pub(super) outer: Option<&'l Layers<'l>>,
}

impl<'l> Layers<'l> {
    /// These without what is inherited.
    pub(super) fn own_only(self) -> Self {
        Self { outer: None, ..self }
    }

    /// The innermost layer that has one of `keys`, right or wrong, without what it inherits.
    pub(super) fn that_has(self, keys: &[&str]) -> Option<Self> {
        if keys.iter().any(|key| self.own.has(key)) {
            return Some(self.own_only());
        }
        self.outer?.that_has(keys)
    }

    pub(super) fn get(self, key: &str) -> Option<&'l Checked> {
        self.own.get(key).or_else(|| self.outer?.get(key))
    }

    pub(super) fn flag(self, key: &str) -> Option<bool> {
        match self.get(key)? {
            Checked::Flag(flag) => Some(*flag),
            _ => None,
        }
    }

    pub(super) fn number(self, key: &str) -> Option<u64> {
        match self.get(key)? {
            Checked::Number(number) => Some(*number),
            _ => None,
        }
    }

    pub(super) fn seconds(self, key: &str) -> Option<Duration> {
        match self.get(key)? {
            Checked::Seconds(seconds) => Some(*seconds),
            _ => None,
        }
    }

    pub(super) fn word(self, key: &str) -> Option<&'l str> {
        match self.get(key)? {
            Checked::Word(word) => Some(word),
            _ => None,
        }
    }

    pub(super) fn rule(self, key: &str) -> Option<&'l Rule> {
        match self.get(key)? {
            Checked::Rule(rule) => Some(rule),
            _ => None,
        }
    }

    pub(super) fn path(self, key: &str) -> Option<&'l PathBuf> {
        match self.get(key)? {
            Checked::Path(path) => Some(path),
            _ => None,
        }
    }
}

/// Reports a key that is no option.
fn unknown(
    key: &str,
    value: &Value,
    level: Level,
    scope: &At<'_>,
    at: &At<'_>,
    report: &mut Report,
) {
    // `[vhosts.www.example.com]` is a host `www` with the table `example`.
    let cut = || scope.name().is_some_and(|name| !name.contains('.')) && is_label(key);
    let hint = match options::suggest(key, level.is_inner()) {
        Some(option) if !level.may_have(option.stands) => {
            Some(format!("did you mean `{}`? It stands {} only", option.key, place_of(option)))
        }
        Some(option) => Some(did_you_mean(option.key)),
        None if level == Level::Host && value.as_table().is_some() && cut() => Some(
            "a host name with dots is one key: in TOML it stands in quotes, \
             `[vhosts.\"www.example.com\"]`"
                .to_owned(),
        ),
        None if level == Level::Global && key.starts_with("vhosts.") => Some(
            "the quotes stand around the host alone: `[vhosts.\"www.example.com\"]`".to_owned(),
        ),
        None if key.starts_with('/') && value.as_table().is_some() => {
            Some("a path with options of its own stands in the table `mounts`".to_owned())
        }
        None if level == Level::Global && value.as_table().is_some() => {
            Some("a virtual host stands in the table `vhosts`".to_owned())
        }
        None => None,
    };
    report.fault(at, "a known option", Value::from(key).to_string(), hint);
}

/// Whether a key could be a piece of a host name between two dots.
fn is_label(key: &str) -> bool {
    key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Where an option stands that has no place here.
fn place_of(option: &OptionSpec) -> &'static str {
    match option.stands {
        Stands::Hosts => "at the global level and in virtual hosts",
        _ => "at the global level",
    }
}

/// Reports a key that may stand in an outer scope only.
fn misplaced(option: &OptionSpec, level: Level, at: &At<'_>, report: &mut Report) {
    if option.stands == Stands::Hosts {
        let expected = "this option at the global level or in a virtual host";
        let hint = match option.key {
            "hsts" => "browsers keep it for a whole host: move it out of `mounts`",
            _ => "what it is about is decided before a path is known: move it out of `mounts`",
        };
        return report.fault(at, expected, None, hint.to_owned());
    }
    let hint = match option.key {
        "vhosts" if level == Level::Mount => {
            "mounts stand in virtual hosts, virtual hosts in no mount"
        }
        _ if level == Level::Mount => "it holds for the whole server: move it out of `mounts`",
        "port" => "a host with its port is a key of `vhosts`, such as `example.com:8443`",
        "vhosts" => "virtual hosts do not nest; `*.example.com` stands for every name below",
        _ => "move it out of `vhosts`",
    };
    report.fault(at, "this option at the global level only", None, hint.to_owned());
}
