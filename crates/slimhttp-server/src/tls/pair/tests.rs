//! What is read where files are there, where none are, and where they change.

use std::fs;

use tempfile::TempDir;

use super::*;
use crate::tls::certificate::{CertificateSpec, GeneratedCertificate, generate};
use crate::tls::fault::PairPart;

/// A folder with room for a certificate and its key.
struct Folder {
    _folder: TempDir,
    files: CertificateFiles,
}

impl Folder {
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let path = |name| folder.path().join(name).into();
        let files = CertificateFiles { certificate: path("cert.pem"), key: path("key.pem") };
        Self { _folder: folder, files }
    }

    /// Puts both in place as a renewal does: each moved over the one before.
    fn put(&self, certificate: &str, key: &str) {
        for (path, text) in [(&self.files.certificate, certificate), (&self.files.key, key)] {
            let new = path.with_extension("new");
            fs::write(&new, text).expect("written");
            fs::rename(&new, path).expect("moved");
        }
    }
}

fn made(name: &str) -> GeneratedCertificate {
    let spec = CertificateSpec { name: name.into(), lifetime: 3600, ..CertificateSpec::default() };
    generate(&spec).expect("a certificate")
}

/// For whom the certificate is that is presented.
fn names(pair: &Pair) -> Vec<String> {
    pair.read.as_ref().map(|read| read.facts.names.clone()).unwrap_or_default()
}

/// What stands in the two files, and the part and the finding of each fault.
#[test]
fn every_fault_of_the_files_is_found() {
    let (one, other) = (made("one.example"), made("other.example"));
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
        let folder = Folder::new();
        folder.put(chain, key);
        let found = match Pair::open(&folder.files) {
            Ok(pair) => {
                assert_eq!(names(&pair), ["one.example"]);
                Vec::new()
            }
            Err(faults) => faults,
        };
        let found: Vec<_> = found
            .into_iter()
            .map(|fault| (fault.part, fault.told().found.unwrap_or_default()))
            .map(|(part, found)| format!("{part:?}: {found}"))
            .collect();
        let named = |text: &&str| {
            let text = text.replace("{cert}", folder.files.certificate.to_str().expect("text"));
            text.replace("{key}", folder.files.key.to_str().expect("text"))
        };
        assert_eq!(found, faults.iter().map(named).collect::<Vec<_>>(), "{chain}");
    }
}

#[test]
fn one_file_of_the_two_is_not_enough() {
    let one = made("one.example");
    let folder = Folder::new();
    fs::write(&folder.files.certificate, &one.certificate).expect("written");
    let faults = Pair::open(&folder.files).expect_err("there is no key");
    assert_eq!(faults.iter().map(|fault| fault.part).collect::<Vec<_>>(), [PairPart::Key]);
    // Where nobody has named them, they are waited for.
    let usual = Pair::open_usual(&folder.files).expect("nothing is wrong");
    assert!(usual.read.is_none());
    fs::write(&folder.files.key, &one.key).expect("written");
    assert!(usual.is_outdated());
    assert_eq!(names(&usual.renewed()), ["one.example"]);
}

#[test]
fn both_may_stand_in_one_file() {
    let one = made("one.example");
    let folder = Folder::new();
    let path = folder.files.certificate.clone();
    let both = CertificateFiles { certificate: path.clone(), key: path.clone() };
    fs::write(&path, &one.certificate).expect("written");
    let faults = Pair::open(&both).expect_err("no key");
    let hint = faults.into_iter().next().and_then(|fault| fault.told().hint);
    assert_eq!(hint.as_deref(), Some("name the file of the key by `key`"));
    fs::write(&path, one.certificate + &one.key).expect("written");
    Pair::open(&both).expect("both are there");
}

#[test]
fn c10_2_a_renewal_is_read_and_one_that_went_wrong_is_not() {
    let (one, other) = (made("one.example"), made("other.example"));
    let folder = Folder::new();
    folder.put(&one.certificate, &one.key);
    let first = Pair::open(&folder.files).expect("a pair");
    assert!(!first.is_outdated());

    folder.put(&other.certificate, &other.key);
    assert!(first.is_outdated());
    let second = first.renewed();
    assert_eq!(names(&second), ["other.example"]);
    assert!(!second.is_outdated());

    // The key of another one: the service goes on with what was read before, and the files are not
    // read again until they change again.
    folder.put(&one.certificate, &other.key);
    let kept = second.renewed();
    assert_eq!(names(&kept), ["other.example"]);
    assert!(kept.fault.as_ref().is_some_and(|fault| fault.contains("the key of another one")));
    assert!(!kept.is_outdated());

    fs::remove_file(&folder.files.certificate).expect("removed");
    fs::remove_file(&folder.files.key).expect("removed");
    assert!(kept.is_outdated());
    let gone = kept.renewed();
    assert_eq!((names(&gone), gone.fault.as_deref()), (names(&kept), Some("the files are gone")));
    assert!(!gone.is_outdated());

    folder.put(&one.certificate, &one.key);
    let third = gone.renewed();
    assert_eq!((names(&third), third.fault.as_deref()), (vec!["one.example".to_owned()], None));
    assert!(!third.is_outdated());
}

#[test]
fn the_usual_files_that_are_gone_leave_what_was_read() {
    let one = made("one.example");
    let folder = Folder::new();
    folder.put(&one.certificate, &one.key);
    let pair = Pair::open_usual(&folder.files).expect("a pair");
    fs::remove_file(&folder.files.certificate).expect("removed");
    fs::remove_file(&folder.files.key).expect("removed");
    assert_eq!(names(&pair.renewed()), ["one.example"]);
}
