//! An order: what a certificate is to be for, how that is proven, the certificate itself (RFC 8555
//! sections 7.4 and 7.5).

use std::fmt;
use std::time::{Duration, SystemTime};

use instant_acme::{AuthorizationState, ChallengeType as LibraryChallengeType};
pub(crate) use instant_acme::{ChallengeStatus, OrderStatus};
use serde_json::Value;
use slimhttp_site::acme::{ChallengeType, Identifier};

use super::client::Seen;
use super::{RetryAfter, failure, with_nonces, with_patience};
use crate::clock;
use crate::failure::{Failure, Problem, told};
use crate::names::Names;
use crate::token::is_token;

/// An order of an account in use.
pub(crate) struct Order {
    pub(super) order: instant_acme::Order,
    /// What it is for; `None` where that is not understood.
    pub(super) names: Option<Names>,
    /// That of the account's key (RFC 7638).
    pub(super) thumbprint: String,
    pub(super) seen: Seen,
}

/// Whether a name is proven, and how it can be.
#[derive(Debug)]
pub(crate) struct Authorization {
    pub(crate) url: String,
    /// The name; of a wildcard too, without `*.`.
    pub(crate) identifier: Identifier,
    /// Whether it is for the names below it.
    pub(crate) wildcard: bool,
    pub(crate) status: AuthorizationStatus,
    pub(crate) challenges: Vec<Challenge>,
    /// What is offered, those that we do not know too, for messages.
    pub(crate) offered: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuthorizationStatus {
    Pending,
    Valid,
    /// It came to nothing: `invalid`, `deactivated`, `expired`, `revoked`.
    Over,
}

/// One way to prove a name.
#[derive(Clone, Debug)]
pub(crate) struct Challenge {
    pub(crate) kind: ChallengeType,
    pub(crate) token: String,
    /// What answers it (RFC 8555 section 8.1).
    pub(crate) answer: String,
    pub(crate) status: ChallengeStatus,
    pub(crate) error: Option<Problem>,
}

impl Order {
    pub(crate) fn url(&self) -> &str {
        self.order.url()
    }

    pub(crate) fn status(&mut self) -> OrderStatus {
        self.order.state().status
    }

    /// What it is for, where that is understood.
    pub(crate) fn names(&self) -> Option<&Names> {
        self.names.as_ref()
    }

    /// Why it came to nothing.
    pub(crate) fn error(&mut self) -> Option<Problem> {
        self.order.state().error.as_ref().map(Problem::from)
    }

    /// Whether something may come of it yet.
    pub(super) fn is_open(&mut self) -> bool {
        !matches!(self.status(), OrderStatus::Valid | OrderStatus::Invalid)
    }

    /// Asks how it stands; gives when the authority wants to be asked again.
    pub(crate) async fn refresh(&mut self) -> Result<RetryAfter, Failure> {
        with_patience!("the order", &self.seen, self.order.refresh())?;
        Ok(self.seen.retry_after())
    }

    /// How the proofs of its names stand, as far as that is known, and else as the authority says.
    pub(crate) async fn authorizations(&mut self) -> Result<Vec<Authorization>, Failure> {
        let mut left = super::MOST_NONCES;
        loop {
            left -= 1;
            match self.read_authorizations().await {
                Err(failure) if left > 0 && failure.is("badNonce") => {}
                done => return done,
            }
        }
    }

    async fn read_authorizations(&mut self) -> Result<Vec<Authorization>, Failure> {
        let mut found = Vec::new();
        let mut all = self.order.authorizations();
        while let Some(handle) = all.next().await {
            let handle = handle.map_err(|error| failure("the authorization", error, &self.seen))?;
            found.push(read(&handle, handle.url(), &self.thumbprint)?);
        }
        Ok(found)
    }

    /// Asks how the proof of one name stands; gives when the authority wants to be asked again.
    pub(crate) async fn authorization(
        &mut self,
        url: &str,
    ) -> Result<(Authorization, RetryAfter), Failure> {
        let what = "the authorization";
        let mut all = self.order.authorizations();
        while let Some(handle) = all.next().await {
            let mut handle = handle.map_err(|error| failure(what, error, &self.seen))?;
            if handle.url() == url {
                with_patience!(what, &self.seen, handle.refresh())?;
                let authorization = read(&handle, url, &self.thumbprint)?;
                return Ok((authorization, self.seen.retry_after()));
            }
        }
        Err(Failure::Unexpected("an authorization of another order".to_owned()))
    }

    /// Says that what a challenge demands is there. The authority may look at once.
    pub(crate) async fn answer(&mut self, url: &str, kind: ChallengeType) -> Result<(), Failure> {
        let what = "the challenge";
        let mut all = self.order.authorizations();
        while let Some(handle) = all.next().await {
            let mut handle = handle.map_err(|error| failure(what, error, &self.seen))?;
            if handle.url() == url
                && let Some(mut challenge) = handle.challenge(library_type(kind))
            {
                return with_patience!(what, &self.seen, challenge.set_ready());
            }
        }
        Err(Failure::Unexpected("a challenge of another order".to_owned()))
    }

    /// Asks for the certificate, once the names are proven.
    pub(crate) async fn finalize(&mut self, request: &[u8]) -> Result<(), Failure> {
        with_nonces!("the certificate", &self.seen, self.order.finalize_csr(request))
    }

    /// The certificate with those of the authorities above it, a PEM file. `None`: it is not there
    /// yet.
    pub(crate) async fn certificate(&mut self) -> Result<Option<String>, Failure> {
        with_nonces!("the certificate", &self.seen, self.order.certificate())
    }
}

impl fmt::Display for Authorization {
    /// The name as it was ordered.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.wildcard { "*." } else { "" })?;
        self.identifier.fmt(f)
    }
}

pub(super) fn read(
    state: &AuthorizationState,
    url: &str,
    thumbprint: &str,
) -> Result<Authorization, Failure> {
    let status = match state.status {
        instant_acme::AuthorizationStatus::Pending => AuthorizationStatus::Pending,
        instant_acme::AuthorizationStatus::Valid => AuthorizationStatus::Valid,
        _ => AuthorizationStatus::Over,
    };
    let name = state.identifier().identifier.authorized(false).to_string();
    let odd = |_| Failure::Unexpected(format!("an authorization for `{}`", told(&name)));
    let identifier = Identifier::parse(&name).map_err(odd)?;
    let challenges = state.challenges.iter().filter_map(|challenge| {
        let is_it = |kind: &ChallengeType| challenge.r#type == library_type(*kind);
        let kind = ChallengeType::ALL.into_iter().find(is_it)?;
        // It becomes the name of a file.
        if !is_token(&challenge.token) {
            let token = told(&challenge.token);
            return Some(Err(Failure::Unexpected(format!("a challenge with the token `{token}`"))));
        }
        Some(Ok(Challenge {
            kind,
            token: challenge.token.clone(),
            answer: format!("{}.{thumbprint}", challenge.token),
            status: challenge.status,
            error: challenge.error.as_ref().map(Problem::from),
        }))
    });
    Ok(Authorization {
        url: url.to_owned(),
        identifier,
        wildcard: state.wildcard,
        status,
        challenges: challenges.collect::<Result<_, _>>()?,
        offered: state.challenges.iter().map(|it| told(type_name(&it.r#type))).collect(),
    })
}

fn library_type(kind: ChallengeType) -> LibraryChallengeType {
    match kind {
        ChallengeType::Http01 => LibraryChallengeType::Http01,
        ChallengeType::TlsAlpn01 => LibraryChallengeType::TlsAlpn01,
        ChallengeType::Dns01 => LibraryChallengeType::Dns01,
    }
}

fn type_name(kind: &LibraryChallengeType) -> &str {
    match kind {
        LibraryChallengeType::Http01 => "http-01",
        LibraryChallengeType::TlsAlpn01 => "tls-alpn-01",
        LibraryChallengeType::Dns01 => "dns-01",
        LibraryChallengeType::DeviceAttest01 => "device-attest-01",
        LibraryChallengeType::Unknown(name) => name,
        _ => "another",
    }
}

/// What an order is for, which the library does not tell.
pub(super) fn names_of(order: &Value) -> Option<Names> {
    let identifier = |object: &Value| {
        let value = object.get("value")?.as_str()?;
        let identifier = Identifier::parse(value).ok()?;
        let kind = object.get("type")?.as_str()?;
        let fits = matches!(identifier, Identifier::Ip(_)) == (kind == "ip");
        (fits && matches!(kind, "dns" | "ip")).then_some(identifier)
    };
    let identifiers = order.get("identifiers")?.as_array()?;
    Names::new(identifiers.iter().map(identifier).collect::<Option<Vec<_>>>()?)
}

/// When an order that is under way may be asked about again.
pub(crate) fn next_poll(now: SystemTime, attempt: u32, asked: RetryAfter) -> SystemTime {
    const FIRST: Duration = Duration::from_millis(250);
    const LONGEST: Duration = Duration::from_secs(10);
    const PATIENCE: Duration = Duration::from_secs(60);
    match asked {
        // Within bounds: a wait of an hour is the next attempt's.
        Some(time) => time.clamp(clock::after(now, FIRST), clock::after(now, PATIENCE)),
        None => clock::after(now, (FIRST * 2_u32.saturating_pow(attempt.min(10))).min(LONGEST)),
    }
}
