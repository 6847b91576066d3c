//! Headers as text and as bytes, whole, cut anywhere, and what is none; and that nothing behind one
//! is taken off the socket.

use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::*;

/// `client > local`, or `own`; behind it, how many bytes the header has.
fn told(header: &ProxyHeader) -> String {
    match header.proxied {
        None => format!("own {}", header.length),
        Some(Proxied { client, local }) => format!("{client} > {local} {}", header.length),
    }
}

/// What bytes begin with: a header, `more` where it is to come, or the fault.
fn parsed(bytes: &[u8]) -> String {
    match parse(bytes) {
        Ok(Some(header)) => told(&header),
        Ok(None) => "more".to_owned(),
        Err(HeaderFault::Malformed(_)) => "malformed".to_owned(),
        Err(fault) => format!("{fault:?}").to_lowercase(),
    }
}

/// A header of version 2: the version and the command, the family and the protocol, the rest.
fn version2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).expect("it is short").to_be_bytes();
    [SIGNATURE, &[command, family], &length, rest].concat()
}

const V4: [u8; 12] = [192, 0, 2, 1, 198, 51, 100, 2, 0x9c, 0x40, 0x01, 0xbb];

fn v6() -> Vec<u8> {
    let address = |last| [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];
    [&address(1)[..], &address(2), &[0x9c, 0x40, 0x01, 0xbb]].concat()
}

#[test]
fn c10_6_lines_of_version_1() {
    let longest =
        "PROXY UNKNOWN ffff:f...f:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535";
    let longest = format!("{longest:0<105}\r\n");
    for (line, expected) in [
        (
            "PROXY TCP4 192.0.2.1 198.51.100.2 40000 443\r\n",
            "192.0.2.1:40000 > 198.51.100.2:443 45",
        ),
        (
            "PROXY TCP4 192.0.2.1 198.51.100.2 40000 443\r\nGET / ",
            "192.0.2.1:40000 > 198.51.100.2:443 45",
        ),
        ("PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n", "0.0.0.0:0 > 255.255.255.255:65535 44"),
        ("PROXY TCP6 2001:db8::1 ::1 1 2\r\n", "[2001:db8::1]:1 > [::1]:2 32"),
        ("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n", "[::ffff:192.0.2.1]:1 > [::1]:2 37"),
        ("PROXY UNKNOWN\r\n", "own 15"),
        ("PROXY UNKNOWN what ever it is that is said here, to the end\r\n", "own 61"),
        (&longest, "own 107"),
        // Not yet whole.
        ("", "more"),
        ("P", "more"),
        ("PROXY", "more"),
        ("PROXY ", "more"),
        ("PROXY TCP4 1.1.1.1 2.2.2.2 80 ", "more"),
        ("PROXY TCP4 1.1.1.1 2.2.2.2 80 8", "more"),
        ("PROXY TCP4 1.1.1.1 2.2.2.2 80 80\r", "more"),
        ("PROXY UNKNOWN\r", "more"),
        // None.
        ("GET / HTTP/1.1\r\n", "absent"),
        ("POST", "absent"),
        ("proxy TCP4 1.1.1.1 2.2.2.2 80 80\r\n", "absent"),
        ("PROXY\tTCP4 1.1.1.1 2.2.2.2 80 80\r\n", "absent"),
        ("\x16\x03\x01", "absent"),
        (" PROXY UNKNOWN\r\n", "absent"),
        // Malformed.
        ("PROXY \r\n", "malformed"),
        ("PROXY TCP4\r\n", "malformed"),
        ("PROXY tcp4 1.1.1.1 2.2.2.2 80 80\r\n", "malformed"),
        ("PROXY TCP5 1.1.1.1 2.2.2.2 80 80\r\n", "malformed"),
        ("PROXY UNKNOWNS\r\n", "malformed"),
        ("PROXY UNIX /a /b\r\n", "malformed"),
        ("PROXY TCP4 1.1.1.1 2.2.2.2 80 80\n", "malformed"),
        ("PROXY UNKNOWN\n", "malformed"),
        ("PROXY TCP4 1.1.1.1 2.2.2.2 80 80 \r\n", "malformed"),
        ("PROXY TCP4 1.1.1.1 2.2.2.2 80 80 80\r\n", "malformed"),
        ("PROXY TCP4  1.1.1.1 2.2.2.2 80 80\r\n", "malformed"),
        ("PROXY TCP4 1.1.1.1 2.2.2.2 80\r\n", "malformed"),
        ("PROXY TCP4 1.1.1.1 2.2.2.2 +80 80\r\n", "malformed"),
        ("PROXY TCP4 1.1.1.1 2.2.2.2 80 +80\r\n", "malformed"),
        ("PROXY TCP4 1.1.1.1 2.2.2.2 -80 80\r\n", "malformed"),
        ("PROXY TCP4 1.1.1.1 2.2.2.2 080 80\r\n", "malformed"),
        ("PROXY TCP4 1.1.1.1 2.2.2.2 80 65536\r\n", "malformed"),
        ("PROXY TCP4 1.1.1.1 2.2.2.2 0x50 80\r\n", "malformed"),
        ("PROXY TCP4 1.1.1.01 2.2.2.2 80 80\r\n", "malformed"),
        ("PROXY TCP4 1.1.1 2.2.2.2 80 80\r\n", "malformed"),
        ("PROXY TCP4 256.1.1.1 2.2.2.2 80 80\r\n", "malformed"),
        ("PROXY TCP4 ::1 ::1 80 80\r\n", "malformed"),
        ("PROXY TCP6 1.1.1.1 2.2.2.2 80 80\r\n", "malformed"),
        ("PROXY TCP6 [::1] ::1 80 80\r\n", "malformed"),
        ("PROXY TCP6 fe80::1%eth0 ::1 80 80\r\n", "malformed"),
        ("PROXY TCP4 1.1.1.1\r2.2.2.2 80 80\r\n", "malformed"),
        ("PROXY TCP4 1.1.1.1 2.2.2.2 80 80\r\r\n", "malformed"),
        ("PROXY TCP4 1.1.1.1 2.2.2.2 80 80\0\r\n", "malformed"),
        ("PROXY TCP4 a.example 2.2.2.2 80 80\r\n", "malformed"),
    ] {
        assert_eq!(parsed(line.as_bytes()), expected, "{line:?}");
    }
    assert_eq!(parsed(b"PROXY TCP4 1.1.1.1 2.2.2.2 80 \xff0\r\n"), "malformed");
}

#[test]
fn c10_6_a_line_is_bounded() {
    for (length, expected) in [(106, "more"), (107, "toolong"), (108, "toolong"), (5000, "toolong")]
    {
        let line = format!("{:x<length$}", "PROXY UNKNOWN ");
        assert_eq!(parsed(line.as_bytes()), expected, "{length}");
    }
    let late = format!("{:x<107}\r\n", "PROXY UNKNOWN ");
    assert_eq!(parsed(late.as_bytes()), "toolong");
}

#[test]
fn c10_6_headers_of_version_2() {
    let unix = [b'/'; 216];
    // An ALPN of `h2`, then nothing of three bytes (section 2.2.1).
    let tlvs = [1, 0, 2, b'h', b'2', 4, 0, 3, 0, 0, 0];
    let with_tlvs = [&V4[..], &tlvs].concat();
    let broken_tlvs = [&V4[..], &[1, 0xff, 0xff]].concat();
    let wrong_checksum = [&V4[..], &[3, 0, 4, 1, 2, 3, 4]].concat();
    let most = [&V4[..], &[0; LONGEST - FIXED - 12]].concat();
    let v6 = v6();
    let told4 = "192.0.2.1:40000 > 198.51.100.2:443";
    for (command, family, rest, expected) in [
        (0x21, 0x11, &V4[..], format!("{told4} 28")),
        (0x21, 0x11, &with_tlvs, format!("{told4} 39")),
        (0x21, 0x11, &broken_tlvs, format!("{told4} 31")),
        (0x21, 0x11, &wrong_checksum, format!("{told4} 35")),
        (0x21, 0x11, &most, format!("{told4} 536")),
        (0x21, 0x21, &v6, "[2001:db8::1]:40000 > [2001:db8::2]:443 52".into()),
        // The proxy speaks for itself, whatever else stands there.
        (0x20, 0x00, &[], "own 16".into()),
        (0x20, 0x11, &V4, "own 28".into()),
        (0x20, 0x11, &[], "own 16".into()),
        (0x20, 0xff, &[1, 2, 3], "own 19".into()),
        // Its client has come by something else than TCP.
        (0x21, 0x00, &[], "own 16".into()),
        (0x21, 0x00, &[1, 2, 3], "own 19".into()),
        (0x21, 0x12, &V4, "own 28".into()),
        (0x21, 0x31, &unix, "own 232".into()),
        // None.
        (0x21, 0x11, &V4[..11], "malformed".into()),
        (0x21, 0x21, &v6[..35], "malformed".into()),
        (0x21, 0x31, &unix[..215], "malformed".into()),
        (0x21, 0x41, &V4, "malformed".into()),
        (0x21, 0x13, &V4, "malformed".into()),
        (0x22, 0x11, &V4, "malformed".into()),
        (0x11, 0x11, &V4, "malformed".into()),
        (0x31, 0x11, &V4, "malformed".into()),
        (0x21, 0x11, &[0; LONGEST - FIXED + 1], "toolong".into()),
        (0x20, 0x00, &[0; 60_000], "toolong".into()),
    ] {
        let header = version2(command, family, rest);
        assert_eq!(parsed(&header), expected, "{command:x} {family:x} {}", rest.len());
        let followed = [&header[..], b"GET / HTTP/1.1\r\n"].concat();
        assert_eq!(parsed(&followed), expected, "{command:x} {family:x} {}", rest.len());
    }
}

#[test]
fn c10_6_a_header_may_be_cut_anywhere() {
    for header in [
        b"PROXY TCP4 192.0.2.1 198.51.100.2 40000 443\r\n".to_vec(),
        b"PROXY TCP6 2001:db8::1 ::1 1 2\r\n".to_vec(),
        b"PROXY UNKNOWN and more\r\n".to_vec(),
        version2(0x21, 0x11, &[&V4[..], &[4, 0, 1, 0]].concat()),
        version2(0x21, 0x21, &v6()),
        version2(0x20, 0, &[]),
    ] {
        for cut in 0..header.len() {
            assert_eq!(parsed(&header[..cut]), "more", "{cut} of {header:?}");
        }
        assert!(parsed(&header).ends_with(&header.len().to_string()), "{header:?}");
    }
}

/// The naive reading of version 1: what the specification says, word by word.
fn by_the_letter(line: &str) -> Option<String> {
    let bare = line.strip_suffix("\r\n")?;
    let [protocol, client, local, client_port, local_port] =
        bare.strip_prefix("PROXY ")?.split(' ').collect::<Vec<_>>().try_into().ok()?;
    let port = |text: &str| {
        let number: u16 = text.parse().ok()?;
        (number.to_string() == text).then_some(number)
    };
    let address = |text: &str| match protocol {
        "TCP4" => text.parse::<std::net::Ipv4Addr>().ok().map(std::net::IpAddr::from),
        "TCP6" => text.parse::<std::net::Ipv6Addr>().ok().map(std::net::IpAddr::from),
        _ => None,
    };
    let client = SocketAddr::new(address(client)?, port(client_port)?);
    let local = SocketAddr::new(address(local)?, port(local_port)?);
    Some(format!("{client} > {local} {}", line.len()))
}

/// Every byte of a good line in every other value, and without it: read as by the letter, or not.
#[test]
fn c10_6_a_line_is_read_by_the_letter() {
    let mut read = 0;
    for line in
        ["PROXY TCP4 1.22.3.4 5.6.7.89 80 443\r\n", "PROXY TCP6 2001:db8::1 ::f 1 65535\r\n"]
    {
        for at in 0..line.len() {
            let (before, behind) = (&line[..at], &line[at + 1..]);
            let others = (1..=0x7f_u8).map(|byte| format!("{before}{}{behind}", char::from(byte)));
            for changed in others.chain([format!("{before}{behind}")]) {
                let found = parsed(changed.as_bytes());
                match by_the_letter(&changed) {
                    Some(expected) => {
                        read += 1;
                        assert_eq!(found, expected, "{changed:?}");
                    }
                    None => {
                        let is_none = ["malformed", "absent", "more"].contains(&&*found);
                        assert!(is_none, "{changed:?} is read as {found}");
                    }
                }
            }
        }
    }
    assert!(read > 100, "{read}");
}

/// A client that is connected, and our end.
async fn connected() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let client = TcpStream::connect(listener.local_addr().expect("is bound"));
    let (client, accepted) = tokio::join!(client, listener.accept());
    let (client, (socket, _)) = (client.expect("is there"), accepted.expect("is there"));
    client.set_nodelay(true).expect("a socket");
    (client, socket)
}

async fn rest_of(mut socket: TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    socket.read_to_end(&mut rest).await.expect("it is read");
    rest
}

#[tokio::test]
async fn c10_6_nothing_behind_the_header_is_read() {
    for header in [b"PROXY TCP4 1.1.1.1 2.2.2.2 80 80\r\n".to_vec(), version2(0x21, 0x11, &V4)] {
        for pieces in [1, 2, 7, header.len()] {
            let (mut client, mut socket) = connected().await;
            let whole = [&header[..], b"\r\nGET / HTTP/1.1\r\n\r\n"].concat();
            let size = whole.len().div_ceil(pieces);
            let (header, rest) = (header.clone(), whole[header.len()..].to_vec());
            let sending = async move {
                for piece in whole.chunks(size) {
                    client.write_all(piece).await.expect("it is taken");
                    tokio::task::yield_now().await;
                }
            };
            let reading = async {
                let read = read(&mut socket).await.expect("a socket").expect("a header");
                assert_eq!(read.expect("a header").length, header.len());
                rest_of(socket).await
            };
            let ((), found) = tokio::join!(sending, reading);
            assert_eq!(found, rest);
        }
    }
}

#[tokio::test]
async fn c10_6_a_client_that_leaves_is_not_waited_for() {
    for (sent, expected) in [(&b""[..], None), (b"PROXY TCP4 1.1", Some(HeaderFault::Incomplete))] {
        let (mut client, mut socket) = connected().await;
        client.write_all(sent).await.expect("it is taken");
        drop(client);
        let read = read(&mut socket).await.expect("a socket");
        assert_eq!(read.map(|header| header.expect_err("none")), expected);
    }
}

#[tokio::test]
async fn c10_6_what_is_no_header_stays_unread() {
    let (mut client, mut socket) = connected().await;
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.expect("it is taken");
    drop(client);
    let read = read(&mut socket).await.expect("a socket").expect("something");
    assert_eq!(read, Err(HeaderFault::Absent));
    assert_eq!(rest_of(socket).await, b"GET / HTTP/1.1\r\n\r\n");
}
