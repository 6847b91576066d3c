//! A server of the DNS for every name: this machine. Records of challenges are those that a test
//! gives, that a program writes into a file, or that come by signed updates (RFC 2136, RFC 8945).

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use hickory_proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::rdata::tsig::TsigAlgorithm;
use hickory_proto::rr::rdata::{A, SOA, TXT};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType, TSigResponseContext, TSigner};
use parking_lot::Mutex;

pub(crate) const KEY_NAME: &str = "acme-update.";
pub(crate) const KEY: &[u8] = b"a key that both know, of 32 byte";
const ZONE: &str = "example.com.";

/// Texts by name, which ends with a dot.
type Texts = Arc<Mutex<BTreeSet<(String, String)>>>;

pub(crate) struct Dns {
    pub(crate) address: SocketAddr,
    /// What there is.
    pub(crate) texts: Texts,
    /// Every text that there was at some time.
    pub(crate) seen: Texts,
    /// A file of lines `NAME VALUE`, which are there too.
    pub(crate) file: Arc<Mutex<Option<PathBuf>>>,
    stopped: Arc<AtomicBool>,
}

#[derive(Clone)]
struct Server {
    texts: Texts,
    seen: Texts,
    file: Arc<Mutex<Option<PathBuf>>>,
}

impl Dns {
    pub(crate) fn start() -> Self {
        let (udp, tcp) = bind();
        let address = udp.local_addr().unwrap();
        let server =
            Server { texts: Texts::default(), seen: Texts::default(), file: Arc::default() };
        let stopped = Arc::new(AtomicBool::new(false));
        let (over_udp, is_stopped) = (server.clone(), Arc::clone(&stopped));
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while !is_stopped.load(Ordering::Relaxed) {
                let Ok((length, from)) = udp.recv_from(&mut bytes) else { continue };
                if let Some(answer) = over_udp.answer(&bytes[..length]) {
                    let _ = udp.send_to(&answer, from);
                }
            }
        });
        let (over_tcp, is_stopped) = (server.clone(), Arc::clone(&stopped));
        std::thread::spawn(move || {
            for stream in tcp.incoming().flatten() {
                if is_stopped.load(Ordering::Relaxed) {
                    return;
                }
                over_tcp.serve(stream);
            }
        });
        let Server { texts, seen, file } = server;
        Self { address, texts, seen, file, stopped }
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
        let _ =
            UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.send_to(&[0], self.address));
    }
}

/// One port for both.
fn bind() -> (UdpSocket, TcpListener) {
    for _ in 0..100 {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()) {
            return (udp, tcp);
        }
    }
    panic!("no port is free for both");
}

impl Server {
    fn serve(&self, mut stream: TcpStream) {
        let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
        let mut length = [0; 2];
        while stream.read_exact(&mut length).is_ok() {
            let mut bytes = vec![0; usize::from(u16::from_be_bytes(length))];
            if stream.read_exact(&mut bytes).is_err() {
                return;
            }
            let Some(answer) = self.answer(&bytes) else { return };
            let length = u16::try_from(answer.len()).unwrap().to_be_bytes();
            if stream.write_all(&[&length[..], &answer].concat()).is_err() {
                return;
            }
        }
    }

    fn answer(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let request = Message::from_vec(bytes).ok()?;
        match request.metadata.op_code {
            OpCode::Update => self.update(bytes, &request),
            _ => self.query(&request),
        }
    }

    fn query(&self, request: &Message) -> Option<Vec<u8>> {
        let query = request.queries.first()?;
        let mut answer = Message::response(request.metadata.id, OpCode::Query);
        answer.metadata.authoritative = true;
        answer.add_query(query.clone());
        let name = query.name().clone();
        let texts = self.texts(&name);
        let mut add = |data| {
            answer.add_answer(Record::from_rdata(name.clone(), 1, data));
        };
        match query.query_type() {
            RecordType::A => add(RData::A(A(Ipv4Addr::LOCALHOST))),
            RecordType::TXT => {
                texts.into_iter().for_each(|text| add(RData::TXT(TXT::new(vec![text]))));
            }
            _ => {}
        }
        if answer.answers.is_empty() {
            let zone = Name::from_ascii(ZONE).unwrap();
            let soa = SOA::new(zone.clone(), zone.clone(), 1, 1, 1, 1, 1);
            answer.add_authority(Record::from_rdata(zone, 1, RData::SOA(soa)));
        }
        answer.to_vec().ok()
    }

    fn texts(&self, name: &Name) -> Vec<String> {
        let name = name.to_ascii().to_ascii_lowercase();
        let mut texts: Vec<String> = self
            .texts
            .lock()
            .iter()
            .filter(|(of, _)| *of == name)
            .map(|(_, text)| text.clone())
            .collect();
        if let Some(path) = &*self.file.lock() {
            let lines = std::fs::read_to_string(path).unwrap_or_default();
            let of_name = lines.lines().filter_map(|line| line.split_once(' '));
            let of_name = of_name.filter(|(of, _)| format!("{of}.") == name);
            texts.extend(of_name.map(|(_, text)| text.to_owned()));
        }
        texts
    }

    fn update(&self, bytes: &[u8], request: &Message) -> Option<Vec<u8>> {
        let name = Name::from_ascii(KEY_NAME).unwrap();
        let signer = TSigner::new(KEY.to_vec(), TsigAlgorithm::HmacSha256, name, 300).unwrap();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let id = request.metadata.id;
        let mut answer = Message::new(id, MessageType::Response, OpCode::Update);
        let verified = signer.verify_message_byte(bytes, None, true);
        let zone = request.queries.first().map(|zone| zone.name().to_ascii());
        let context = match verified {
            Ok((mac, ..)) if zone.as_deref() == Some(ZONE) => {
                for record in &request.authorities {
                    self.apply(record);
                }
                TSigResponseContext::new(id, now, signer, mac, None)
            }
            Ok((mac, ..)) => {
                answer.metadata.response_code = ResponseCode::NotZone;
                TSigResponseContext::new(id, now, signer, mac, None)
            }
            Err(_) => {
                answer.metadata.response_code = ResponseCode::NotAuth;
                TSigResponseContext::bad_signature(id, now, signer)
            }
        };
        let signature = context.sign(&answer.to_vec().ok()?).ok()?;
        answer.set_signature(signature);
        answer.to_vec().ok()
    }

    fn apply(&self, record: &Record) {
        let RData::TXT(text) = &record.data else { return };
        let text = String::from_utf8(text.txt_data.concat()).unwrap();
        let entry = (record.name.to_ascii().to_ascii_lowercase(), text);
        if record.dns_class == DNSClass::NONE {
            self.texts.lock().remove(&entry);
        } else {
            self.seen.lock().insert(entry.clone());
            self.texts.lock().insert(entry);
        }
    }
}
