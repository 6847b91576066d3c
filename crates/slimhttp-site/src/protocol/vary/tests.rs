//! What `Vary` says once several have added to it.

use super::*;

#[test]
fn c5_4_vary_is_merged() {
    let cases: &[(&[&str], &str, &str)] = &[
        (&[], "Cookie", "Cookie"),
        (&["Cookie"], "cookie", "Cookie"),
        (&["a", "b, A"], "c,b", "a, b, c"),
        (&["a,,b"], " ", "a, b"),
        (&["*"], "a", "*"),
        (&["a"], "*", "*"),
    ];
    for (before, value, expect) in cases {
        let mut found = HeaderMap::new();
        for line in *before {
            found.append(header::VARY, line.parse().unwrap());
        }
        merge_vary(&mut found, &value.parse().unwrap());
        let lines: Vec<_> = found.get_all(header::VARY).iter().collect();
        assert_eq!(lines, [*expect], "{before:?} {value}");
    }
}
