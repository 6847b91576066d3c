//! What `app` is told to serve: a name as Python imports it, or the file of a module. Of a file the
//! folder from which it is imported is found: the one above the packages that it lies in.

use std::path::Path;

/// Where an application is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// As the option `app` has it.
    pub(crate) reference: String,
    /// The folder from which a file is imported, as the user would write it; `None` where no file
    /// was named.
    pub(crate) folder: Option<String>,
}

impl Target {
    /// Reads what was written; a file is looked for below `base`.
    ///
    /// # Errors
    /// Why there is no such file, or why it cannot be imported, as a sentence.
    pub(crate) fn locate(written: &str, factory: bool, base: &Path) -> Result<Self, String> {
        let (place, name) = match written.rsplit_once(':') {
            Some((place, name)) if !name.contains('/') => (place, Some(name)),
            _ => (written, None),
        };
        let is_file =
            place.contains('/') || Path::new(place).extension().is_some_and(|it| it == "py");
        let (module, folder) = match is_file {
            true => module_of(place, base)?,
            false => (place.to_owned(), None),
        };
        let reference = match (name, factory) {
            (None, false) => module,
            (None, true) => format!("{module}:create_app()"),
            (Some(name), true) if !name.ends_with(')') => format!("{module}:{name}()"),
            (Some(name), _) => format!("{module}:{name}"),
        };
        Ok(Self { reference, folder })
    }
}

/// The name by which the file or package at `path` is imported, and from which folder.
fn module_of(path: &str, base: &Path) -> Result<(String, Option<String>), String> {
    let file = base.join(path);
    let is_package = file.is_dir() && file.join("__init__.py").is_file();
    if !is_package && !file.is_file() {
        return Err(match file.is_dir() {
            true => format!("expected the file of an application, found the folder {path}"),
            false => format!("expected the file of an application, there is no {path}"),
        });
    }
    let mut names = Vec::new();
    // As it was written: a folder that the user knows by a link keeps its name.
    let mut rest = Path::new(path);
    loop {
        let name = rest.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        if name != "__init__" {
            if !is_identifier(name) {
                return Err(format!("expected a name that Python imports, found {path}"));
            }
            names.push(name.to_owned());
        }
        rest = rest.parent().unwrap_or(Path::new(""));
        let is_below_package = base.join(rest).join("__init__.py").is_file();
        if !is_below_package || rest.file_name().is_none() {
            break;
        }
    }
    names.reverse();
    let folder = match rest.to_str() {
        Some("" | ".") => ".".to_owned(),
        Some(folder) => folder.to_owned(),
        None => return Err(format!("expected a path in UTF-8, found {path}")),
    };
    Ok((names.join("."), Some(folder)))
}

fn is_identifier(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|first| first == '_' || first.is_alphabetic())
        && characters.all(|c| c == '_' || c.is_alphanumeric())
}

#[cfg(test)]
mod tests;
