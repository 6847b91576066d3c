//! Which certificates the names of a site come to.

use super::*;

fn names(written: &[&str]) -> AutomaticNames {
    written.iter().map(|name| Arc::from(*name)).collect()
}

#[test]
fn c10_4_names_in_another_order_are_one_certificate() {
    let (one, other) = (names(&["a.example", "b.example"]), names(&["b.example", "a.example"]));
    let all = by_names(vec![one.clone(), other.clone(), one.clone(), names(&["c.example"])]);
    let mut found: Vec<_> = all.iter().map(|(names, lists)| (names.to_string(), lists)).collect();
    found.sort();
    assert_eq!(found[0].0, "a.example, b.example");
    assert_eq!(found[0].1, &[one, other]);
    assert_eq!(found[1].0, "c.example");
    assert_eq!(found.len(), 2);
}

#[test]
fn c10_4_nothing_is_obtained_where_nothing_is_asked_for() {
    let store = Arc::<TlsStore>::default();
    let obtaining = Obtaining::new(&store);
    let options = Arc::new(AcmeOptions::new(std::path::Path::new("/nowhere")));
    obtaining.want(&options, &store, Vec::new(), false);
    assert!(obtaining.challenges().is_none());
    assert!(obtaining.status().is_empty());
}
