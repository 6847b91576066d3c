//! What is found out about a name before a record is set there: where it leads, in which zone it
//! is, and which servers that zone has.

use std::net::{IpAddr, SocketAddr};

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};

use super::exchange::{Recursion, query};

/// How often a name may lead to another one.
const MOST_ALIASES: usize = 8;
/// How many servers of a zone are asked.
const MOST_SERVERS: usize = 16;
/// How many resolvers of the system are asked, as its own library does.
const MOST_RESOLVERS: usize = 3;
pub(super) const DNS_PORT: u16 = 53;

/// Who is asked for what others know: those that are configured, or those of the system.
pub(super) fn resolvers(configured: &[SocketAddr]) -> Vec<SocketAddr> {
    if !configured.is_empty() {
        return configured.to_vec();
    }
    let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    of_system(&text)
}

/// The resolvers in the text of a `resolv.conf`; without one it is this machine (resolv.conf(5)).
fn of_system(text: &str) -> Vec<SocketAddr> {
    let address = |line: &str| {
        let mut words = line.split_whitespace();
        let address = words.next().filter(|word| *word == "nameserver").and(words.next())?;
        // A zone of an address (`%eth0`) cannot be told here.
        address.parse::<IpAddr>().ok()
    };
    let mut found: Vec<_> = text
        .lines()
        .filter_map(address)
        .take(MOST_RESOLVERS)
        .map(|address| SocketAddr::new(address, DNS_PORT))
        .collect();
    if found.is_empty() {
        found.push(SocketAddr::from(([127, 0, 0, 1], DNS_PORT)));
    }
    found
}

/// Reads a name as it is written, without a dot at its end.
pub(super) fn name(text: &str) -> Result<Name, String> {
    let mut name = Name::from_ascii(text).map_err(|error| format!("`{text}`: {error}"))?;
    name.set_fqdn(true);
    Ok(name)
}

/// Asks resolvers in turn until one answers.
async fn ask(resolvers: &[SocketAddr], name: &Name, kind: RecordType) -> Result<Message, String> {
    let mut last = "no resolver".to_owned();
    for resolver in resolvers {
        match query(*resolver, name, kind, Recursion::Desired).await {
            Ok(answer) => match answer.metadata.response_code {
                ResponseCode::NoError | ResponseCode::NXDomain => return Ok(answer),
                code => last = format!("{resolver}: {code}"),
            },
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The name whose records are taken for those of `name`: an administrator may lead
/// `_acme-challenge.example.com` to a zone that may be updated by an alias (CNAME). Where nobody
/// can be asked it is `name` itself.
pub(super) async fn canonical(resolvers: &[SocketAddr], name: &Name) -> Name {
    let mut canonical = name.clone();
    for _ in 0..MOST_ALIASES {
        let Ok(answer) = ask(resolvers, &canonical, RecordType::CNAME).await else { break };
        let alias = answer.answers.iter().find_map(|record| match &record.data {
            RData::CNAME(alias) if record.name == canonical => Some(alias.0.clone()),
            _ => None,
        });
        let Some(alias) = alias else { break };
        canonical = alias;
    }
    canonical
}

/// The zone that `server` says `name` is in: it answers with the zone's SOA, or has it beside an
/// answer that there is nothing (RFC 2308).
pub(super) async fn zone_at(
    server: SocketAddr,
    name: &Name,
    recursion: Recursion,
) -> Result<Name, String> {
    let answer = query(server, name, RecordType::SOA, recursion).await?;
    let code = answer.metadata.response_code;
    let records = answer.answers.iter().chain(&answer.authorities);
    let mut zones = records.filter(|record| record.record_type() == RecordType::SOA);
    let zone = zones.find(|record| record.name.zone_of(name));
    match zone {
        Some(record) => Ok(record.name.clone()),
        None => Err(format!("{server} knows no zone of `{name}` ({code})")),
    }
}

/// The addresses of the servers of the zone that `name` is in. They answer at `port`, which is
/// [`DNS_PORT`] everywhere but in tests.
pub(super) async fn servers(
    resolvers: &[SocketAddr],
    name: &Name,
    port: u16,
) -> Result<Vec<SocketAddr>, String> {
    let mut zone = Err("no resolver".to_owned());
    for resolver in resolvers {
        zone = zone_at(*resolver, name, Recursion::Desired).await;
        if zone.is_ok() {
            break;
        }
    }
    let zone = zone?;
    let answer = ask(resolvers, &zone, RecordType::NS).await?;
    let mut servers = Vec::new();
    for record in &answer.answers {
        let RData::NS(server) = &record.data else { continue };
        let host = server.0.to_ascii();
        let addresses = tokio::net::lookup_host((host.trim_end_matches('.'), port)).await;
        servers.extend(addresses.into_iter().flatten());
    }
    servers.truncate(MOST_SERVERS);
    if servers.is_empty() {
        Err(format!("the servers of `{zone}` have no address"))
    } else {
        Ok(servers)
    }
}

#[cfg(test)]
mod tests;
