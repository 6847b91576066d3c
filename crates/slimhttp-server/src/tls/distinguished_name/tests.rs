//! Names as RFC 4514 writes them.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::*;
use crate::tls::certificate::{CertificateSpec, generate};

fn named(spec: CertificateSpec) -> (String, Vec<(String, String)>) {
    let made = generate(&CertificateSpec { lifetime: 60, ..spec }).expect("a certificate");
    let der = CertificateDer::from_pem_slice(made.certificate.as_bytes()).expect("PEM");
    let (_, certificate) = X509Certificate::from_der(&der).expect("a certificate");
    (distinguished_name(certificate.subject()), attributes(certificate.subject()).collect())
}

#[test]
fn the_most_specific_part_comes_first() {
    let (text, attributes) = named(CertificateSpec {
        country: "SE".into(),
        state: "Skåne".into(),
        city: "Lund".into(),
        organization: "Us".into(),
        unit: "Web".into(),
        name: "shop.example".into(),
        email: "web@shop.example".into(),
        ..CertificateSpec::default()
    });
    assert_eq!(
        text,
        "emailAddress=web@shop.example,CN=shop.example,OU=Web,O=Us,L=Lund,ST=Skåne,C=SE"
    );
    let names: Vec<_> = attributes.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["C", "ST", "L", "O", "OU", "CN", "emailAddress"]);
    assert_eq!(attributes[5].1, "shop.example");
}

#[test]
fn what_would_be_read_otherwise_is_escaped() {
    for (name, expected) in [
        ("a", "CN=a"),
        ("a,b+c", r"CN=a\,b\+c"),
        ("a=b", "CN=a=b"),
        (r#"a"b\c;d<e>"#, r#"CN=a\"b\\c\;d\<e\>"#),
        ("#a#", r"CN=\#a#"),
        (" a b ", r"CN=\ a b\ "),
        (" ", r"CN=\ "),
        ("a\nb", r"CN=a\0Ab"),
    ] {
        let spec = CertificateSpec { name: name.into(), ..CertificateSpec::default() };
        assert_eq!(named(spec).0, expected, "{name:?}");
    }
    assert_eq!(named(CertificateSpec::default()).0, "");
}
