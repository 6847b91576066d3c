//! What is read of a client's certificate.

use rustls::pki_types::pem::PemObject;

use super::*;
use crate::tls::certificate::{CertificateSpec, Signer, generate};

#[test]
fn a_chain_is_read_and_written_again() {
    let authority = generate(&CertificateSpec {
        name: "Our CA".into(),
        lifetime: 3600,
        signer: Signer::ItselfAsAuthority,
        ..CertificateSpec::default()
    });
    let authority = authority.expect("an authority");
    let made = generate(&CertificateSpec {
        name: "ada".into(),
        others: vec!["ada.example".into(), "::1".into()],
        organization: "Us".into(),
        lifetime: 3600,
        signer: Signer::Authority {
            key: authority.key.clone(),
            certificate: authority.certificate.clone(),
        },
        ..CertificateSpec::default()
    });
    let pems = [made.expect("a certificate").certificate, authority.certificate];
    let chain = pems.iter().map(|pem| CertificateDer::from_pem_slice(pem.as_bytes()).expect("PEM"));
    let chain: Vec<_> = chain.collect();
    let read = ClientCertificate::of(&chain).expect("it can be understood");
    assert_eq!((&*read.subject, &*read.issuer), ("CN=ada,O=Us", "CN=Our CA"));
    assert_eq!(read.version, 3);
    assert_eq!(
        read.names,
        [
            AlternativeName::Dns("ada".into()),
            AlternativeName::Dns("ada.example".into()),
            AlternativeName::Address("::1".parse().expect("an address")),
        ]
    );
    assert!(read.not_before < read.not_after);
    assert_eq!(read.fingerprint.len(), 64);
    let unix = |pem: &String| pem.replace('\r', "");
    assert_eq!(read.chain_pem(), pems.iter().map(unix).collect::<Vec<_>>());
    assert_eq!(read.pem(), read.chain_pem()[0]);
    assert!(ClientCertificate::of(&[]).is_none());
}

#[test]
fn times_are_printed_as_openssl_does() {
    for (seconds, expected) in [
        (0, "Jan  1 00:00:00 1970 GMT"),
        (1_796_000_000, "Nov 30 00:53:20 2026 GMT"),
        (1_775_606_400, "Apr  8 00:00:00 2026 GMT"),
    ] {
        let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        assert_eq!(openssl_time(time), expected);
    }
}
