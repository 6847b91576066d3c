//! What is presented where files are there, where none is, and where they change.

use std::fs;

use tempfile::TempDir;

use super::*;
use crate::tls::certificate::{CertificateSpec, GeneratedCertificate, generate};

/// A folder with room for a certificate and its key.
struct Files {
    _folder: TempDir,
    names: Named,
}

impl Files {
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let names = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        Self { _folder: folder, names }
    }

    /// Puts both in place as a renewal does: each moved over the one before.
    fn put(&self, certificate: &str, key: &str) {
        for (path, text) in [(&self.names.0, certificate), (&self.names.1, key)] {
            let new = path.with_extension("new");
            fs::write(&new, text).expect("written");
            fs::rename(&new, path).expect("moved");
        }
    }

    fn open(&self) -> Result<Arc<Presented>, Vec<CertificateFault>> {
        Presented::open(Some(&self.names))
    }
}

fn pair(name: &str) -> GeneratedCertificate {
    let spec = CertificateSpec { name: name.into(), lifetime: 3600, ..CertificateSpec::default() };
    generate(&spec).expect("a certificate")
}

#[test]
fn where_there_are_no_files_a_certificate_is_made_and_why_is_said() {
    let files = Files::new();
    let name = files.names.0.display().to_string();
    for (named, why) in [(None, "no certificate is configured"), (Some(&files.names), &*name)] {
        let presented = Presented::open(named).expect("a certificate is made");
        let said = presented.self_signed.as_deref().expect("it is self-signed");
        assert!(said.starts_with(why), "{said}");
        assert_eq!(presented.config.alpn_protocols, [&b"h2"[..], b"http/1.1"]);
        assert!(!presented.is_outdated(named));
    }
}

/// What stands in the two files, and the part and the finding of each fault.
#[test]
fn every_fault_of_the_files_is_found() {
    let (one, other) = (pair("one.example"), pair("other.example"));
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let no_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (chain, key, faults) in [
        (&*one.certificate, &*one.key, &[][..]),
        (&one.certificate, &other.key, &["Key: `{key}`, the key of another one"]),
        (&one.certificate, encrypted, &["Key: `{key}`, which is encrypted"]),
        (&one.certificate, &one.certificate, &["Key: `{key}`, which has none"]),
        (
            no_certificate,
            &one.key,
            &["Certificate: `{cert}`, which is none that can be understood"],
        ),
        (&one.key, "", &["Certificate: `{cert}`, which has none", "Key: `{key}`, which has none"]),
        ("\x30\x00", &one.key, &["Certificate: `{cert}`, which has none"]),
    ] {
        let files = Files::new();
        files.put(chain, key);
        let found = match files.open() {
            Ok(presented) => {
                assert_eq!(presented.self_signed, None);
                Vec::new()
            }
            Err(faults) => faults,
        };
        let found: Vec<_> =
            found.iter().map(|fault| format!("{:?}: {}", fault.part, fault.found)).collect();
        let named = |text: &&str| {
            let text = text.replace("{cert}", files.names.0.to_str().expect("text"));
            text.replace("{key}", files.names.1.to_str().expect("text"))
        };
        assert_eq!(found, faults.iter().map(named).collect::<Vec<_>>(), "{chain}");
    }
}

#[test]
fn one_file_of_the_two_is_not_enough() {
    let one = pair("one.example");
    let files = Files::new();
    fs::write(&files.names.0, &one.certificate).expect("written");
    let faults = files.open().expect_err("there is no key");
    assert_eq!(faults.iter().map(|fault| fault.part).collect::<Vec<_>>(), [PairPart::Key]);
}

#[test]
fn both_may_stand_in_one_file() {
    let one = pair("one.example");
    let files = Files::new();
    let path = files.names.0.clone();
    fs::write(&path, &one.certificate).expect("written");
    let faults = Presented::open(Some(&(path.clone(), path.clone()))).expect_err("no key");
    assert_eq!(faults[0].hint.as_deref(), Some("name the file of the key by `key`"));
    fs::write(&path, one.certificate + &one.key).expect("written");
    Presented::open(Some(&(path.clone(), path))).expect("both are there");
}

#[test]
fn a_renewal_is_presented_and_one_that_went_wrong_is_not() {
    let (one, other) = (pair("one.example"), pair("other.example"));
    let files = Files::new();
    let named = Some(&files.names);
    let made = files.open().expect("a certificate is made");
    assert!(Arc::ptr_eq(&made, &made.renewed(named)), "nothing has changed");

    files.put(&one.certificate, &one.key);
    assert!(made.is_outdated(named));
    let first = made.renewed(named);
    assert_eq!(first.self_signed, None, "the files are there by now");
    assert!(!Arc::ptr_eq(&made.config, &first.config));
    assert!(Arc::ptr_eq(&first, &first.renewed(named)), "nothing has changed");

    files.put(&other.certificate, &other.key);
    let second = first.renewed(named);
    assert!(!Arc::ptr_eq(&first.config, &second.config));

    // The key of another one: the service goes on with what was read before, and
    // the files are not read again until they change again.
    files.put(&one.certificate, &other.key);
    let kept = second.renewed(named);
    assert!(Arc::ptr_eq(&second.config, &kept.config));
    assert!(!kept.is_outdated(named));
    fs::remove_file(&files.names.0).expect("removed");
    fs::remove_file(&files.names.1).expect("removed");
    let gone = kept.renewed(named);
    assert!(Arc::ptr_eq(&second.config, &gone.config));
    assert!(!gone.is_outdated(named));

    files.put(&one.certificate, &one.key);
    let third = gone.renewed(named);
    assert!(!Arc::ptr_eq(&second.config, &third.config));
    assert!(!third.is_outdated(named));
}
