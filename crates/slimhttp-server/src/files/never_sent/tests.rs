//! Which names are never sent.

use super::*;

#[test]
fn code_is_not_sent_compiled_or_compressed() {
    for (path, unsent) in [
        ("app.pyc", true),
        ("app.PYO", true),
        ("a/__pycache__/app.txt", true),
        ("__PyCache__", true),
        ("app.py.gz", true),
        ("a/app.py.br", true),
        ("APP.PY.ZST", true),
        ("app.pyc.gz", true),
        ("app.py.gz.br", true),
        // What a script is asked for by its own name is decided elsewhere.
        ("app.py", false),
        ("app.py.txt", false),
        ("app.js.gz", false),
        ("happy.gz", false),
        ("py.gz", false),
        ("app.py.gz/x", false),
        ("__pycache__x", false),
        ("", false),
    ] {
        let safe = SafePath::of_names(path.as_bytes()).expect("plain names");
        assert_eq!(is_never_sent(&safe), unsent, "{path}");
    }
}
