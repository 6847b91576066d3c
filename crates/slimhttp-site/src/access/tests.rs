//! Who is within a set of networks.

use super::Networks;

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
