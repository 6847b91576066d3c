//! `--static`: a folder of files beside the application, and which folder is not one.

use std::path::Path;

/// `/static=./static`: the path below which a folder answers.
///
/// # Errors
/// What was expected.
pub(super) fn read(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((prefix, folder)) if prefix.starts_with('/') && !folder.is_empty() => {
            Ok((prefix.to_owned(), folder.to_owned()))
        }
        _ => Err("expected a path and a folder such as `/static=./static`".into()),
    }
}

/// Refuses a folder with the code of the application in it, which is not for everybody.
///
/// # Errors
/// Which one it is, as a sentence.
pub(super) fn refuse_code(
    folders: &[(String, String)],
    base: &Path,
    app_dir: &Path,
) -> Result<(), String> {
    // What is not there has another fault, which is told when it is opened.
    let real = |folder: &Path| folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let app_dir = real(app_dir);
    for (prefix, folder) in folders {
        if app_dir.starts_with(real(&base.join(folder))) {
            return Err(format!(
                "--static {prefix}={folder}: expected a folder without the application, which is \
                 imported from {}: its code would be sent to everybody",
                app_dir.display()
            ));
        }
    }
    Ok(())
}
