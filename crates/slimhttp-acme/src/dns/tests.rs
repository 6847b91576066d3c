//! Questions to servers of the DNS, and what is made of the answers.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::time::Duration;

use hickory_proto::op::{Message, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{CNAME, NS, SOA, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use slimhttp_site::acme::DnsOptions;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::exchange::{Recursion, query};
use super::lookup::{canonical, name, servers, zone_at};
use super::propagation::{look_at_zone, wait};

/// What a server says: the answers to what it is asked over UDP, in the order in which it sends
/// them, or over TCP.
type Says = fn(&Message, bool) -> Vec<Message>;

/// A server, until the runtime of the test ends.
fn serve(says: Says) -> SocketAddr {
    let (udp, tcp) = loop {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()) {
            break (udp, tcp);
        }
    };
    udp.set_nonblocking(true).unwrap();
    tcp.set_nonblocking(true).unwrap();
    let address = udp.local_addr().unwrap();
    let udp = tokio::net::UdpSocket::from_std(udp).unwrap();
    let tcp = tokio::net::TcpListener::from_std(tcp).unwrap();
    tokio::spawn(async move {
        let mut bytes = [0; 4096];
        loop {
            let (length, from) = udp.recv_from(&mut bytes).await.unwrap();
            let request = Message::from_vec(&bytes[..length]).unwrap();
            for answer in says(&request, false) {
                udp.send_to(&answer.to_vec().unwrap(), from).await.unwrap();
            }
        }
    });
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = tcp.accept().await.unwrap();
            let mut bytes = vec![0; usize::from(stream.read_u16().await.unwrap())];
            stream.read_exact(&mut bytes).await.unwrap();
            for answer in says(&Message::from_vec(&bytes).unwrap(), true) {
                let bytes = answer.to_vec().unwrap();
                stream.write_u16(u16::try_from(bytes.len()).unwrap()).await.unwrap();
                stream.write_all(&bytes).await.unwrap();
            }
        }
    });
    address
}

fn answer(request: &Message, records: &[(&str, RData)]) -> Message {
    let mut answer = Message::response(request.metadata.id, OpCode::Query);
    answer.add_queries(request.queries.clone());
    answer.add_answers(records.iter().map(|(of, data)| record(of, data.clone())));
    answer
}

fn record(of: &str, data: RData) -> Record {
    Record::from_rdata(name(of).unwrap(), 1, data)
}

fn text(text: &str) -> RData {
    RData::TXT(TXT::new(vec![text.to_owned()]))
}

fn soa(zone: &str) -> RData {
    RData::SOA(SOA::new(name(zone).unwrap(), name(zone).unwrap(), 1, 1, 1, 1, 1))
}

async fn texts(server: SocketAddr, of: &str) -> Result<Vec<String>, String> {
    let asked = query(server, &name(of)?, RecordType::TXT, Recursion::None).await?;
    let text = |record: &Record| match &record.data {
        RData::TXT(text) => Some(String::from_utf8(text.txt_data.concat()).unwrap()),
        _ => None,
    };
    Ok(asked.answers.iter().filter_map(text).collect())
}

#[tokio::test]
async fn a_question_is_answered_by_its_number() {
    let server = serve(|request, _| {
        let mut forged = answer(request, &[("a.example", text("forged"))]);
        forged.metadata.id = request.metadata.id.wrapping_add(1);
        vec![forged, answer(request, &[("a.example", text("real"))])]
    });
    assert_eq!(texts(server, "a.example").await.unwrap(), ["real"]);
}

#[tokio::test]
async fn what_a_datagram_does_not_hold_comes_over_tcp() {
    let server = serve(|request, over_tcp| {
        let mut whole = answer(request, &[("a.example", text("whole"))]);
        if !over_tcp {
            whole.answers.clear();
            whole.metadata.truncation = true;
        }
        vec![whole]
    });
    assert_eq!(texts(server, "a.example").await.unwrap(), ["whole"]);
}

#[tokio::test]
async fn an_answer_to_another_question_is_none() {
    let server = serve(|request, _| {
        let mut other = answer(request, &[]);
        other.queries = vec![Query::query(name("b.example").unwrap(), RecordType::TXT)];
        vec![other]
    });
    let error = texts(server, "a.example").await.unwrap_err();
    assert_eq!(error, format!("{server} answered another question"));
}

#[tokio::test(start_paused = true)]
async fn who_does_not_answer_is_not_waited_for() {
    let server = serve(|_, _| Vec::new());
    let error = texts(server, "a.example").await.unwrap_err();
    assert_eq!(error, format!("{server}: timed out"));
}

/// `example.com` with the server `localhost`; `_acme-challenge.www` leads to another name, which
/// has a record.
fn zone(request: &Message) -> Message {
    let query = &request.queries[0];
    let asked = query.name().to_ascii();
    let alias = || RData::CNAME(CNAME(name("proof.example.com").unwrap()));
    match (&*asked, query.query_type()) {
        ("_acme-challenge.www.example.com.", RecordType::CNAME) => {
            answer(request, &[("_acme-challenge.www.example.com", alias())])
        }
        ("proof.example.com.", RecordType::TXT) => answer(
            request,
            &[("proof.example.com", text("one")), ("proof.example.com", text("two"))],
        ),
        ("example.com.", RecordType::NS) => {
            answer(request, &[("example.com", RData::NS(NS(name("localhost").unwrap())))])
        }
        ("example.com.", RecordType::SOA) => {
            answer(request, &[("example.com", soa("example.com"))])
        }
        ("refused.test.", _) => {
            let mut refused = answer(request, &[]);
            refused.metadata.response_code = ResponseCode::Refused;
            refused
        }
        // RFC 2308: there is none, said by whoever knows the zone.
        _ => {
            let mut nothing = answer(request, &[]);
            nothing.add_authority(record("example.com", soa("example.com")));
            nothing
        }
    }
}

#[tokio::test]
async fn a_name_is_followed_to_its_zone_and_the_servers_of_that() {
    let server = serve(|request, _| vec![zone(request)]);
    let www = name("_acme-challenge.www.example.com").unwrap();
    assert_eq!(canonical(&[server], &www).await.to_ascii(), "proof.example.com.");
    let direct = name("a.example.com").unwrap();
    assert_eq!(canonical(&[server], &direct).await, direct);
    let zone = zone_at(server, &www, Recursion::None).await.unwrap();
    assert_eq!(zone.to_ascii(), "example.com.");
    let refused: Name = name("refused.test").unwrap();
    let error = zone_at(server, &refused, Recursion::None).await.unwrap_err();
    assert_eq!(error, format!("{server} knows no zone of `refused.test.` (Query Refused)"));
    let found = servers(&[server], &www, server.port()).await.unwrap();
    assert!(found.contains(&server), "{found:?}");
}

#[tokio::test]
async fn c10_4_a_record_is_looked_for_at_the_servers_of_its_zone() {
    let server = serve(|request, _| vec![zone(request)]);
    let www = name("_acme-challenge.www.example.com").unwrap();
    // `localhost` may be ::1 too, where nobody answers.
    let has_ipv4_only = servers(&[server], &www, server.port()).await.unwrap() == [server];
    if has_ipv4_only {
        look_at_zone(&[server], &www, "two", server.port()).await.unwrap();
    }
    let options = |value: u64| DnsOptions {
        propagation_timeout: Duration::from_secs(value),
        resolvers: vec![server],
        ..DnsOptions::default()
    };
    let record = |value: &str| vec![("proof.example.com".to_owned(), value.to_owned())];
    wait(&options(5), &record("one")).await.unwrap();
    let error = wait(&options(1), &record("three")).await.unwrap_err();
    let expected = format!("is not seen within 1 s: not at {server} (No Error) (`acme.dns`");
    assert!(error.contains(&expected), "{error}");
    // Nobody looks where that is not wanted.
    wait(&options(0), &record("three")).await.unwrap();
}
