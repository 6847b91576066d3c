//! Certificates that are made, asked for, and read.

use rcgen::{CertificateSigningRequestParams, Issuer, PublicKeyData, date_time_ymd};

use super::*;

/// A chain of one for these names, by an authority, with its key.
pub(crate) fn made(names: &[&str], key: &str) -> String {
    let pair = KeyPair::from_pem(key).unwrap();
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2026, 4, 1);
    params.serial_number = Some(rcgen::SerialNumber::from_slice(&[0x87, 0x65, 0x43, 0x21]));
    params.use_authority_key_identifier_extension = true;
    let mut authority = CertificateParams::new([]).unwrap();
    let mut name = DistinguishedName::new();
    name.push(rcgen::DnType::OrganizationName, "Our\nAuthority");
    name.push(rcgen::DnType::CommonName, "R1");
    authority.distinguished_name = name;
    authority.key_identifier_method = rcgen::KeyIdMethod::PreSpecified(vec![
        0x69, 0x88, 0x5b, 0x6b, 0x87, 0x46, 0x40, 0x41, 0xe1, 0xb3, 0x7b, 0x84, 0x7b, 0xa0, 0xae,
        0x2c, 0xde, 0x01, 0xc8, 0xd4,
    ]);
    let issuer = Issuer::new(authority, KeyPair::generate().unwrap());
    params.signed_by(&pair, &issuer).unwrap().pem()
}

#[test]
fn a_certificate_says_what_it_is() {
    let key = generate_key(KeyType::P256);
    let names = ["a.example", "*.b.example", "127.0.0.1", "::1"];
    let chain = made(&names, &key);
    let certificate = Certificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap();
    let expected = Names::new(names.map(|name| Identifier::parse(name).unwrap())).unwrap();
    assert_eq!(certificate.names, expected);
    assert_eq!(clock::text(certificate.not_before), "2026-01-01T00:00:00Z");
    assert_eq!(clock::text(certificate.not_after), "2026-04-01T00:00:00Z");
    assert_eq!(certificate.issuer, "Our Authority R1");
    // The example of RFC 9773 section 4.1.
    assert_eq!(certificate.serial, "0087654321");
    assert_eq!(certificate.id.as_deref(), Some("aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"));
    assert!(!format!("{certificate:?}").contains("PRIVATE"), "{certificate:?}");
}

#[test]
fn what_is_no_certificate_with_its_key_is_refused() {
    let (key, other) = (generate_key(KeyType::P256), generate_key(KeyType::P256));
    let chain = made(&["a.example"], &key);
    let many = chain.repeat(11);
    for (chain, key, expected) in [
        (&*chain, &*other, "keys may not be consistent: KeyMismatch"),
        (&chain, "no key", "no key: no items found"),
        ("", &key, "a chain of 0 certificates"),
        (&many, &key, "a chain of 11 certificates"),
        (
            "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
            &key,
            "a certificate that is not understood",
        ),
    ] {
        let error = Certificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap_err();
        assert_eq!(error, expected);
    }
}

#[test]
fn a_request_is_for_all_names_with_its_key() {
    let names = Names::new(["*.a.example", "127.0.0.1"].map(|it| Identifier::parse(it).unwrap()));
    let names = names.unwrap();
    for kind in [KeyType::P256, KeyType::P384, KeyType::Rsa2048] {
        let key = generate_key(kind);
        let der = request(key.as_bytes(), &names).unwrap();
        let read = CertificateSigningRequestParams::from_der(&der.into()).unwrap();
        let found: Vec<_> =
            read.params.subject_alt_names.iter().map(|it| format!("{it:?}")).collect();
        assert_eq!(found, ["DnsName(Ia5String(\"*.a.example\"))", "IpAddress(127.0.0.1)"]);
        assert_eq!(read.params.distinguished_name, DistinguishedName::new());
        let pair = KeyPair::from_pem(&key).unwrap();
        assert_eq!(read.public_key.der_bytes(), pair.der_bytes());
    }
    assert!(request(b"no key", &names).is_err());
}
