//! What is answered, by whom, and until when.

use std::os::unix::fs::PermissionsExt;

use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::*;

const TOKEN: &str = "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0";
const ANSWER: &str =
    "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI";

/// The digest in a certificate that answers a challenge, and its names.
fn digest_in(der: &CertificateDer<'_>) -> (Vec<u8>, Vec<String>) {
    let (_, certificate) = X509Certificate::from_der(der).unwrap();
    // RFC 8737 section 3: id-pe-acmeIdentifier, critical, an OCTET STRING of 32 bytes.
    let extension =
        certificate.iter_extensions().find(|it| it.oid.to_id_string() == "1.3.6.1.5.5.7.1.31");
    let extension = extension.unwrap();
    assert!(extension.critical);
    let digest = extension.value.strip_prefix(&[4, 32]).unwrap().to_vec();
    let names = certificate.subject_alternative_name().unwrap().unwrap();
    (digest, names.value.general_names.iter().map(ToString::to_string).collect())
}

#[test]
fn c10_4_http_01_is_answered_while_it_is_presented() {
    let storage = tempfile::tempdir().unwrap();
    let challenges = Challenges::new(storage.path());
    let beside = Challenges::new(storage.path());
    assert!(challenges.is_idle() && challenges.http01(TOKEN).is_none());
    let presented = challenges.present_http01(TOKEN, ANSWER).unwrap();
    assert_eq!(challenges.http01(TOKEN).as_deref(), Some(ANSWER));
    // Of another process.
    assert!(beside.is_idle() && beside.http01(TOKEN).is_none());
    assert_eq!(beside.stored_http01(TOKEN).as_deref(), Some(ANSWER));
    for token in ["", "other", "../http-01", "..", "a/b"] {
        assert_eq!(challenges.http01(token), None);
        assert_eq!(beside.stored_http01(token), None);
    }
    // A server that runs as somebody else may answer.
    let file = storage.path().join("challenges/http-01").join(TOKEN);
    for (path, mode) in [(&*file, 0o644), (file.parent().unwrap(), 0o755)] {
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, mode, "{path:?}");
    }
    drop(presented);
    assert!(challenges.is_idle() && challenges.http01(TOKEN).is_none());
    assert_eq!(beside.stored_http01(TOKEN), None);
    assert!(challenges.present_http01("../key", ANSWER).is_err());
}

#[test]
fn c10_4_tls_alpn_01_is_answered_by_a_certificate() {
    let storage = tempfile::tempdir().unwrap();
    let challenges = Challenges::new(storage.path());
    let beside = Challenges::new(storage.path());
    let digest = digest::digest(&digest::SHA256, ANSWER.as_bytes()).as_ref().to_vec();
    for (name, asked, san) in [
        ("a.example", "A.example", "DNSName(a.example)"),
        ("127.0.0.1", "1.0.0.127.in-addr.arpa", "IPAddress(7f:00:00:01)"),
        (
            "2001:db8::1",
            "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
            "IPAddress(20:01:0d:b8:00:00:00:00:00:00:00:00:00:00:00:01)",
        ),
    ] {
        let identifier = Identifier::parse(name).unwrap();
        let presented = challenges.present_tls_alpn01(&identifier, ANSWER).unwrap();
        let own = challenges.tls_alpn01(asked).unwrap();
        let others = beside.stored_tls_alpn01(asked).unwrap();
        for certificate in [own, others] {
            assert_eq!(digest_in(&certificate.cert[0]), (digest.clone(), vec![san.to_owned()]));
        }
        drop(presented);
        assert!(challenges.is_idle() && challenges.tls_alpn01(asked).is_none());
        assert!(beside.stored_tls_alpn01(asked).is_none());
    }
}

#[test]
fn a_name_that_is_asked_for_is_read_as_it_was_written() {
    for name in ["a.example", "127.0.0.1", "255.0.255.1", "::1", "2001:db8::ff:1"] {
        let identifier = Identifier::parse(name).unwrap();
        assert_eq!(of_server_name(&server_name(&identifier)), Some(identifier));
    }
    for name in ["", "..", "256.0.0.127.in-addr.arpa", "0.127.in-addr.arpa", "1.ip6.arpa"] {
        assert_eq!(of_server_name(name), None, "{name}");
    }
}

use aws_lc_rs::digest;
