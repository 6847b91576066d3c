//! Waits until records are seen: an authority that looks too early counts a failure.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hickory_proto::rr::{Name, RData, RecordType};
use slimhttp_site::acme::DnsOptions;

use super::TxtRecord;
use super::exchange::{Recursion, query};
use super::lookup::{DNS_PORT, canonical, name, resolvers, servers};

/// How long is waited between two looks, at first and at last.
const FIRST_LOOK: Duration = Duration::from_millis(250);
const LONGEST_LOOK: Duration = Duration::from_secs(5);

/// Waits until every one of `records` is seen at all servers of its zone, or at the resolvers that
/// are configured.
///
/// # Errors
/// Which is not seen, and where, within `propagation_timeout`; or that nobody can be asked.
pub(crate) async fn wait(options: &DnsOptions, records: &[TxtRecord]) -> Result<(), String> {
    if options.propagation_timeout.is_zero() {
        return Ok(());
    }
    let deadline = Instant::now() + options.propagation_timeout;
    for (name, value) in records {
        let within = format!("within {} s", options.propagation_timeout.as_secs_f32());
        wait_for(options, name, value, deadline).await.map_err(|last| {
            format!(
                "the record of `{name}` is not seen {within}: {last} (`acme.dns` may say \
                 `resolvers`, or `propagation_timeout = false`)"
            )
        })?;
    }
    Ok(())
}

async fn wait_for(
    options: &DnsOptions,
    text: &str,
    value: &str,
    deadline: Instant,
) -> Result<(), String> {
    let name = name(text)?;
    let mut pause = FIRST_LOOK;
    loop {
        let Err(last) = look(options, &name, value).await else { return Ok(()) };
        if Instant::now() + pause > deadline {
            return Err(last);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_LOOK);
    }
}

/// Looks at each server once.
async fn look(options: &DnsOptions, name: &Name, value: &str) -> Result<(), String> {
    let asked = resolvers(&options.resolvers);
    if !options.resolvers.is_empty() {
        return all_show(&asked, name, value, Recursion::Desired).await;
    }
    look_at_zone(&asked, name, value, DNS_PORT).await
}

/// Looks at each server of the zone, which others know.
pub(super) async fn look_at_zone(
    resolvers: &[SocketAddr],
    name: &Name,
    value: &str,
    port: u16,
) -> Result<(), String> {
    let name = canonical(resolvers, name).await;
    let servers = servers(resolvers, &name, port).await?;
    all_show(&servers, &name, value, Recursion::None).await
}

async fn all_show(
    servers: &[SocketAddr],
    name: &Name,
    value: &str,
    recursion: Recursion,
) -> Result<(), String> {
    for server in servers {
        let answer = query(*server, name, RecordType::TXT, recursion).await?;
        let shows = answer.answers.iter().any(|record| match &record.data {
            RData::TXT(text) => text.txt_data.concat() == value.as_bytes(),
            _ => false,
        });
        if !shows {
            return Err(format!("not at {server} ({})", answer.metadata.response_code));
        }
    }
    Ok(())
}
