//! Why a certificate could not be had, in one line for a person: in the log, in the status, on
//! disk. What the authority said is in it, escaped and bounded, for others have written it.

use std::fmt;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use slimhttp_site::acme::ChallengeType;
use slimhttp_site::escape::{Escaped, is_printable};

use crate::clock;

#[cfg(test)]
mod tests;

/// The longest text of an authority that is told, in characters.
const LONGEST_TOLD: usize = 300;
/// How many subproblems are told.
const MOST_SUBPROBLEMS: usize = 5;
/// What the types of problems begin with (RFC 8555 section 6.7).
const URN: &str = "urn:ietf:params:acme:error:";
/// No authority is waited for longer.
const LONGEST_WAIT: Duration = Duration::from_secs(31 * 86_400);

/// Why something failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The authority refuses something: what, and why.
    Refused(&'static str, Box<Problem>),
    /// The authority did not find what a challenge demands.
    Challenge {
        /// The name that was to be proven.
        name: String,
        /// How.
        challenge: ChallengeType,
        /// What it said.
        problem: Box<Problem>,
    },
    /// What a challenge demands could not be provided.
    NotPresented {
        /// The name that was to be proven.
        name: String,
        /// How.
        challenge: ChallengeType,
        /// Why not.
        reason: String,
    },
    /// No challenge of the authority may be used for this name.
    NoChallenge {
        /// The name.
        name: String,
        /// What the authority offers.
        offered: String,
        /// Why each of ours cannot be it.
        reason: String,
    },
    /// The authority cannot be reached, or does not answer.
    Unreachable(String),
    /// The authority answers something that is not ACME.
    Unexpected(String),
    /// Something took longer than it may.
    Late(&'static str),
    /// The folder cannot be used.
    Storage(String),
    /// What is configured cannot be used.
    Configuration(String),
}

impl Failure {
    /// That a file cannot be used.
    pub(crate) fn storage(path: &Path, error: &io::Error) -> Self {
        Self::Storage(format!("`{}`: {error}", path.display()))
    }

    /// The problem, where the authority said one.
    pub(crate) fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Refused(_, problem) | Self::Challenge { problem, .. } => Some(problem),
            _ => None,
        }
    }

    /// Whether the authority named this type of a problem.
    pub(crate) fn is(&self, kind: &str) -> bool {
        self.problem().is_some_and(|problem| problem.kind == kind)
    }

    /// When the authority may be asked again, as far as it said.
    pub(crate) fn retry_after(&self) -> Option<SystemTime> {
        self.problem()?.retry_after
    }

    /// Whether it concerns the authority as a whole, and so every certificate.
    pub(crate) fn is_of_authority(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Unexpected(_) => true,
            Self::Refused(_, problem) => problem.status >= 500 || problem.kind == "serverInternal",
            _ => false,
        }
    }

    /// The name and the challenge that failed, so that the next attempt takes another.
    pub(crate) fn challenge(&self) -> Option<(&str, ChallengeType)> {
        match self {
            Self::Challenge { name, challenge, .. }
            | Self::NotPresented { name, challenge, .. } => Some((name, *challenge)),
            _ => None,
        }
    }
}

impl std::error::Error for Failure {}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(what, problem) => write!(f, "the authority refused {what}: {problem}"),
            Self::Challenge { name, challenge, problem } => {
                write!(f, "{challenge} of {name} failed: {problem}")
            }
            Self::NotPresented { name, challenge, reason } => {
                write!(f, "{challenge} of {name} cannot be answered: {reason}")
            }
            Self::NoChallenge { name, offered, reason } => {
                write!(f, "no way to prove {name}: the authority offers {offered}; {reason}")
            }
            Self::Unreachable(why) => write!(f, "the authority cannot be reached: {why}"),
            Self::Unexpected(what) => write!(f, "the authority answered unexpectedly: {what}"),
            Self::Late(what) => write!(f, "{what} took too long"),
            Self::Storage(why) => write!(f, "the storage cannot be used: {why}"),
            Self::Configuration(why) => f.write_str(why),
        }
    }
}

/// A problem document (RFC 9457) of an authority.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Its type, without what all types of ACME begin with.
    pub(crate) kind: String,
    /// What a person is told.
    pub(crate) detail: String,
    /// The status of the response; 0 where it came with an object.
    pub(crate) status: u16,
    /// What concerns single identifiers (RFC 8555 section 6.7.1).
    pub(crate) subproblems: Vec<Subproblem>,
    /// When the authority may be asked again.
    pub(crate) retry_after: Option<SystemTime>,
}

/// A problem with one identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subproblem {
    /// The identifier, if it is named.
    name: String,
    /// As [`Problem::kind`].
    kind: String,
    /// As [`Problem::detail`].
    detail: String,
}

impl Problem {
    /// A response that is no document: a proxy in between has pages of its own.
    pub(crate) fn of_status(status: u16) -> Self {
        Self { kind: format!("status {status}"), status, ..Self::default() }
    }

    /// This, as a response said it.
    pub(crate) fn of_response(self, status: u16, retry_after: Option<SystemTime>) -> Self {
        Self { status, retry_after, ..self }
    }
}

impl From<&instant_acme::Problem> for Problem {
    fn from(problem: &instant_acme::Problem) -> Self {
        let instant_acme::Problem { r#type, detail, subproblems, .. } = problem;
        let subproblem = |it: &instant_acme::Subproblem| Subproblem {
            name: it.identifier.as_ref().map(name_of).unwrap_or_default(),
            kind: kind_of(it.r#type.as_deref()),
            detail: told(it.detail.as_deref().unwrap_or_default()),
        };
        Self {
            kind: kind_of(r#type.as_deref()),
            detail: told(detail.as_deref().unwrap_or_default()),
            status: 0,
            subproblems: subproblems.iter().map(subproblem).collect(),
            retry_after: None,
        }
    }
}

fn kind_of(text: Option<&str>) -> String {
    let text = text.unwrap_or("about:blank");
    told(text.strip_prefix(URN).unwrap_or(text))
}

fn name_of(identifier: &instant_acme::Identifier) -> String {
    told(&identifier.authorized(false).to_string())
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind)?;
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        for Subproblem { name, kind, detail } in self.subproblems.iter().take(MOST_SUBPROBLEMS) {
            write!(f, "; {name}: {kind}: {detail}")?;
        }
        match self.subproblems.len().saturating_sub(MOST_SUBPROBLEMS) {
            0 => {}
            more => write!(f, "; and {more} more")?,
        }
        if let Some(time) = self.retry_after {
            write!(f, " (not before {})", clock::text(time))?;
        }
        Ok(())
    }
}

/// A text of somebody else, for a line: bounded, and nothing in it that a terminal acts upon.
pub(crate) fn told(text: &str) -> String {
    let mut told = String::new();
    for (position, character) in text.trim().chars().enumerate() {
        if position == LONGEST_TOLD {
            told.push('…');
            break;
        }
        match character {
            '\n' | '\r' | '\t' => told.push(' '),
            _ if is_printable(character) => told.push(character),
            _ => told.push_str(&Escaped(character).to_string()),
        }
    }
    told
}

/// When a `Retry-After` field says (RFC 9110 section 10.2.3), within bounds.
pub(crate) fn retry_after(field: &str, now: SystemTime) -> Option<SystemTime> {
    let field = field.trim();
    let time = match field.parse::<u64>() {
        Ok(seconds) => clock::after(now, Duration::from_secs(seconds)),
        Err(_) => httpdate::parse_http_date(field).ok()?,
    };
    Some(time.clamp(now, clock::after(now, LONGEST_WAIT)))
}
