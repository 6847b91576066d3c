//! Issue: by each challenge, of each kind.

use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::Ordering;

use slimhttp_acme::{CertificateState, stored_certificates};
use slimhttp_site::acme::{AcmeOptions, ChallengeType, KeyType};

use crate::is_skipped;
use crate::support::site::{World, names};

#[test]
fn c10_4_http_01_obtains_a_certificate() {
    if is_skipped() {
        return;
    }
    let world = World::new();
    let site = world.site();
    site.acme.want([names("a.example.com b.example.com")]);
    let certificate = site.certificate("a.example.com b.example.com");
    assert!(certificate.issuer.contains("Pebble"), "{}", certificate.issuer);
    assert_eq!(world.responder.asked[1].load(Ordering::Relaxed), 0);
    assert!(site.acme.challenges().is_idle());
    let state = world.front.state.lock();
    assert_eq!((state.accounts, state.orders.len()), (1, 1));
    drop(state);
    world.front.assert_no_violations();

    // What is on disk is whole, and nobody else's.
    let folder = "a.example.com+1_";
    let certificates = world.authority().join("certificates");
    let found = std::fs::read_dir(&certificates).unwrap().next().unwrap().unwrap().path();
    assert!(found.file_name().unwrap().to_str().unwrap().starts_with(folder), "{found:?}");
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    for name in ["cert.pem", "key.pem", "meta.json"] {
        assert_eq!(mode(&found.join(name)), 0o600, "{name}");
    }
    let account = world.authority().join("account");
    for name in ["key.pem", "account.json"] {
        assert_eq!(mode(&account.join(name)), 0o600, "{name}");
    }
    for path in [&found, &certificates, &account, &world.authority()] {
        assert_eq!(mode(path), 0o700, "{path:?}");
    }
    assert_eq!(mode(&world.folder.path().join("acme")), 0o711);

    let status = site.status("a.example.com b.example.com");
    assert_eq!((status.state, status.attempts), (CertificateState::Valid, 0));
    assert_eq!(status.serial.as_deref(), Some(&*certificate.serial));
    let stored = stored_certificates(&world.options()).unwrap();
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].status, status);
    assert_eq!(stored[0].certificate.as_ref().unwrap().serial, certificate.serial);
    // Another authority has others, in the same storage.
    let elsewhere = AcmeOptions { directory: "https://ca.example/dir".into(), ..world.options() };
    assert!(stored_certificates(&elsewhere).unwrap().is_empty());
}

#[test]
fn c10_4_tls_alpn_01_obtains_a_certificate() {
    if is_skipped() {
        return;
    }
    let world = World::new();
    let challenges = vec![ChallengeType::TlsAlpn01];
    let site = world.site_with(AcmeOptions { challenges, ..world.options() });
    site.acme.want([names("a.example.com")]);
    site.certificate("a.example.com");
    assert_eq!(world.responder.asked[0].load(Ordering::Relaxed), 0);
    world.front.assert_no_violations();
}

#[test]
fn c10_4_keys_of_every_kind() {
    if is_skipped() {
        return;
    }
    let world = World::new();
    for (kind, name) in [
        (KeyType::P256, "p256.example.com"),
        (KeyType::P384, "p384.example.com"),
        (KeyType::Rsa2048, "rsa2048.example.com"),
        (KeyType::Rsa4096, "rsa4096.example.com"),
    ] {
        let site = world.site_with(AcmeOptions { key_type: kind, ..world.options() });
        site.acme.want([names(name)]);
        let certificate = site.certificate(name);
        let algorithm = certificate.certified_key.key.algorithm();
        let expected = match kind {
            KeyType::P256 | KeyType::P384 => rustls::SignatureAlgorithm::ECDSA,
            KeyType::Rsa2048 | KeyType::Rsa4096 => rustls::SignatureAlgorithm::RSA,
        };
        assert_eq!(algorithm, expected, "{name}");
    }
    // One account for all.
    assert_eq!(world.front.state.lock().accounts, 1);
}

#[test]
fn c10_4_a_certificate_for_an_address() {
    if is_skipped() {
        return;
    }
    for challenge in [ChallengeType::Http01, ChallengeType::TlsAlpn01] {
        let world = World::new();
        let challenges = vec![ChallengeType::Dns01, challenge];
        let site = world.site_with(AcmeOptions { challenges, ..world.options() });
        site.acme.want([names("127.0.0.1")]);
        site.certificate("127.0.0.1");
        assert!(world.file("ip_127.0.0.1", "cert.pem").is_file());
    }
}

#[test]
fn c10_4_many_certificates_are_obtained_side_by_side() {
    if is_skipped() {
        return;
    }
    let world = World::with(|wishes| {
        // What an authority does to those who rely on luck.
        wishes.refused_nonces = 60;
        wishes.reused_proofs = 50;
        wishes.at_once = false;
    });
    let site = world.site();
    let wanted: Vec<_> = (0..8).map(|number| format!("a{number}.example.com")).collect();
    // One of them has a name in common with another.
    let both = "a0.example.com b.example.com";
    site.acme.want(wanted.iter().map(|name| names(name)).chain([names(both)]));
    for name in &wanted {
        site.certificate(name);
    }
    site.certificate(both);
    let state = world.front.state.lock();
    assert_eq!((state.accounts, state.orders.len()), (1, 9));
    drop(state);
    world.front.assert_no_violations();
}

#[test]
fn c10_4_what_is_on_disk_is_installed_at_once_and_nothing_is_asked() {
    if is_skipped() {
        return;
    }
    let world = World::new();
    let site = world.site();
    site.acme.want([names("a.example.com"), names("a.example.com b.example.com")]);
    let first = site.certificate("a.example.com");
    site.certificate("a.example.com b.example.com");
    drop(site);
    let requests = world.front.state.lock().requests.clone();

    let site = world.site();
    site.acme.want([names("a.example.com")]);
    // Before `want` has returned, and this one alone.
    let now = site.installed.latest(&names("a.example.com")).unwrap();
    assert_eq!(now.serial, first.serial);
    assert_eq!(site.acme.status().len(), 1);
    drop(site);
    assert_eq!(world.front.state.lock().requests, requests);
}

#[test]
fn c10_4_a_name_that_comes_to_a_site_leaves_the_others_as_they_are() {
    if is_skipped() {
        return;
    }
    let world = World::new();
    let site = world.site();
    let (one, two) = ("a.example.com", "a.example.com b.example.com");
    site.acme.want([names(one)]);
    let first = site.certificate(one);
    world.wrong.lock()[0] = true;
    world.wrong.lock()[1] = true;
    site.acme.want([names(two)]);
    // The one that there is, while the one for both is not.
    let now = site.installed.latest(&names(two)).unwrap();
    assert_eq!(now.serial, first.serial);
    *world.wrong.lock() = [false, false];
    site.certificate(two);
    assert_eq!(site.acme.status().len(), 1);
}
