//! Who is found at an address, and how long.

use slimhttp_site::config::Config;

use super::*;
use crate::live::testing::live;

/// A live site that is reached by one name. The registry is the process's, so each test has a name
/// of its own.
struct Named {
    host: &'static str,
    site: Arc<Site>,
}

impl LocalSite for Named {
    fn site_at(&self, host: &str, port: u16) -> Option<Arc<Site>> {
        (host == self.host && port == 80).then(|| self.site.clone())
    }
}

fn named(host: &'static str) -> Arc<Named> {
    let site = live(false, Config::default()).current().site.clone();
    Arc::new(Named { host, site })
}

#[test]
fn a_site_is_found_where_it_is_reached_until_it_is_unregistered() {
    let (one, other) = (named("one.registry.test"), named("other.registry.test"));
    register(&one);
    register(&other);
    let found = |host: &str, port| local_site(host, port);
    assert!(found(one.host, 80).is_some_and(|site| Arc::ptr_eq(&site, &one.site)));
    assert!(found(other.host, 80).is_some_and(|site| Arc::ptr_eq(&site, &other.site)));
    assert!(found(one.host, 81).is_none());
    assert!(found("registry.test", 80).is_none());
    unregister(&one);
    assert!(found(one.host, 80).is_none());
    assert!(found(other.host, 80).is_some(), "only that one");
    unregister(&one);
    assert!(found(other.host, 80).is_some(), "a second time does nothing");
}

#[test]
fn a_site_that_is_dropped_is_found_no_more() {
    let site = named("dropped.registry.test");
    register(&site);
    assert!(local_site("dropped.registry.test", 80).is_some());
    drop(site);
    assert!(local_site("dropped.registry.test", 80).is_none());
}
