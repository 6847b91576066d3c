//! Which names are never sent to any client. By names alone; `lookup` and listings ask it.

use slimhttp_site::coding::Coding;
use slimhttp_site::path::SafePath;

/// Whether this is code in a form that is never sent, whoever runs scripts: as
/// Python keeps it compiled, for wherever a script imports what stands beside it
/// Python leaves such files; or the source of a script in a coding, as tools that
/// compress all files of a folder leave it beside the script. Any case of ASCII,
/// as for [`SafePath::extension_is`].
pub(super) fn is_never_sent(path: &SafePath) -> bool {
    let is_cache = |name: &[u8]| name.eq_ignore_ascii_case(b"__pycache__");
    let (bytes, bare) = (path.as_bytes(), without_codings(path.as_bytes()));
    let is_code = |extensions: &[&[u8]]| {
        extensions.iter().any(|extension| ends_with_ignoring_case(bare, extension))
    };
    is_code(&[b".pyc", b".pyo"])
        || bare.len() < bytes.len() && is_code(&[b".py"])
        || bytes.split(|&byte| byte == b'/').any(is_cache)
}

/// A path without the extensions of codings: `app.py` of `app.py.gz`.
fn without_codings(mut path: &[u8]) -> &[u8] {
    let of_coding = |path: &[u8]| {
        Coding::ALL.iter().find_map(|coding| {
            let bare = path.len().checked_sub(coding.extension().len() + 1)?;
            let is_dotted = path[bare] == b'.';
            let same = path[bare + 1..].eq_ignore_ascii_case(coding.extension().as_bytes());
            (is_dotted && same).then_some(bare)
        })
    };
    while let Some(bare) = of_coding(path) {
        path = &path[..bare];
    }
    path
}

fn ends_with_ignoring_case(path: &[u8], end: &[u8]) -> bool {
    path.len().checked_sub(end.len()).is_some_and(|at| path[at..].eq_ignore_ascii_case(end))
}

#[cfg(test)]
mod tests;
