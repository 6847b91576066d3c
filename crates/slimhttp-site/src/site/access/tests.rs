//! Who is within a set of networks, and how many connections a client may have.

use super::{Networks, PerClient, client, network};

fn networks(written: &[&str]) -> Networks {
    Networks::parse(written.iter().copied()).expect("addresses and networks")
}

#[test]
fn c9_who_is_within() {
    let check = |written: &[&str], address: &str, within: bool| {
        let address = address.parse().expect("an address");
        assert_eq!(networks(written).contain(address), within, "{address} in {written:?}");
    };
    check(&[], "127.0.0.1", false);
    check(&["127.0.0.1"], "127.0.0.1", true);
    check(&["127.0.0.1"], "127.0.0.2", false);
    check(&["127.0.0.1"], "::ffff:127.0.0.1", true);
    check(&["::ffff:127.0.0.1"], "127.0.0.1", true);
    check(&["::ffff:10.0.0.0/104"], "10.200.0.1", true);
    check(&["::ffff:10.0.0.0/104"], "11.0.0.1", false);
    check(&["127.0.0.1"], "::1", false);
    check(&["::1"], "::1", true);
    check(&["::1"], "127.0.0.1", false);
    check(&["10.0.0.0/8"], "10.255.255.255", true);
    check(&["10.0.0.0/8"], "11.0.0.0", false);
    check(&["10.1.2.3/8"], "10.9.9.9", true);
    check(&[" 10.0.0.0/8 "], "10.0.0.0", true);
    check(&["0.0.0.0/0"], "203.0.113.9", true);
    check(&["0.0.0.0/0"], "::1", false);
    check(&["::/0"], "2001:db8::1", true);
    check(&["fd00::/8"], "fdff::1", true);
    check(&["fd00::/8"], "fe00::1", false);
    // One network within another, and neighbours.
    check(&["10.0.0.0/8", "10.5.0.0/16"], "10.6.0.1", true);
    check(&["10.5.0.0/16", "10.0.0.0/8"], "10.6.0.1", true);
    check(&["10.0.0.0/9", "10.128.0.0/9", "12.0.0.1"], "10.200.0.1", true);
    check(&["12.0.0.1", "10.0.0.0/8"], "11.0.0.1", false);
    check(&["12.0.0.1", "10.0.0.0/8"], "12.0.0.1", true);
}

#[test]
fn c9_many_addresses_are_told_from_their_neighbours() {
    let even: Vec<String> =
        (0..=255).flat_map(|b| [0, 2, 4].map(|c| format!("10.{b}.{c}.0/24"))).collect();
    let networks = Networks::parse(even.iter().map(String::as_str)).expect("networks");
    for b in 0..=255 {
        for c in 0..8 {
            let address = std::net::Ipv4Addr::new(10, b, c, 77).into();
            assert_eq!(networks.contain(address), [0, 2, 4].contains(&c), "{address}");
        }
    }
}

#[test]
fn c9_what_is_no_network_is_told_by_its_place() {
    for (written, wrong) in [
        (&["localhost"][..], 0),
        (&["10.0.0.1", "10.0.0"], 1),
        (&["10.0.0.0/33"], 0),
        (&["::1", "::1/129", "x"], 1),
        (&[""], 0),
    ] {
        assert_eq!(Networks::parse(written.iter().copied()), Err(wrong), "{written:?}");
    }
}

#[test]
fn how_many_connections_a_client_may_have() {
    let trusted = ["10.0.0.1", "::ffff:10.1.0.0/112", "2001:db8:1::/48"];
    let trusted: Vec<_> = trusted.iter().map(|text| network(text).expect("a network")).collect();
    let check = |given, max_connections, address: &str, most| {
        let address = address.parse().expect("an address");
        let bound = PerClient::new(given, max_connections);
        assert_eq!(bound.of(address, &trusted), most, "{given:?} of {max_connections}, {address}");
    };
    check(None, 10_000, "203.0.113.9", Some(1000));
    check(None, 10_000, "::ffff:203.0.113.9", Some(1000));
    check(None, 100, "203.0.113.9", Some(50));
    check(Some(7), 10_000, "203.0.113.9", Some(7));
    // A proxy on this machine has everybody's, unless a number is given.
    check(None, 10_000, "127.0.0.2", None);
    check(None, 10_000, "::ffff:127.0.0.1", None);
    check(None, 10_000, "::1", None);
    check(Some(7), 10_000, "127.0.0.1", Some(7));
    check(Some(7), 10_000, "::1", Some(7));
    // So has one elsewhere that is trusted.
    check(Some(7), 10_000, "10.0.0.1", None);
    check(Some(7), 10_000, "::ffff:10.0.0.1", None);
    check(Some(7), 10_000, "10.0.0.2", Some(7));
    check(Some(7), 10_000, "10.1.0.9", None);
    check(Some(7), 10_000, "2001:db8:1::9", None);
    check(Some(7), 10_000, "2001:db8:2::9", Some(7));
}

#[test]
fn who_counts_as_one_client() {
    for (one, other, same) in [
        ("203.0.113.9", "203.0.113.9", true),
        ("203.0.113.9", "203.0.113.8", false),
        ("203.0.113.9", "::ffff:203.0.113.9", true),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::1", true),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", false),
        ("::1", "127.0.0.1", false),
    ] {
        let read = |text: &str| client(text.parse().expect("an address"));
        assert_eq!(read(one) == read(other), same, "{one} and {other}");
    }
}
