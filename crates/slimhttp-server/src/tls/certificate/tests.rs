//! What stands in the certificates that are made, read back by another library.

use super::*;

fn read<T>(made: &GeneratedCertificate, look: impl FnOnce(&X509Certificate<'_>) -> T) -> T {
    let der = CertificateDer::from_pem_slice(made.certificate.as_bytes()).expect("PEM");
    let (rest, certificate) = X509Certificate::from_der(&der).expect("a certificate");
    assert!(rest.is_empty());
    look(&certificate)
}

fn spec(name: &str) -> CertificateSpec {
    CertificateSpec { name: name.into(), lifetime: 3600, ..CertificateSpec::default() }
}

#[test]
fn a_name_that_is_a_host_or_an_address_is_an_alternative_name() {
    for (name, expected) in [
        ("a.example", "DNSName(a.example)"),
        ("*.a.example", "DNSName(*.a.example)"),
        ("bücher.example", "DNSName(xn--bcher-kva.example)"),
        ("127.0.0.1", "IPAddress(7f:00:00:01)"),
        ("Ada Lovelace", ""),
        ("", ""),
    ] {
        let made = generate(&spec(name)).expect("a certificate");
        let found = read(&made, |certificate| {
            let names = certificate.subject_alternative_name().expect("at most one extension");
            names.map_or_else(String::new, |names| {
                names.value.general_names.iter().map(ToString::to_string).collect()
            })
        });
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn further_names_must_be_hosts() {
    for (name, fits) in [("b.example", true), ("::1", true), ("b c", false), ("b:80", false)] {
        let made = generate(&CertificateSpec { others: vec![name.into()], ..spec("a.example") });
        assert_eq!(made.is_ok(), fits, "{name}");
    }
}

#[test]
fn it_is_valid_for_as_long_as_it_is_wanted() {
    let made = generate(&spec("a.example")).expect("a certificate");
    let seconds = read(&made, |certificate| {
        let end = certificate.validity().not_after.to_datetime();
        (end - OffsetDateTime::now_utc()).whole_seconds()
    });
    assert!((3500..=3600).contains(&seconds), "{seconds}");
}

#[test]
fn only_an_authority_signs_without_a_warning() {
    for (signer, warned) in [(Signer::ItselfAsAuthority, false), (Signer::Itself, true)] {
        let ca = generate(&CertificateSpec { signer, key: KeyType::P384, ..spec("Our CA") })
            .expect("a signer");
        let signer = Signer::Authority { key: ca.key.clone(), certificate: ca.certificate.clone() };
        let made =
            generate(&CertificateSpec { signer, ..spec("a.example") }).expect("a certificate");
        assert_eq!(made.warning.is_some(), warned);
        let issuer = read(&made, |certificate| certificate.issuer().to_string());
        assert_eq!(issuer, read(&ca, |ca| ca.subject().to_string()));
        let der = CertificateDer::from_pem_slice(ca.certificate.as_bytes()).expect("PEM");
        let (_, ca) = X509Certificate::from_der(&der).expect("a certificate");
        read(&made, |certificate| {
            certificate.verify_signature(Some(ca.public_key())).expect("the signature fits");
        });
    }
}

#[test]
fn a_signer_that_is_none_is_refused() {
    let one = generate(&spec("one")).expect("a certificate");
    let two = generate(&spec("two")).expect("a certificate");
    for (key, certificate, says) in [
        (&one.key, &two.certificate, "ca: expected a certificate and its own key"),
        (&one.certificate, &one.certificate, "ca: no private key"),
        (&one.key, &one.key, "ca: no certificate"),
    ] {
        let signer = Signer::Authority { key: key.clone(), certificate: certificate.clone() };
        let refused = generate(&CertificateSpec { signer, ..spec("three") }).expect_err("refused");
        assert!(refused.to_string().starts_with(says), "{refused}");
    }
}
