//! For whom a certificate is, and what is read of one.

use rustls::pki_types::pem::PemObject;

use super::*;
use crate::tls::certificate::{CertificateSpec, KeyType, generate};
use crate::tls::testing::certified_key;

fn facts(spec: &CertificateSpec) -> CertificateFacts {
    let made = generate(spec).expect("a certificate");
    let der = CertificateDer::from_pem_slice(made.certificate.as_bytes()).expect("PEM");
    CertificateFacts::of(&der).expect("it can be understood")
}

fn spec(names: &[&str]) -> CertificateSpec {
    CertificateSpec {
        name: names[0].into(),
        others: names[1..].iter().map(|name| (*name).to_owned()).collect(),
        lifetime: 3600,
        ..CertificateSpec::default()
    }
}

#[test]
fn which_hosts_a_certificate_is_for() {
    let facts = facts(&spec(&["a.example", "*.b.example", "192.0.2.1", "2001:db8::1"]));
    for (host, is_for) in [
        ("a.example", true),
        ("www.a.example", false),
        ("example", false),
        ("x.b.example", true),
        ("b.example", false),
        ("x.x.b.example", false),
        ("*.b.example", true),
        ("192.0.2.1", true),
        ("192.0.2.2", false),
        ("2001:db8::1", true),
        ("2001:db8::2", false),
        ("", false),
    ] {
        assert_eq!(facts.cover(host), is_for, "{host}");
    }
}

#[test]
fn a_common_name_alone_is_for_no_host() {
    let mut spec = spec(&["a.example"]);
    spec.signer = crate::tls::certificate::Signer::ItselfAsAuthority;
    assert!(!facts(&spec).cover("a.example"), "an authority has no alternative names");
}

#[test]
fn what_is_read_of_one() {
    let facts = facts(&CertificateSpec { organization: "Us, Inc.".into(), ..spec(&["a.example"]) });
    assert_eq!(facts.names, ["a.example"]);
    assert_eq!(facts.issuer, r"CN=a.example,O=Us\, Inc.");
    assert_eq!(facts.key, "ECDSA on the curve P-256");
    let lifetime = (facts.not_after - facts.not_before).whole_minutes();
    assert_eq!(lifetime, 120, "an hour before now, and an hour after");
    assert!(!facts.serial.is_empty() && facts.serial.len().is_multiple_of(2));
}

#[test]
fn the_kinds_of_keys_are_named_and_preferred_in_their_order() {
    for (key, name, place) in [
        (KeyType::P256, "ECDSA on the curve P-256", 0),
        (KeyType::P384, "ECDSA on the curve P-384", 0),
        (KeyType::P521, "ECDSA on the curve P-521", 0),
        (KeyType::Rsa2048, "RSA with 2048 bits", 2),
    ] {
        let made = generate(&CertificateSpec { key, ..spec(&["a.example"]) }).expect("one");
        let read = crate::tls::key_pair::of_key(&certified_key(&made)).expect("a certificate");
        assert_eq!(read.facts.key, name);
        assert_eq!(preference(&read.key), place, "{name}");
    }
}
