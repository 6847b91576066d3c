//! Names and files of applications.

use super::*;

fn locate(written: &str, factory: bool) -> Result<(String, Option<String>), String> {
    let folder = tempfile::tempdir().expect("a folder");
    for file in [
        "main.py",
        "shop/__init__.py",
        "shop/web/__init__.py",
        "shop/web/wsgi.py",
        "my-app.py",
        "src/app.py",
    ] {
        let path = folder.path().join(file);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, "").expect("a file");
    }
    Target::locate(written, factory, folder.path()).map(|found| (found.reference, found.folder))
}

#[test]
fn a_name_is_passed_on_and_a_file_is_named() {
    for (written, factory, reference, folder) in [
        ("pkg.mod:app", false, "pkg.mod:app", None),
        ("pkg.mod", false, "pkg.mod", None),
        ("pkg.mod:make", true, "pkg.mod:make()", None),
        ("pkg.mod:make()", true, "pkg.mod:make()", None),
        ("pkg.mod:make()", false, "pkg.mod:make()", None),
        ("pkg.mod", true, "pkg.mod:create_app()", None),
        ("./main.py", false, "main", Some(".")),
        ("main.py:app", false, "main:app", Some(".")),
        ("src/app.py:a.b", false, "app:a.b", Some("src")),
        ("./shop/web/wsgi.py:application", false, "shop.web.wsgi:application", Some(".")),
        ("shop/web/", false, "shop.web", Some(".")),
        ("shop/web/__init__.py", false, "shop.web", Some(".")),
    ] {
        let expected = (reference.to_owned(), folder.map(str::to_owned));
        assert_eq!(locate(written, factory), Ok(expected), "{written}");
    }
}

#[test]
fn what_is_no_file_of_python_is_refused() {
    for (written, expected) in [
        ("./missing.py", "expected the file of an application, there is no ./missing.py"),
        ("./src", "expected the file of an application, found the folder ./src"),
        ("my-app.py:app", "expected a name that Python imports, found my-app.py"),
    ] {
        assert_eq!(locate(written, false), Err(expected.to_owned()), "{written}");
    }
}
