//! Which release a request sees, by the changes of the site and its cookie.

use slimhttp_site::host::HostKey;
use slimhttp_site::value::{Table, Value};

use super::*;
use crate::files::tests::compiled;

const PINNED: Duration = Duration::from_secs(60);

/// A site: the root and the pinning of the global level, and of virtual hosts.
fn site(root: &str, pinned: Duration, hosts: &[(&str, &str, Duration)]) -> Site {
    let mut site = compiled(Table::new());
    let scope = |name: Option<&str>, root: &str, pinned| {
        let mut scope = (*site.global).clone();
        scope.name = name.map(Into::into);
        let options = Arc::make_mut(&mut scope.options);
        options.web_root = (!root.is_empty()).then(|| root.into());
        Arc::make_mut(&mut options.files).pin_releases = pinned;
        Arc::new(scope)
    };
    for &(name, root, pinned) in hosts {
        site.hosts.insert(HostKey::parse(name).expect("a name"), scope(Some(name), root, pinned));
    }
    site.global = scope(None, root, pinned);
    site.pins_releases = true;
    site
}

/// One scope whose root is changed step by step.
struct Steps {
    site: Site,
    releases: Releases,
    now: Instant,
}

impl Steps {
    fn new(root: &str) -> Self {
        let (site, now) = (site(root, PINNED, &[]), Instant::now());
        Self { releases: Releases::open(&site, None, now), site, now }
    }

    fn change(&mut self, root: &str, pinned: Duration) {
        let next = site(root, pinned, &[]);
        self.releases = Releases::open(&next, Some((&self.releases, &self.site)), self.now);
        self.site = next;
    }

    fn id(&self) -> String {
        self.releases.current_id(&self.site.global).expect("it pins").to_owned()
    }

    fn searched(&self, is_page: bool, cookie: &str) -> (Vec<String>, bool) {
        let mut request = HeaderMap::new();
        if !cookie.is_empty() {
            request.insert(COOKIE, cookie.parse().expect("a field value"));
        }
        let search = self.releases.roots_for(&self.site.global, is_page, &request, self.now);
        let current = self.site.global.options.web_root.as_deref();
        let mut roots = Vec::new();
        for folder in &search.roots {
            assert_eq!(folder.earlier, Some(folder.root) != current);
            roots.push(folder.root.display().to_string());
        }
        (roots, search.varies)
    }

    #[track_caller]
    fn check(&self, is_page: bool, id: &str, expected: &[&str]) {
        let cookie = if id.is_empty() { String::new() } else { format!("{COOKIE_NAME}={id}") };
        assert_eq!(self.searched(is_page, &cookie).0, expected);
    }
}

#[test]
fn a_page_comes_from_the_release_in_force_and_its_parts_from_the_pages_own() {
    let mut steps = Steps::new("/1");
    let first = steps.id();
    steps.check(false, &first, &["/1"]);
    assert!(!steps.searched(false, "").1, "with one release nothing varies");

    steps.change("/2", PINNED);
    let second = steps.id();
    assert_ne!(first, second);
    steps.check(true, &first, &["/2"]);
    steps.check(false, &first, &["/1", "/2"]);
    steps.check(false, &second, &["/2", "/1"]);
    steps.check(false, "", &["/2", "/1"]);
    steps.check(false, "0123456789abcdef", &["/2", "/1"]);
    assert!(steps.searched(false, "").1, "a cookie would have a say");
    assert!(!steps.searched(true, "").1, "pages do not ask for it");

    steps.change("/3", PINNED);
    steps.check(false, "", &["/3", "/2", "/1"]);
    steps.check(false, &first, &["/1", "/3", "/2"]);
    steps.check(false, &second, &["/2", "/3", "/1"]);
}

#[test]
fn a_release_ends_when_its_time_is_over() {
    let mut steps = Steps::new("/1");
    let first = steps.id();
    steps.change("/2", PINNED);
    steps.now += PINNED / 2;
    let second = steps.id();
    steps.change("/3", PINNED);
    steps.check(false, &first, &["/1", "/3", "/2"]);
    steps.now += PINNED / 2;
    steps.check(false, &first, &["/3", "/2"]);
    steps.check(false, &second, &["/2", "/3"]);
    steps.now += PINNED / 2;
    steps.check(false, &second, &["/3"]);
    assert!(!steps.searched(false, "").1);
}

#[test]
fn what_is_no_new_root_is_no_new_release() {
    let mut steps = Steps::new("/1");
    let first = steps.id();
    steps.change("/1", PINNED);
    assert_eq!(steps.id(), first);
    steps.change("/1", PINNED * 2);
    assert_eq!(steps.id(), first, "only the time is another one");
    steps.check(false, "", &["/1"]);
}

#[test]
fn going_back_is_a_release_of_its_own() {
    let mut steps = Steps::new("/1");
    let first = steps.id();
    steps.change("/2", PINNED);
    let second = steps.id();
    steps.change("/1", PINNED);
    assert_ne!(steps.id(), first);
    steps.check(false, "", &["/1", "/2"]);
    steps.check(false, &first, &["/1", "/2"]);
    steps.check(false, &second, &["/2", "/1"]);
}

#[test]
fn so_many_releases_and_no_more() {
    let mut steps = Steps::new("/0");
    let first = steps.id();
    for number in 1..=MAX_EARLIER {
        steps.change(&format!("/{number}"), PINNED);
    }
    assert_eq!(steps.searched(false, "").0.len(), 1 + MAX_EARLIER);
    steps.change("/one-more", PINNED);
    let (roots, _) = steps.searched(false, &format!("{COOKIE_NAME}={first}"));
    assert_eq!(roots.len(), 1 + MAX_EARLIER);
    assert_eq!(roots[..2], ["/one-more", "/16"]);
}

#[test]
fn pinning_begins_and_ends_with_its_option() {
    let mut steps = Steps::new("/1");
    steps.change("/2", Duration::ZERO);
    steps.check(false, "", &["/2"]);
    assert_eq!(steps.releases.current_id(&steps.site.global), None);
    assert_eq!(steps.releases.cookie(&steps.site.global), None);
    // The change that begins it may be the one that changes the root.
    steps.change("/3", PINNED);
    steps.check(false, "", &["/3", "/2"]);
    // A page that was loaded while it was longer keeps what it was promised.
    steps.change("/4", Duration::from_secs(1));
    steps.now += PINNED / 2;
    steps.check(false, "", &["/4", "/3", "/2"]);
    // A scope without a folder has nothing to look in.
    steps.change("", PINNED);
    steps.check(false, "", &[]);
}

#[test]
fn scopes_have_releases_of_their_own() {
    let now = Instant::now();
    let first =
        site("/g", PINNED, &[("a.example", "/a", PINNED), ("b.example", "/b", Duration::ZERO)]);
    let before = Releases::open(&first, None, now);
    let next =
        site("/g", PINNED, &[("a.example", "/a2", PINNED), ("b.example", "/b2", Duration::ZERO)]);
    let after = Releases::open(&next, Some((&before, &first)), now);
    let scope = |name: &str| next.scope_for(name, 80);
    let request = HeaderMap::new();
    for (name, expected) in
        [("a.example", &["/a2", "/a"][..]), ("b.example", &["/b2"]), ("other", &["/g"])]
    {
        let search = after.roots_for(scope(name), false, &request, now);
        let roots: Vec<_> = search.roots.iter().map(|folder| folder.root).collect();
        assert_eq!(roots, expected.iter().map(Path::new).collect::<Vec<_>>(), "{name}");
    }
    assert_eq!(after.scopes.len(), 2, "only who pins costs anything");
    let global = key_of(&next.global);
    let shared = Arc::ptr_eq(&after.scopes[&global], &before.scopes[&global]);
    assert!(shared, "what did not change is shared");
    assert_ne!(after.current_id(scope("a.example")), after.current_id(scope("other")));
    // The id of one scope means nothing to another one.
    let mut foreign = HeaderMap::new();
    let id = before.current_id(&first.global).expect("it pins");
    foreign.insert(COOKIE, format!("{COOKIE_NAME}={id}").parse().expect("a field value"));
    let search = after.roots_for(scope("a.example"), false, &foreign, now);
    assert_eq!(search.roots[0].root, Path::new("/a2"));
}

#[test]
fn the_cookie_is_read_by_its_exact_name() {
    let mut steps = Steps::new("/1");
    let first = steps.id();
    steps.change("/2", PINNED);
    for (cookie, found) in [
        ("slimhttp-release={}", true),
        ("a=b; slimhttp-release={}; c=d", true),
        ("a=b;slimhttp-release={};c=d", true),
        ("slimhttp-release=; slimhttp-release={}", true),
        ("slimhttp-release={} ", true),
        ("xslimhttp-release={}", false),
        ("slimhttp-release2={}", false),
        ("Slimhttp-Release={}", false),
        ("slimhttp-release={}0", false),
        ("slimhttp-release", false),
        ("a=slimhttp-release={}", false),
        ("slimhttp-release=\"{}\"", false),
        (";;=;", false),
    ] {
        let (roots, _) = steps.searched(false, &cookie.replace("{}", &first));
        assert_eq!(roots[0] == "/1", found, "{cookie}");
    }
    let mut fields = HeaderMap::new();
    fields.append(COOKIE, "a=b".parse().expect("a field value"));
    fields.append(COOKIE, format!("{COOKIE_NAME}={first}").parse().expect("a field value"));
    let search = steps.releases.roots_for(&steps.site.global, false, &fields, steps.now);
    assert!(search.roots[0].earlier, "in a field of its own");
}

#[test]
fn the_cookie_lives_as_long_as_releases_do() {
    for (pinned, seconds) in [(1500, "2"), (60_000, "60"), (1, "1")] {
        let site = site("/1", Duration::from_millis(pinned), &[]);
        let releases = Releases::open(&site, None, Instant::now());
        let id = releases.current_id(&site.global).expect("it pins");
        let cookie = releases.cookie(&site.global).expect("it pins");
        assert_eq!(
            cookie.to_str().expect("text"),
            format!("slimhttp-release={id}; Path=/; Max-Age={seconds}; SameSite=Lax; HttpOnly")
        );
    }
}

/// What was public before it became private is out of reach at once.
#[test]
fn an_earlier_release_above_the_private_folder_is_not_searched() {
    let mut steps = Steps::new("/site");
    let first = steps.id();
    steps.change("/site/public", PINNED);
    steps.check(false, &first, &["/site", "/site/public"]);
    let scope = Arc::make_mut(&mut steps.site.global);
    Arc::make_mut(&mut scope.options).private_root = Some("/site/private".into());
    steps.check(false, &first, &["/site/public"]);
    steps.check(false, "", &["/site/public"]);
    let scope = Arc::make_mut(&mut steps.site.global);
    Arc::make_mut(&mut scope.options).private_root = Some("/elsewhere".into());
    steps.check(false, &first, &["/site", "/site/public"]);
}

/// Each folder that a mount names has releases of its own; one that it takes over has those of
/// the scope around.
#[test]
fn c5_1_the_releases_of_a_mount() {
    let mounted = |root: &str, own: &str| {
        let table = |entries: &[(&str, Value)]| -> Value {
            entries
                .iter()
                .map(|(key, value)| (Arc::from(*key), value.clone()))
                .collect::<Table>()
                .into()
        };
        let mounts = table(&[
            ("/own", table(&[("web_root", own.into())])),
            ("/a b", table(&[("web_root", own.into())])),
            ("/same", table(&[("max_body", 1.into())])),
            ("/longer", table(&[("pin_releases", 120.into())])),
            ("/none", table(&[("web_root", own.into()), ("pin_releases", 0.into())])),
        ]);
        let options = [("web_root", root.into()), ("pin_releases", 60.into()), ("mounts", mounts)];
        let Value::Table(options) = table(&options) else { unreachable!("it is one") };
        compiled(options)
    };
    let now = Instant::now();
    let first = mounted("/1", "/own-1");
    let before = Releases::open(&first, None, now);
    assert_eq!(before.scopes.len(), 3);
    let mount = |prefix: &str| first.global.mounts.get(prefix).expect("it is there");
    let id = |scope: &Scope| before.current_id(scope).map(str::to_owned);
    assert_eq!(id(mount("/same")), id(&first.global));
    assert_eq!(id(mount("/longer")), id(&first.global));
    assert_ne!(id(mount("/own")), id(&first.global));
    let path = |scope: &Scope| {
        let cookie = before.cookie(scope)?.to_str().expect("text");
        cookie.split("; ").nth(1).map(str::to_owned)
    };
    assert_eq!(path(&first.global).as_deref(), Some("Path=/"));
    assert_eq!(path(mount("/same")).as_deref(), Some("Path=/"));
    assert_eq!(path(mount("/own")).as_deref(), Some("Path=/own"));
    assert_eq!(path(mount("/a b")).as_deref(), Some("Path=/a%20b"));
    assert_eq!(before.of(&first.global).expect("it pins").pinned, Duration::from_secs(120));
    // Another folder of one leaves the others as they are.
    let next = mounted("/1", "/own-2");
    let after = Releases::open(&next, Some((&before, &first)), now);
    let roots = |prefix: &str| {
        let scope = next.global.mounts.get(prefix).expect("it is there");
        let search = after.roots_for(scope, false, &HeaderMap::new(), now);
        search.roots.iter().map(|root| root.root.display().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(roots("/own"), ["/own-2", "/own-1"]);
    assert_eq!(roots("/same"), ["/1"]);
    assert_eq!(roots("/none"), ["/own-2"]);
    assert_eq!(after.current_id(&next.global), before.current_id(&first.global));
}
