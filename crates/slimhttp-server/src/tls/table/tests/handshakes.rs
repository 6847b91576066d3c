//! Handshakes in memory: what a client gets, what is asked of it, and what it resumes.

use std::time::SystemTime;

use rustls::client::ClientConfig;
use rustls::{HandshakeKind, ServerConnection, version};

use futures_util::FutureExt;
use rustls::sign::CertifiedKey;

use super::*;
use crate::tls::automatic::{ChallengeCertificates, challenge_config};
use crate::tls::certificate::{GeneratedCertificate, KeyType};
use crate::tls::provider::provider;
use crate::tls::testing::{certificate, certified_key, shake_hands};

/// A handshake of a client that asks for a name.
fn shake(
    live: &Live,
    client: &Arc<ClientConfig>,
    name: &str,
) -> Result<(Vec<u8>, ServerConnection), String> {
    let config = chosen(&live.current(), Some(name)).config();
    let (client, server) = shake_hands(client, name, config).map_err(|error| error.to_string())?;
    let own = client.peer_certificates().and_then(|chain| chain.first()).expect("a certificate");
    Ok((own.to_vec(), server))
}

fn der(made: &GeneratedCertificate) -> Vec<u8> {
    certificate(made).to_vec()
}

#[test]
fn c10_2_a_client_gets_the_kind_of_key_that_it_can_verify() {
    let issuer = Issuer::new();
    let rsa = issuer.sign(&["a.example"], KeyType::Rsa2048);
    let ecdsa = issuer.sign(&["a.example"], KeyType::P256);
    let p384 = issuer.sign(&["a.example"], KeyType::P384);
    let files = |all: &[(&str, &GeneratedCertificate)]| -> Vec<Json> {
        all.iter().map(|(file, made)| json!({"cert": issuer.put(file, made)})).collect()
    };
    let both = files(&[("rsa.pem", &rsa), ("ecdsa.pem", &ecdsa)]);
    let of_ecdsa = files(&[("p384.pem", &p384), ("ecdsa.pem", &ecdsa)]);
    let live = live(&json!({"vhosts": {
        "a.example": {"tls": both},
        "ecdsa.a.example": {"tls": of_ecdsa},
    }}));
    // In TLS 1.2 the cipher suites say what a client can verify.
    let client_of = |kinds: &[&str]| {
        let mut provider = (*provider()).clone();
        provider.cipher_suites.retain(|suite| {
            let name = suite.suite().as_str().unwrap_or_default();
            kinds.iter().any(|kind| name.contains(kind))
        });
        let config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&version::TLS12])
            .expect("it is spoken")
            .with_root_certificates(issuer.roots());
        Arc::new(config.with_no_client_auth())
    };
    for (kinds, expected) in
        [(&["_RSA_"][..], &rsa), (&["_ECDSA_"], &ecdsa), (&["_RSA_", "_ECDSA_"], &ecdsa)]
    {
        let (got, _) = shake(&live, &client_of(kinds), "a.example").expect("hands are shaken");
        assert_eq!(got, der(expected), "{kinds:?}");
    }
    for (name, expected) in [("a.example", &ecdsa), ("ecdsa.a.example", &p384)] {
        let client = Arc::new(issuer.client(None));
        let config = chosen(&live.current(), Some(name)).config();
        let (connection, _) = shake_hands(&client, "a.example", config).expect("hands are shaken");
        let got = connection.peer_certificates().expect("a certificate")[0].to_vec();
        assert_eq!(got, der(expected), "{name}");
    }
}

#[test]
fn c10_5_the_versions_are_those_of_the_host() {
    let issuer = Issuer::new();
    let pem = issuer.issue("all.pem", &["all.example", "old.example", "new.example"]);
    let live = live(&json!({
        "cert": pem,
        "vhosts": {
            "old.example": {"tls": {"versions": "1.2"}},
            "new.example": {"tls": {"versions": "1.3"}},
        },
    }));
    let only_12 = Arc::new(issuer.client_of(&[&version::TLS12], None));
    let only_13 = Arc::new(issuer.client_of(&[&version::TLS13], None));
    let both = Arc::new(issuer.client(None));
    for (client, name, expected) in [
        (&only_12, "all.example", Some(0x0303)),
        (&only_13, "all.example", Some(0x0304)),
        (&both, "all.example", Some(0x0304)),
        (&only_12, "old.example", Some(0x0303)),
        (&both, "old.example", Some(0x0303)),
        (&only_13, "old.example", None),
        (&only_12, "new.example", None),
        (&both, "new.example", Some(0x0304)),
    ] {
        let version = shake(&live, client, name).ok();
        let version = version.and_then(|(_, server)| server.protocol_version()).map(u16::from);
        assert_eq!(version, expected, "{name}");
    }
}

#[test]
fn c10_5_clients_say_who_they_are_where_that_is_demanded() {
    let issuer = Issuer::new();
    let names = ["free.example", "may.example", "must.example"];
    let ca = issuer.authority();
    let live = live(&json!({
        "cert": issuer.issue("all.pem", &names),
        "vhosts": {
            "may.example": {"tls": {"client_auth": {"ca": ca, "mode": "optional"}}},
            "must.example": {"tls": {"client_auth": ca}},
        },
    }));
    let ada = issuer.sign(&["ada"], KeyType::P256);
    let foreign = Issuer::new().sign(&["eve"], KeyType::P256);
    let clients = [None, Some(&ada), Some(&foreign)].map(|own| Arc::new(issuer.client(own)));
    // Without a certificate, with one, and with one that nobody here has signed; who is known then.
    for (name, expected) in [
        ("free.example", [Some(""), Some(""), Some("")]),
        ("may.example", [Some(""), Some("CN=ada"), None]),
        ("must.example", [None, Some("CN=ada"), None]),
    ] {
        for (client, expected) in clients.iter().zip(expected) {
            let entry = chosen(&live.current(), Some(name));
            let session = shake(&live, client, name).ok().map(|(_, server)| {
                TlsSession::of(&server, entry, 1, SystemTime::now()).expect("it can be served")
            });
            let subject = session.map(|session| {
                session.client_certificate.map(|own| own.subject).unwrap_or_default()
            });
            assert_eq!(subject.as_deref(), expected, "{name}");
        }
    }
}

fn kind(live: &Live, client: &Arc<ClientConfig>, name: &str) -> Option<HandshakeKind> {
    shake(live, client, name).ok().and_then(|(_, server)| server.handshake_kind())
}

#[test]
fn c10_5_a_ticket_resumes_over_changes_that_do_not_concern_it() {
    let issuer = Issuer::new();
    let mut config = json!({
        "cert": issuer.issue("one.pem", &["a.example"]),
        "vhosts": {"b.example": {}},
    });
    for versions in [&[&version::TLS12], &[&version::TLS13]] {
        let live = live(&config);
        let client = Arc::new(issuer.client_of(versions, None));
        assert_eq!(kind(&live, &client, "a.example"), Some(HandshakeKind::Full));
        assert_eq!(kind(&live, &client, "a.example"), Some(HandshakeKind::Resumed));
        // Another host, and a renewed certificate of its own.
        config["vhosts"]["c.example"] = json!({"tls": {"versions": "1.3"}});
        config["index"] = json!("other.html");
        change(&live, &config);
        assert_eq!(kind(&live, &client, "a.example"), Some(HandshakeKind::Resumed));
        issuer.issue("one.pem", &["a.example"]);
        live.renew_certificates();
        assert_eq!(kind(&live, &client, "a.example"), Some(HandshakeKind::Resumed));
    }
}

#[test]
fn c10_5_a_ticket_of_other_demands_resumes_nothing() {
    let issuer = Issuer::new();
    let ca = issuer.authority();
    let free = json!({"cert": issuer.issue("one.pem", &["a.example"])});
    let demands = |auth: Json| {
        let mut config = free.clone();
        config["vhosts"] = json!({"a.example": {"tls": {"client_auth": auth}}});
        config
    };
    let optional = demands(json!({"ca": ca, "mode": "optional"}));
    let other = {
        let path = issuer.write("other.pem", "");
        std::fs::copy(Issuer::new().authority(), &path).expect("copied");
        demands(json!({"ca": path, "mode": "optional"}))
    };
    for versions in [&[&version::TLS12], &[&version::TLS13]] {
        // Who came without a certificate.
        for (before, after, resumed) in [
            (&free, &optional, HandshakeKind::Full),
            (&optional, &free, HandshakeKind::Full),
            (&optional, &other, HandshakeKind::Full),
            (&optional, &optional, HandshakeKind::Resumed),
        ] {
            let client = Arc::new(issuer.client_of(versions, None));
            let live = live(before);
            assert_eq!(kind(&live, &client, "a.example"), Some(HandshakeKind::Full));
            change(&live, after);
            assert_eq!(kind(&live, &client, "a.example"), Some(resumed));
        }
        let client = Arc::new(issuer.client_of(versions, None));
        let live = live(&free);
        assert_eq!(kind(&live, &client, "a.example"), Some(HandshakeKind::Full));
        change(&live, &demands(json!(ca)));
        assert_eq!(kind(&live, &client, "a.example"), None, "it has to show a certificate");
    }
}

#[test]
fn c10_5_who_resumes_is_who_it_was() {
    let issuer = Issuer::new();
    let live = live(&json!({
        "cert": issuer.issue("one.pem", &["a.example"]),
        "tls": {"client_auth": issuer.authority()},
    }));
    let ada = issuer.sign(&["ada"], KeyType::P256);
    for versions in [&[&version::TLS12], &[&version::TLS13]] {
        let client = Arc::new(issuer.client_of(versions, Some(&ada)));
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let (_, server) = shake(&live, &client, "a.example").expect("hands are shaken");
            assert_eq!(server.handshake_kind(), Some(kind));
            let entry = chosen(&live.current(), Some("a.example"));
            let session =
                TlsSession::of(&server, entry, 1, SystemTime::now()).expect("it can be served");
            let own = session.client_certificate.expect("it is known");
            assert_eq!(own.subject, "CN=ada");
            // Who resumes is not asked for its certificate again, which may have ended.
            let later = SystemTime::now() + std::time::Duration::from_secs(2 * 3600);
            let entry = chosen(&live.current(), Some("a.example"));
            let session = TlsSession::of(&server, entry, 1, later);
            assert_eq!(session.is_err(), kind == HandshakeKind::Resumed);
        }
    }
}

#[test]
fn c10_5_key_exchange_is_ready_for_quantum_computers() {
    let issuer = Issuer::new();
    let live = live(&json!({"cert": issuer.issue("one.pem", &["a.example"])}));
    let client = Arc::new(issuer.client(None));
    let (_, server) = shake(&live, &client, "a.example").expect("hands are shaken");
    let group = server.negotiated_key_exchange_group().map(|group| group.name());
    assert_eq!(group, Some(rustls::NamedGroup::X25519MLKEM768));
}

#[test]
fn c10_2_while_nothing_was_obtained_the_configuration_says_what_clients_get() {
    let issuer = Issuer::new();
    let live = live(&json!({
        "tls": "auto",
        "vhosts": {
            "a.example": {"tls": {"cert": "auto"}},
            "b.example": {"tls": {"cert": "auto", "until_issued": "refuse"}},
        },
    }));
    let client = Arc::new(issuer.client(None));
    let said = |name| shake(&live, &client, name).expect_err("nobody trusts it");
    assert!(said("a.example").contains("invalid peer certificate"), "{}", said("a.example"));
    assert!(said("b.example").contains("no server certificate"), "{}", said("b.example"));

    let store = table(&live.current()).store.clone();
    let generation = live.generation();
    for name in ["a.example", "b.example", "c.example"] {
        let made = issuer.sign(&[name], KeyType::P256);
        let names: Arc<[Arc<str>]> = Arc::new([name.into()]);
        store.automatic.install(&names, &certified_key(&made)).expect("a certificate");
        let got = shake(&live, &client, name).expect("it is trusted").0;
        assert_eq!(got, der(&made), "{name}");
    }
    assert_eq!(live.generation(), generation, "no snapshot was made for it");
}

#[test]
fn c10_2_an_authority_is_shown_its_challenge_and_nobody_else() {
    let issuer = Issuer::new();
    let live = live(&json!({"cert": issuer.issue("one.pem", &["a.example"])}));
    let tls = by_itself(&live.current());
    let made = issuer.sign(&["a.example"], KeyType::P256);
    let key = certified_key(&made);
    tls.store.automatic.set_challenges(Arc::new(Challenge(key)));
    let shown = |name| tls.challenge(Some(name)).expect("somebody is asked").now_or_never();
    assert!(shown("b.example").expect("at once").is_none());
    assert!(tls.challenge(None).is_none());
    let config = challenge_config(shown("a.example").expect("at once").expect("it is there"));
    let mut client = issuer.client(None);
    client.alpn_protocols = vec![b"acme-tls/1".to_vec()];
    let (connection, server) =
        shake_hands(&Arc::new(client.clone()), "a.example", config.clone()).expect("shown");
    assert_eq!(server.alpn_protocol(), Some(&b"acme-tls/1"[..]));
    assert_eq!(connection.peer_certificates().expect("one")[0], certificate(&made));
    client.alpn_protocols = vec![b"h2".to_vec()];
    shake_hands(&Arc::new(client), "a.example", config).expect_err("it speaks nothing else");
}

/// Shows authorities a certificate for `a.example`.
struct Challenge(Arc<CertifiedKey>);

impl ChallengeCertificates for Challenge {
    fn certificate(&self, name: &str) -> ChallengeCertificate {
        let shown = (name == "a.example").then(|| self.0.clone());
        Box::pin(std::future::ready(shown))
    }
}
