//! Proves the names of an order: of each, the first challenge that both sides can do is answered,
//! and the authority is told to look.

use std::sync::Arc;

use aws_lc_rs::digest;
use data_encoding::BASE64URL_NOPAD;
use slimhttp_site::acme::{ChallengeType, Identifier};

use super::{Attempt, is_refused};
use crate::challenges::Presented;
use crate::clock;
use crate::dns::{self, DnsProvider, TxtRecord};
use crate::failure::{Failure, Problem};
use crate::protocol::{
    Authorization, AuthorizationStatus, Challenge, ChallengeStatus, Order, next_poll,
};

#[cfg(test)]
mod tests;

/// A name that is to be proven, and how it is.
struct Proof {
    name: String,
    /// The URL of its authorization.
    url: String,
    challenge: Challenge,
    /// What is answered while the authority looks; a record is noted on disk instead.
    _presented: Option<Presented>,
}

impl Attempt<'_> {
    /// Proves all names of an order that are not proven yet.
    ///
    /// # Errors
    /// Why one is not; the order is forgotten where nothing can come of it.
    pub(super) async fn prove(&mut self, order: &mut Order) -> Result<(), Failure> {
        let mut proofs = Vec::new();
        for authorization in order.authorizations().await? {
            match authorization.status {
                AuthorizationStatus::Valid => {}
                AuthorizationStatus::Over => return Err(self.failed(order).await),
                AuthorizationStatus::Pending => proofs.push(self.present(&authorization).await?),
            }
        }
        self.wait_for_records(&proofs).await?;
        for proof in &proofs {
            // One that was told to look before a kill looks by itself.
            if proof.challenge.status == ChallengeStatus::Pending {
                tell(order, proof).await?;
            }
        }
        for proof in &proofs {
            if !is_proven(self, order, proof).await? {
                return Err(self.failed(order).await);
            }
        }
        self.drop_records().await;
        Ok(())
    }

    /// Answers the first challenge of a name that can be.
    async fn present(&mut self, authorization: &Authorization) -> Result<Proof, Failure> {
        let preferred = &self.context.options.challenges;
        let usable = usable(authorization, preferred, &self.meta.failed_challenges);
        if usable.is_empty() {
            return Err(no_challenge(authorization, preferred));
        }
        let mut last = None;
        for challenge in usable {
            match self.present_one(authorization, challenge).await {
                Ok(presented) => {
                    return Ok(Proof {
                        name: authorization.to_string(),
                        url: authorization.url.clone(),
                        challenge: challenge.clone(),
                        _presented: presented,
                    });
                }
                Err(reason) => {
                    let (name, challenge) = (authorization.to_string(), challenge.kind);
                    last = Some(Failure::NotPresented { name, challenge, reason });
                }
            }
        }
        Err(last.expect("there was one at least, and it failed"))
    }

    async fn present_one(
        &mut self,
        authorization: &Authorization,
        challenge: &Challenge,
    ) -> Result<Option<Presented>, String> {
        let (challenges, answer) = (&self.context.challenges, &challenge.answer);
        let told = |failure: Failure| failure.to_string();
        match challenge.kind {
            ChallengeType::Http01 => {
                challenges.present_http01(&challenge.token, answer).map(Some).map_err(told)
            }
            ChallengeType::TlsAlpn01 => {
                let identifier = &authorization.identifier;
                challenges.present_tls_alpn01(identifier, answer).map(Some).map_err(told)
            }
            ChallengeType::Dns01 => {
                let (name, value) = record_of(&authorization.identifier, answer)?;
                let provider = self.context.dns()?;
                let noted = (name.clone(), value.clone());
                self.note(|note| {
                    if !note.records.contains(&noted) {
                        note.records.push(noted);
                    }
                })
                .map_err(told)?;
                let limit = self.context.options.dns.timeout;
                match tokio::time::timeout(limit, provider.present(&name, &value)).await {
                    Ok(Ok(())) => Ok(None),
                    Ok(Err(reason)) => Err(crate::failure::told(&reason)),
                    Err(_) => Err(format!("not done in {} s", limit.as_secs_f32())),
                }
            }
        }
    }

    /// Waits until the records of all proofs are seen.
    async fn wait_for_records(&self, proofs: &[Proof]) -> Result<(), Failure> {
        let records: &[TxtRecord] = self.meta.order.as_ref().map_or(&[], |note| &note.records);
        let Some(proof) = proofs.iter().find(|it| it.challenge.kind == ChallengeType::Dns01) else {
            return Ok(());
        };
        dns::wait(&self.context.options.dns, records).await.map_err(|reason| {
            let name = proof.name.clone();
            Failure::NotPresented { name, challenge: ChallengeType::Dns01, reason }
        })
    }

    /// Takes away the records that were set for the order, as far as that can be done: one that
    /// stays harms nobody.
    pub(super) async fn drop_records(&mut self) {
        let records = self.meta.order.as_ref().map(|note| note.records.clone());
        let records = records.unwrap_or_default();
        if records.is_empty() {
            return;
        }
        let provider: Result<Arc<dyn DnsProvider>, String> = self.context.dns();
        let limit = self.context.options.dns.timeout;
        for (name, value) in &records {
            let removed = match &provider {
                Ok(provider) => tokio::time::timeout(limit, provider.cleanup(name, value))
                    .await
                    .unwrap_or_else(|_| Err(format!("not done in {} s", limit.as_secs_f32()))),
                Err(reason) => Err(reason.clone()),
            };
            if let Err(reason) = removed {
                let reason = crate::failure::told(&reason);
                tracing::warn!("the record of {name} cannot be taken away: {reason}");
            }
        }
        // What cannot be written now is removed once more by the next attempt.
        if let Err(failure) = self.note(|note| note.records.clear()) {
            tracing::warn!("{failure}");
        }
    }
}

/// Tells the authority to look. It may refuse that because the name has been proven meanwhile, by
/// an order for it and others.
async fn tell(order: &mut Order, proof: &Proof) -> Result<(), Failure> {
    let Err(failure) = order.answer(&proof.url, proof.challenge.kind).await else {
        return Ok(());
    };
    if !is_refused(&failure) {
        return Err(failure);
    }
    let (authorization, _) = order.authorization(&proof.url).await?;
    match authorization.status {
        AuthorizationStatus::Pending => Err(failure),
        AuthorizationStatus::Valid | AuthorizationStatus::Over => Ok(()),
    }
}

/// Waits until a name is proven, or not.
async fn is_proven(
    attempt: &Attempt<'_>,
    order: &mut Order,
    proof: &Proof,
) -> Result<bool, Failure> {
    let mut looks = 0;
    loop {
        let (authorization, later) = order.authorization(&proof.url).await?;
        match authorization.status {
            AuthorizationStatus::Valid => return Ok(true),
            AuthorizationStatus::Over => return Ok(false),
            AuthorizationStatus::Pending => {}
        }
        let now = attempt.context.now();
        let next = next_poll(now, looks, later);
        tokio::time::sleep(clock::until(now, next)).await;
        looks += 1;
    }
}

/// The challenges of a name that can be answered, in the order in which they are tried: as they are
/// preferred, but those that have failed come last, the one that failed last at the end. One that
/// the authority was told to look at is the only one.
fn usable<'a>(
    authorization: &'a Authorization,
    preferred: &[ChallengeType],
    failed: &[ChallengeType],
) -> Vec<&'a Challenge> {
    let begun = |it: &&Challenge| it.status == ChallengeStatus::Processing;
    if let Some(begun) = authorization.challenges.iter().find(begun) {
        return vec![begun];
    }
    let mut kinds: Vec<_> =
        preferred.iter().copied().filter(|kind| fits(authorization, *kind)).collect();
    kinds.sort_by_key(|kind| failed.iter().position(|it| it == kind).map_or(0, |at| at + 1));
    let offered = |kind| authorization.challenges.iter().find(move |it| it.kind == kind);
    kinds.into_iter().filter_map(offered).collect()
}

/// Whether a name may be proven so: a wildcard by a record alone (RFC 8555 section 8.3 has http-01
/// for names, RFC 8737 section 3 tls-alpn-01 too), an address by none (RFC 8738 section 7).
fn fits(authorization: &Authorization, kind: ChallengeType) -> bool {
    match (&authorization.identifier, kind) {
        (_, ChallengeType::Http01 | ChallengeType::TlsAlpn01) => !authorization.wildcard,
        (Identifier::Ip(_), ChallengeType::Dns01) => false,
        (_, ChallengeType::Dns01) => true,
    }
}

fn no_challenge(authorization: &Authorization, preferred: &[ChallengeType]) -> Failure {
    let names = |kinds: Vec<ChallengeType>| {
        let names: Vec<_> = kinds.iter().map(ToString::to_string).collect();
        names.join(", ")
    };
    let preferred: Vec<_> = preferred.to_vec();
    let fitting: Vec<_> =
        ChallengeType::ALL.into_iter().filter(|kind| fits(authorization, *kind)).collect();
    let reason = format!(
        "`acme.challenge` says {}, and {} may be proven by {}",
        names(preferred),
        if authorization.wildcard { "a wildcard" } else { "this name" },
        names(fitting),
    );
    Failure::NoChallenge {
        name: authorization.to_string(),
        offered: authorization.offered.join(", "),
        reason,
    }
}

/// The record that proves a name (RFC 8555 section 8.4).
fn record_of(identifier: &Identifier, answer: &str) -> Result<TxtRecord, String> {
    let name = identifier.name().ok_or("an address has no records")?;
    let digest = digest::digest(&digest::SHA256, answer.as_bytes());
    Ok((format!("_acme-challenge.{name}"), BASE64URL_NOPAD.encode(digest.as_ref())))
}

/// Why a name is not proven; `None`: it may be yet, or nothing is said.
pub(super) fn why_over(authorization: &Authorization) -> Option<Failure> {
    if authorization.status != AuthorizationStatus::Over {
        return None;
    }
    let told = authorization.challenges.iter().find_map(|it| it.error.clone().map(|why| (it, why)));
    let (challenge, problem) = told?;
    let name = authorization.to_string();
    let problem: Box<Problem> = Box::new(problem);
    Some(Failure::Challenge { name, challenge: challenge.kind, problem })
}
