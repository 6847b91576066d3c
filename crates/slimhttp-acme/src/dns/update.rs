//! Records that are set at a server of the zone by updates (RFC 2136), signed with a key that both
//! know (TSIG, RFC 8945).

use std::net::SocketAddr;
use std::time::SystemTime;

use data_encoding::BASE64;
use hickory_proto::op::{Message, ResponseCode, update_message};
use hickory_proto::rr::rdata::TXT;
use hickory_proto::rr::rdata::tsig::TsigAlgorithm as Algorithm;
use hickory_proto::rr::{Name, RData, Record, RecordSet, TSigner};
use slimhttp_site::acme::{DnsUpdate, TsigAlgorithm, TsigKey};

use super::exchange::{self, Recursion};
use super::lookup::{canonical, name, resolvers, zone_at};
use super::{DnsFuture, DnsProvider};

/// How far the clocks of the two may be apart, in seconds (RFC 8945 section 10).
const FUDGE: u16 = 300;

/// Sets records by updates.
pub(super) struct Update {
    options: DnsUpdate,
    resolvers: Vec<SocketAddr>,
    signer: Option<TSigner>,
}

#[derive(Clone, Copy)]
enum Change {
    Add,
    Remove,
}

impl Update {
    /// # Errors
    /// The key is none.
    pub(super) fn new(options: DnsUpdate, resolvers: Vec<SocketAddr>) -> Result<Self, String> {
        let signer = options.key.as_ref().map(signer).transpose()?;
        Ok(Self { options, resolvers, signer })
    }

    async fn change(&self, change: Change, text: &str, value: &str) -> Result<(), String> {
        let DnsUpdate { host, port, zone, ttl, .. } = &self.options;
        let server = tokio::net::lookup_host((&**host, *port)).await;
        let server = server.map_err(|error| format!("{host}: {error}"))?.next();
        let server = server.ok_or_else(|| format!("{host} has no address"))?;
        let name = canonical(&resolvers(&self.resolvers), &name(text)?).await;
        let zone = match zone {
            Some(zone) => self::name(zone)?,
            None => zone_at(server, &name, Recursion::None)
                .await
                .map_err(|error| format!("{error}: name the zone by `zone` of `acme.dns`"))?,
        };
        if !zone.zone_of(&name) {
            return Err(format!("`{name}` is not in the zone `{zone}`"));
        }
        let record = Record::from_rdata(name, *ttl, RData::TXT(TXT::new(vec![value.to_owned()])));
        let records = RecordSet::from(record);
        let mut message = match change {
            Change::Add => update_message::append(records, zone, false, false),
            Change::Remove => update_message::delete_by_rdata(records, zone, false),
        };
        message.metadata.id = exchange::id();
        self.send(server, message).await
    }

    async fn send(&self, server: SocketAddr, mut message: Message) -> Result<(), String> {
        let failed = |error: String| format!("{server}: {error}");
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let verifier = match &self.signer {
            Some(signer) => message.finalize(signer, now.as_secs()),
            None => Ok(None),
        };
        let verifier = verifier.map_err(|error| failed(error.to_string()))?;
        let request = message.to_vec().map_err(|error| failed(error.to_string()))?;
        let answer = exchange::over_tcp(server, &request).await;
        let bytes = answer.map_err(|error| failed(error.to_string()))?;
        let answer = Message::from_vec(&bytes).map_err(|error| failed(error.to_string()))?;
        let code = answer.metadata.response_code;
        if answer.metadata.id != message.metadata.id {
            return Err(failed("answered another question".to_owned()));
        }
        // A refusal of a key is not signed (RFC 8945 section 5.3.2), an acceptance is.
        if code != ResponseCode::NoError {
            return Err(failed(format!("the update is refused: {code}")));
        }
        match verifier {
            Some(mut verifier) => {
                let verified = verifier.verify(&bytes).map(drop);
                verified.map_err(|error| failed(format!("its answer is not signed: {error}")))
            }
            None => Ok(()),
        }
    }
}

impl DnsProvider for Update {
    fn present<'a>(&'a self, name: &'a str, value: &'a str) -> DnsFuture<'a> {
        Box::pin(self.change(Change::Add, name, value))
    }

    fn cleanup<'a>(&'a self, name: &'a str, value: &'a str) -> DnsFuture<'a> {
        Box::pin(self.change(Change::Remove, name, value))
    }
}

fn signer(key: &TsigKey) -> Result<TSigner, String> {
    let secret = BASE64.decode(key.secret.0.as_bytes());
    let secret = secret.map_err(|_| "`key` of `acme.dns` is no base64".to_owned())?;
    let algorithm = match key.algorithm {
        TsigAlgorithm::HmacSha256 => Algorithm::HmacSha256,
        TsigAlgorithm::HmacSha384 => Algorithm::HmacSha384,
        TsigAlgorithm::HmacSha512 => Algorithm::HmacSha512,
    };
    let name: Name = name(&key.name)?;
    TSigner::new(secret, algorithm, name, FUDGE).map_err(|error| error.to_string())
}
