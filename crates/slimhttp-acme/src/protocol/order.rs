//! Orders: what a certificate is to be for, how that is proven, the certificate itself (RFC 8555
//! sections 7.4 and 7.5).

use std::fmt;
use std::time::{Duration, SystemTime};

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use slimhttp_site::acme::{ChallengeType, Identifier};

use super::{Authority, Signer, location, object, url_in, url_of};
use crate::clock;
use crate::failure::{Failure, Problem, told};
use crate::https::{Repeat, Reply, Url};
use crate::names::Names;

/// How many pages of an account's orders are looked through.
const MOST_PAGES: usize = 50;
/// How many authorizations an order may have: as many as a certificate has names.
const MOST_AUTHORIZATIONS: usize = crate::names::MOST_NAMES;

/// An order as the authority says it is.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) url: Url,
    pub(crate) status: OrderStatus,
    /// What it is for; `None` where that is not understood.
    pub(crate) names: Option<Names>,
    pub(crate) authorizations: Vec<Url>,
    pub(crate) finalize: Url,
    pub(crate) certificate: Option<Url>,
    pub(crate) error: Option<Problem>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OrderStatus {
    Pending,
    Ready,
    Processing,
    Valid,
    Invalid,
}

/// What is ordered.
pub(crate) struct NewOrder<'a> {
    pub(crate) names: &'a Names,
    pub(crate) profile: Option<&'a str>,
    /// The certificate that is to be replaced (RFC 9773 section 5).
    pub(crate) replaces: Option<&'a str>,
}

/// Whether a name is proven, and how it can be.
#[derive(Debug)]
pub(crate) struct Authorization {
    /// The name; of a wildcard too, without `*.`.
    pub(crate) identifier: Identifier,
    /// Whether it is for the names below it.
    pub(crate) wildcard: bool,
    pub(crate) status: AuthorizationStatus,
    pub(crate) challenges: Vec<Challenge>,
    /// What is offered that we do not know, for messages.
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
    pub(crate) url: Url,
    pub(crate) token: String,
    pub(crate) status: ChallengeStatus,
    pub(crate) error: Option<Problem>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChallengeStatus {
    Pending,
    Processing,
    Valid,
    Invalid,
}

/// What was asked for, and when the authority wants to be asked again.
pub(crate) struct Polled<T> {
    pub(crate) value: T,
    pub(crate) retry_after: Option<SystemTime>,
}

impl Authority {
    /// Orders a certificate. It is never sent twice: each would be an order of its own.
    pub(crate) async fn new_order(
        &self,
        signer: Signer<'_>,
        new: &NewOrder<'_>,
    ) -> Result<Order, Failure> {
        let directory = self.directory().await?;
        let identifiers: Vec<_> = new.names.iter().map(identifier_of).collect();
        let mut payload = json!({"identifiers": identifiers});
        if let Some(profile) = new.profile {
            payload["profile"] = json!(profile);
        }
        if let Some(replaces) = new.replaces.filter(|_| directory.renewal_info.is_some()) {
            payload["replaces"] = json!(replaces);
        }
        let (what, url) = ("the order", &directory.new_order);
        let reply = self.post(what, signer, url, Some(&payload), Repeat::Never).await?;
        Order::read(location(&reply, what)?, &object(&reply, what)?)
    }

    /// How an order stands.
    pub(crate) async fn order(
        &self,
        signer: Signer<'_>,
        url: &Url,
    ) -> Result<Polled<Order>, Failure> {
        let reply = self.post("the order", signer, url, None, Repeat::Harmless).await?;
        let value = Order::read(url.clone(), &object(&reply, "the order")?)?;
        Ok(Polled { value, retry_after: self.retry_after(&reply) })
    }

    /// How the proof of a name stands.
    pub(crate) async fn authorization(
        &self,
        signer: Signer<'_>,
        url: &Url,
    ) -> Result<Polled<Authorization>, Failure> {
        let what = "the authorization";
        let reply = self.post(what, signer, url, None, Repeat::Harmless).await?;
        let value = Authorization::read(&object(&reply, what)?)?;
        Ok(Polled { value, retry_after: self.retry_after(&reply) })
    }

    /// Says that what a challenge demands is there. The authority may look at once.
    pub(crate) async fn answer(
        &self,
        signer: Signer<'_>,
        challenge: &Challenge,
    ) -> Result<(), Failure> {
        let (what, empty) = ("the challenge", json!({}));
        self.post(what, signer, &challenge.url, Some(&empty), Repeat::Harmless).await.map(drop)
    }

    /// Asks for the certificate of an order whose names are proven.
    pub(crate) async fn finalize(
        &self,
        signer: Signer<'_>,
        order: &Order,
        request: &[u8],
    ) -> Result<Polled<Order>, Failure> {
        let payload = json!({"csr": BASE64URL_NOPAD.encode(request)});
        let what = "the certificate";
        let reply = self.post(what, signer, &order.finalize, Some(&payload), Repeat::Never).await?;
        let value = Order::read(order.url.clone(), &object(&reply, what)?)?;
        Ok(Polled { value, retry_after: self.retry_after(&reply) })
    }

    /// The certificate with those of the authorities above it, a PEM file.
    pub(crate) async fn certificate(
        &self,
        signer: Signer<'_>,
        url: &Url,
    ) -> Result<Vec<u8>, Failure> {
        let reply = self.post("the certificate", signer, url, None, Repeat::Harmless).await?;
        Ok(reply.content)
    }

    /// An order for exactly these names that the account has under way, where the authority lists
    /// its orders: one of which only the authority knows, because the answer to `new_order` was
    /// lost.
    pub(crate) async fn order_under_way(
        &self,
        signer: Signer<'_>,
        account: &Url,
        names: &Names,
    ) -> Result<Option<Order>, Failure> {
        let mut next = self.orders_of(signer, account).await?;
        for _ in 0..MOST_PAGES {
            let Some(page) = next else { break };
            let what = "the orders of the account";
            let reply = self.post(what, signer, &page, None, Repeat::Harmless).await?;
            next = next_page(&reply, &page);
            let listed = object(&reply, what)?;
            let listed = listed.get("orders").and_then(Value::as_array);
            for url in listed.into_iter().flatten().filter_map(Value::as_str) {
                let order = self.order(signer, &Url::parse(url)?).await?.value;
                let is_open = !matches!(order.status, OrderStatus::Valid | OrderStatus::Invalid);
                if is_open && order.names.as_ref() == Some(names) {
                    return Ok(Some(order));
                }
            }
        }
        Ok(None)
    }
}

/// The page that a `Link` field with the relation `next` names (RFC 8288).
pub(super) fn next_page(reply: &Reply, page: &Url) -> Option<Url> {
    let links = reply.fields.get_all("link").iter().filter_map(|link| link.to_str().ok());
    let mut links = links.flat_map(|link| link.split(','));
    links.find_map(|link| {
        let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let is_next =
            parameters.split(';').any(|it| matches!(it.trim(), "rel=\"next\"" | "rel=next"));
        let url = is_next.then(|| Url::parse(target).ok())??;
        (url != *page).then_some(url)
    })
}

/// An identifier as orders have it. RFC 8555 section 7.1.3: a wildcard is a name with `*.`.
fn identifier_of(name: &Identifier) -> Value {
    let kind = if matches!(name, Identifier::Ip(_)) { "ip" } else { "dns" };
    json!({"type": kind, "value": name.to_string()})
}

fn read_identifier(object: &Value) -> Option<Identifier> {
    let value = object.get("value")?.as_str()?;
    let identifier = Identifier::parse(value).ok()?;
    let kind = object.get("type")?.as_str()?;
    let fits = matches!(identifier, Identifier::Ip(_)) == (kind == "ip");
    (fits && matches!(kind, "dns" | "ip")).then_some(identifier)
}

impl Order {
    pub(super) fn read(url: Url, object: &Value) -> Result<Self, Failure> {
        const WHAT: &str = "the order";
        let status = match object.get("status").and_then(Value::as_str) {
            Some("pending") => OrderStatus::Pending,
            Some("ready") => OrderStatus::Ready,
            Some("processing") => OrderStatus::Processing,
            Some("valid") => OrderStatus::Valid,
            Some("invalid") => OrderStatus::Invalid,
            other => return Err(odd(WHAT, "status", other)),
        };
        let list = |key: &str| object.get(key).and_then(Value::as_array).map_or(&[][..], |it| it);
        let names: Option<Vec<_>> = list("identifiers").iter().map(read_identifier).collect();
        let authorizations = list("authorizations");
        if authorizations.len() > MOST_AUTHORIZATIONS {
            return Err(odd(WHAT, "number of authorizations", None));
        }
        let text = |url: &Value| Url::parse(url.as_str().unwrap_or_default());
        Ok(Self {
            url,
            status,
            names: names.and_then(Names::new),
            authorizations: authorizations.iter().map(text).collect::<Result<_, _>>()?,
            finalize: url_of(object, "finalize", WHAT)?,
            certificate: url_in(object, "certificate")?,
            error: object.get("error").and_then(Problem::read),
        })
    }
}

impl Authorization {
    pub(super) fn read(object: &Value) -> Result<Self, Failure> {
        const WHAT: &str = "the authorization";
        let status = match object.get("status").and_then(Value::as_str) {
            Some("pending") => AuthorizationStatus::Pending,
            Some("valid") => AuthorizationStatus::Valid,
            Some("invalid" | "deactivated" | "expired" | "revoked") => AuthorizationStatus::Over,
            other => return Err(odd(WHAT, "status", other)),
        };
        let identifier = object.get("identifier").and_then(read_identifier);
        let identifier = identifier.ok_or_else(|| odd(WHAT, "identifier", None))?;
        let listed = object.get("challenges").and_then(Value::as_array);
        let listed = listed.map_or(&[][..], |listed| listed);
        let kind = |challenge: &Value| challenge.get("type")?.as_str().map(told);
        let offered = listed.iter().filter_map(kind).collect();
        let challenges =
            listed.iter().filter_map(|challenge| Challenge::read(challenge).transpose());
        let challenges = challenges.collect::<Result<_, _>>()?;
        let wildcard = object.get("wildcard").and_then(Value::as_bool).unwrap_or(false);
        Ok(Self { identifier, wildcard, status, challenges, offered })
    }
}

impl fmt::Display for Authorization {
    /// The name as it was ordered.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.wildcard { "*." } else { "" })?;
        self.identifier.fmt(f)
    }
}

impl Challenge {
    /// `None`: of a kind that nobody here can answer.
    fn read(object: &Value) -> Result<Option<Self>, Failure> {
        const WHAT: &str = "the challenge";
        let kind = object.get("type").and_then(Value::as_str);
        let Some(kind) = ChallengeType::ALL.into_iter().find(|it| Some(it.name()) == kind) else {
            return Ok(None);
        };
        let status = match object.get("status").and_then(Value::as_str) {
            Some("pending") => ChallengeStatus::Pending,
            Some("processing") => ChallengeStatus::Processing,
            Some("valid") => ChallengeStatus::Valid,
            Some("invalid") => ChallengeStatus::Invalid,
            other => return Err(odd(WHAT, "status", other)),
        };
        let token = object.get("token").and_then(Value::as_str).unwrap_or_default();
        if !crate::token::is_token(token) {
            return Err(odd(WHAT, "token", Some(token)));
        }
        let url = url_of(object, "url", WHAT)?;
        let error = object.get("error").and_then(Problem::read);
        Ok(Some(Self { kind, url, token: token.to_owned(), status, error }))
    }
}

fn odd(what: &str, part: &str, found: Option<&str>) -> Failure {
    let found = found.map_or("none that is usable".to_owned(), |it| format!("`{}`", told(it)));
    Failure::Unexpected(format!("the {part} of {what} is {found}"))
}

/// When an order that is under way may be asked about again.
pub(crate) fn next_poll(now: SystemTime, attempt: u32, asked: Option<SystemTime>) -> SystemTime {
    const FIRST: Duration = Duration::from_millis(250);
    const LONGEST: Duration = Duration::from_secs(10);
    const PATIENCE: Duration = Duration::from_secs(60);
    match asked {
        // Within bounds: a wait of an hour is the next attempt's.
        Some(time) => time.clamp(clock::after(now, FIRST), clock::after(now, PATIENCE)),
        None => clock::after(now, (FIRST * 2_u32.saturating_pow(attempt.min(10))).min(LONGEST)),
    }
}
