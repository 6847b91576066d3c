//! Answers to challenges, for processes beside this one that the authority may reach instead.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use slimhttp_site::acme::ChallengeType;

use super::file;
use crate::failure::Failure;
use crate::token::{is_server_name, is_token};

/// After which time an answer is one that a kill has left behind.
const LONGEST_KEPT: Duration = Duration::from_secs(86_400);
/// The longest answer: a token and a thumbprint.
const LONGEST: usize = 256;

/// An answer on disk, until this is dropped.
#[derive(Debug)]
pub(crate) struct PresentedFile(PathBuf);

impl PresentedFile {
    /// Writes the answer to a challenge: to http-01 by its token, to tls-alpn-01 by the name that
    /// the authority asks for.
    pub(crate) fn write(
        storage: &Path,
        kind: ChallengeType,
        name: &str,
        answer: &str,
    ) -> Result<Self, Failure> {
        let Some(path) = path(storage, kind, name) else {
            return Err(Failure::Unexpected("a challenge that cannot be answered".to_owned()));
        };
        prepare(storage)?;
        file::write(&path, answer.as_bytes(), 0o644)?;
        Ok(Self(path))
    }
}

impl Drop for PresentedFile {
    fn drop(&mut self) {
        // Where it cannot be taken away, `prepare` will.
        let _ = file::remove(&self.0);
    }
}

/// The answer that some process has written.
pub(crate) fn stored(storage: &Path, kind: ChallengeType, name: &str) -> Option<String> {
    let content = file::read(&path(storage, kind, name)?).ok()??;
    let text = String::from_utf8(content).ok()?;
    let is_answer = text.len() <= LONGEST && text.bytes().all(|byte| byte.is_ascii_graphic());
    is_answer.then_some(text)
}

/// Makes the folders, and takes away what was left behind.
pub(super) fn prepare(storage: &Path) -> Result<(), Failure> {
    let all = storage.join("challenges");
    file::make_folder(&all, 0o755)?;
    for kind in [ChallengeType::Http01, ChallengeType::TlsAlpn01] {
        let folder = all.join(kind.name());
        file::make_folder(&folder, 0o755)?;
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let modified = entry.metadata().and_then(|metadata| metadata.modified());
            let age = modified.ok().and_then(|time| SystemTime::now().duration_since(time).ok());
            if age.is_some_and(|age| age > LONGEST_KEPT) {
                file::remove(&entry.path())?;
            }
        }
    }
    Ok(())
}

/// `None`: nothing can have that name.
fn path(storage: &Path, kind: ChallengeType, name: &str) -> Option<PathBuf> {
    let is_name = match kind {
        ChallengeType::Http01 => is_token(name),
        ChallengeType::TlsAlpn01 => is_server_name(name),
        ChallengeType::Dns01 => false,
    };
    is_name.then(|| storage.join("challenges").join(kind.name()).join(name))
}
