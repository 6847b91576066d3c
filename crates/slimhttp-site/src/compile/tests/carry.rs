//! A change costs what it changes (C3.5): the rest is carried over by reference.

use super::scopes::certificate;
use super::*;
use crate::protocol::methods::Methods;
use crate::routing::route::{HandlerId, Route, RouteKind};
use crate::site::LogFile;

/// A running server: what is in force, and a draft on top of it.
struct Running {
    config: Config,
    routes: Routes,
    site: Site,
}

impl Running {
    fn start(json: Json) -> Self {
        let config = config(&json);
        let site = site(json);
        Self { config, routes: Routes::default(), site }
    }

    /// Writes one value; what was in force before.
    #[track_caller]
    fn set<const N: usize>(&mut self, keys: [&str; N], value: impl Into<Value>) -> Site {
        let done = self.edit(|draft| assert!(draft.set(&way(keys), value.into()), "{keys:?}"));
        done.expect("a valid edit")
    }

    /// Applies an edit, whole or not at all.
    fn edit(&mut self, change_it: impl FnOnce(&mut Config)) -> Result<Site, Faults> {
        let mut draft = self.config.clone();
        change_it(&mut draft);
        let site = change((&self.site, &self.routes), &draft, &self.routes)?;
        self.config = draft;
        Ok(std::mem::replace(&mut self.site, site))
    }
}

fn three() -> Running {
    Running::start(json!({"vhosts": {
        "a.example": {"web_root": "web"},
        "b.example": {"proxy": "b:1"},
        "c.example": {"web_root": "gone"},
    }}))
}

/// The names of the scopes that two sites share.
fn shared(before: &Site, after: &Site) -> Vec<String> {
    let mut names: Vec<String> = after
        .hosts
        .iter()
        .filter(|(key, scope)| before.hosts.get(key).is_some_and(|old| Arc::ptr_eq(old, scope)))
        .map(|(key, _)| key.name.to_string())
        .collect();
    if Arc::ptr_eq(&before.global, &after.global) {
        names.push("global".to_owned());
    }
    names.sort();
    names
}

#[test]
fn c3_5_an_edited_vhost_leaves_the_others_as_they_are() {
    let mut running = three();
    let before = running.set(["vhosts", "a.example", "debug"], true);
    assert_eq!(shared(&before, &running.site), ["b.example", "c.example", "global"]);
    assert!(host(&running.site, "a.example").options.debug);
    assert!(Arc::ptr_eq(&before.service, &running.site.service));
}

#[test]
fn c3_5_an_edit_that_changes_nothing_shares_everything() {
    let mut running = three();
    let before = running.edit(|draft| {
        draft.set(&way(["vhosts", "a.example", "web_root"]), "./web/".into());
        draft.set(&way(["vhosts", "a.example", "debug"]), false.into());
        draft.set(&way(["quiet"]), Value::Null);
    });
    let all = ["a.example", "b.example", "c.example", "global"];
    assert_eq!(shared(&before.expect("valid"), &running.site), all);
    // The same written anew, as a whole.
    let whole = json!({"vhosts": {
        "a.example": {"web_root": "web"},
        "b.example": {"proxy": "b:1"},
        "c.example": {"web_root": "gone"},
    }});
    let before = running.edit(|draft| *draft = config(&whole)).expect("valid");
    assert_eq!(shared(&before, &running.site), all);
}

#[test]
fn c3_5_a_vhost_comes_and_goes() {
    let mut running = three();
    let before = running.edit(|draft| {
        draft.set(&way(["vhosts", "d.example"]), value(&json!({"index": "d"})));
        draft.remove(&way(["vhosts", "b.example"]));
    });
    assert_eq!(
        shared(&before.expect("valid"), &running.site),
        ["a.example", "c.example", "global"]
    );
    assert_eq!(host(&running.site, "d.example").options.index, ["d"]);
    assert_eq!(host(&running.site, "b.example").name, None);
    running.edit(|draft| drop(draft.remove(&way(["vhosts"])))).expect("valid");
    assert!(running.site.hosts.is_empty());
    // As `None` it is not given.
    running.set(["vhosts"], value(&json!({"a": {}})));
    assert_eq!(running.site.hosts.len(), 1);
    running.set(["vhosts", "a"], Value::Null);
    assert!(running.site.hosts.is_empty());
}

#[test]
fn c3_5_an_inherited_option_reaches_every_vhost() {
    let mut running = three();
    let before = running.set(["index"], "home.html");
    assert_eq!(shared(&before, &running.site), Vec::<String>::new());
    for name in ["a.example", "b.example", "c.example"] {
        assert_eq!(host(&running.site, name).options.index, ["home.html"], "{name}");
    }
    // Its proxy is the same, and so are its connections.
    let proxy = |site: &Site| host(site, "b.example").options.proxy.clone().expect("a proxy");
    assert!(Arc::ptr_eq(&proxy(&before), &proxy(&running.site)));
    // Who has one of its own does not notice.
    let before = running.set(["web_root"], "/other/web");
    assert_eq!(shared(&before, &running.site), ["a.example", "c.example"]);
}

#[test]
fn c3_5_the_spelling_of_a_host_may_change() {
    let mut running = three();
    running
        .edit(|draft| {
            let options = draft.remove(&way(["vhosts", "a.example"])).expect("it was there");
            draft.set(&way(["vhosts", "A.EXAMPLE."]), options);
        })
        .expect("valid");
    assert_eq!(host(&running.site, "a.example").name.as_deref(), Some("A.EXAMPLE."));
    assert_eq!(running.site.hosts.len(), 3);
}

#[test]
fn c4_1_a_second_spelling_is_a_fault_beside_one_that_is_carried_over() {
    for (name, first) in [("A.EXAMPLE.", "a.example"), ("b.example.", "b.example")] {
        let mut running = three();
        let faults = running.edit(|draft| {
            draft.set(&way(["vhosts", name]), value(&json!({})));
        });
        assert_eq!(
            faults.expect_err("one host twice").to_string(),
            format!(
                "vhosts.{name:?}: expected every host once, found `{name}`, the host of `{first}`"
            )
        );
    }
}

#[test]
fn c3_2_a_fault_leaves_the_site_in_force_alone() {
    let mut running = three();
    let before = running.site.clone();
    let faults = running.edit(|draft| {
        draft.set(&way(["vhosts", "a.example", "web_rot"]), "x".into());
        draft.set(&way(["vhosts", "z.example"]), 1.into());
    });
    assert_eq!(
        faults.expect_err("two faults").to_string(),
        "vhosts.\"a.example\".web_rot: expected a known option, found `web_rot`\
         \n  hint: did you mean `web_root`?\
         \nvhosts.\"z.example\": expected a table of options, found the number `1`"
    );
    let all = ["a.example", "b.example", "c.example", "global"];
    assert_eq!(shared(&before, &running.site), all);
    assert_eq!(running.site.config, before.config);
}

#[test]
fn c3_5_warnings_are_what_the_change_found() {
    let mut running = three();
    assert_eq!(running.site.warnings.len(), 1);
    running.set(["vhosts", "a.example", "debug"], true);
    assert_eq!(running.site.warnings, Vec::<String>::new());
    // This compiles every vhost anew, and finds nothing new.
    running.set(["debug"], true);
    assert_eq!(running.site.warnings, Vec::<String>::new());
    running.set(["vhosts", "a.example", "web_root"], "new");
    assert_eq!(
        running.site.warnings,
        ["vhosts.\"a.example\".web_root: `/base/new` does not exist (yet); requests answer 404"]
    );
}

#[test]
fn c2_6_a_default_that_is_written_later_is_looked_at() {
    let nothing_there = |_: &Path| PathKind::Missing;
    let listener = everywhere();
    let env = CompileEnv { look: &nothing_there, ..env(&listener) };
    let routes = Routes::default();
    let first = compile(&Config::default(), &routes, &env, None).expect("valid");
    assert_eq!(first.warnings, Vec::<String>::new(), "nobody wrote `/srv/http`");
    let written = config(&json!({"web_root": "/srv/http"}));
    let second = compile(&written, &routes, &env, Some((&first, &routes))).expect("valid");
    assert_eq!(
        second.warnings,
        ["web_root: `/srv/http` does not exist (yet); requests answer 404"]
    );
}

#[test]
fn c2_3_a_path_that_stands_as_it_stood_is_resolved_as_it_was() {
    let written = json!({
        "module": "app.py", "cert": "one.pem", "key": "two.pem",
        "vhosts": {
            "a": {"web_root": "web"},
            "b": {"web_root": "web", "access_log": {"file": "logs/b.log"}},
        },
    });
    let first = site(written.clone());
    let mut draft = config(&written);
    draft.set(&way(["debug"]), true.into());
    draft.set(&way(["vhosts", "a", "web_root"]), "./web".into());
    let routes = Routes::default();
    let listener = everywhere();
    let elsewhere = CompileEnv { base: "/other".into(), ..env(&listener) };
    let second = compile(&draft, &routes, &elsewhere, Some((&first, &routes))).expect("valid");
    let root = |name| host(&second, name).options.web_root.clone().expect("a web root");
    assert_eq!(root("a"), Path::new("/other/web"), "written anew, so resolved anew");
    assert_eq!(root("b"), Path::new("/base/web"));
    let log = host(&second, "b").options.access_log.clone().expect("a log");
    assert_eq!(log.file, LogFile::Path("/base/logs/b.log".into()));
    let module = second.global.options.module.clone().expect("a module");
    assert_eq!(module.path, Path::new("/base/app.py"));
    assert_eq!(certificate(&second), certificate(&first));

    let replaced = CompileEnv { resolve_anew: true, ..elsewhere };
    let third = compile(&draft, &routes, &replaced, Some((&second, &routes))).expect("valid");
    assert_eq!(host(&third, "b").options.web_root.as_deref(), Some(Path::new("/other/web")));
    let module = third.global.options.module.clone().expect("a module");
    assert_eq!(module.path, Path::new("/other/app.py"));
    assert_ne!(certificate(&third), certificate(&first));
}

/// Compiles an edit that is made where the base folder is another one.
fn moved(before: &Site, config: &Config, resolve_anew: bool) -> Site {
    let (routes, listener) = (Routes::default(), everywhere());
    let env = CompileEnv { base: "/other".into(), resolve_anew, ..env(&listener) };
    compile(config, &routes, &env, Some((before, &routes))).expect("valid")
}

/// From where applications are imported: of the global level, then of each host and mount that
/// is named.
fn app_dirs<const N: usize>(site: &Site, scopes: [(&str, &str); N]) -> String {
    let scopes = scopes.iter().map(|(name, prefix)| match *prefix {
        "" => host(site, name),
        prefix => host(site, name).mounts.get(prefix).expect("a mount"),
    });
    let dir = |scope: &Arc<Scope>| {
        let app = scope.options.app.as_ref().expect("an application");
        app.application.spec.dir.display().to_string()
    };
    [&site.global].into_iter().chain(scopes).map(dir).collect::<Vec<_>>().join(" ")
}

#[test]
fn c2_3_an_application_stays_where_it_was_imported_from() {
    for app in ["shop:app", "./main.py"] {
        let written = json!({
            "app": app,
            "mounts": {"/m": {"max_body": 1}, "/own": {"app": app}},
            "vhosts": {"a": {}, "b": {"app": "other:app", "mounts": {"/m": {}}}},
        });
        let scopes = [("", "/m"), ("", "/own"), ("a", ""), ("a", "/m"), ("b", ""), ("b", "/m")];
        let everywhere_is = |dir: &str| [dir; 7].join(" ");
        let first = site(written.clone());
        let mut ids: Vec<_> = first.applications().map(|(_, app)| app.id).collect();
        ids.sort();
        // Whichever scopes the edit compiles anew: one, the global one alone, all.
        for (keys, value) in [
            (&["vhosts", "b", "max_body"][..], json!(1)),
            (&["max_connections"], json!(7)),
            (&["max_body"], json!(1)),
            (&["mounts", "/m", "max_body"], json!(2)),
        ] {
            let mut draft = config(&written);
            let keys: Vec<Arc<str>> = keys.iter().map(|key| Arc::from(*key)).collect();
            assert!(draft.set(&keys, super::value(&value)), "{keys:?}");
            let second = moved(&first, &draft, false);
            assert_eq!(app_dirs(&second, scopes), everywhere_is("/base"), "{keys:?}");
            let mut now: Vec<_> = second.applications().map(|(_, app)| app.id).collect();
            now.sort();
            assert_eq!(now, ids, "{keys:?}");
            // A configuration that is read anew has the base folder of that.
            let third = moved(&second, &draft, true);
            assert_eq!(app_dirs(&third, scopes), everywhere_is("/other"), "{keys:?}");
        }
        // The same under another spelling of its prefix, and in a scope that is added.
        let mut draft = config(&written);
        let mount = draft.remove(&way(["mounts", "/own"])).expect("it was there");
        draft.set(&way(["mounts", "/own/"]), mount);
        draft.set(&way(["vhosts", "c"]), value(&json!({"app": app})));
        let second = moved(&first, &draft, false);
        assert_eq!(app_dirs(&second, [("", "/own"), ("c", "")]), "/base /base /base");
        // Another one is found where the program is by now.
        draft.set(&way(["app"]), "new:app".into());
        let third = moved(&second, &draft, false);
        assert_eq!(
            app_dirs(&third, [("a", ""), ("", "/own"), ("c", "")]),
            "/other /other /base /base"
        );
    }
}

#[test]
fn c2_3_an_app_dir_stays_what_it_was_where_no_application_is_beside_it() {
    let mut draft = config(&json!({
        "web_root": "web", "app_dir": "shop",
        "vhosts": {"a": {"app": "shop:app"}, "b": {"app": "shop:app"}},
    }));
    let first = compile(&draft, &Routes::default(), &env(&everywhere()), None).expect("valid");
    draft.set(&way(["vhosts", "b", "max_body"]), 1.into());
    let dir = |site: &Site, name: &str| {
        let app = host(site, name).options.app.as_ref().expect("an application").clone();
        app.application.spec.dir.clone()
    };
    let second = moved(&first, &draft, false);
    for name in ["a", "b"] {
        assert_eq!(dir(&second, name), Path::new("/base/shop"), "{name}");
    }
    // Without it the folder is no longer that one.
    draft.remove(&way(["app_dir"]));
    assert_eq!(dir(&moved(&second, &draft, false), "a"), Path::new("/other"));
}

#[test]
fn c3_1_edits_in_place() {
    let mut draft = config(&json!({"vhosts": {"a": {"index": "x"}}, "debug": true}));
    assert_eq!(draft.get(&way(["vhosts", "a", "index"])), Some(&Value::from("x")));
    assert_eq!(draft.get(&way(["vhosts", "b", "index"])), None);
    assert_eq!(draft.get(&way(["debug", "a"])), None);
    assert_eq!(draft.get(&[]), None);
    assert_eq!(draft.table(&[]).map(Table::len), Some(2));
    assert_eq!(draft.table(&way(["vhosts", "a"])).map(Table::len), Some(1));
    assert_eq!(draft.table(&way(["debug"])), None);
    let unchanged = draft.clone();
    assert!(!draft.set(&way(["vhosts", "b", "index"]), "x".into()));
    assert!(!draft.set(&[], "x".into()));
    assert!(!draft.update(&way(["debug"]), Table::new()));
    assert!(!draft.clear(&way(["nothing"])));
    assert_eq!(draft.remove(&way(["debug", "x"])), None);
    assert_eq!(draft, unchanged);
    let entries = value(&json!({"index": "y", "debug": false}));
    assert!(draft.update(&way(["vhosts", "a"]), entries.as_table().expect("a table").clone()));
    assert_eq!(
        draft,
        config(&json!({"vhosts": {"a": {"index": "y", "debug": false}}, "debug": true}))
    );
    assert_eq!(draft.remove(&way(["vhosts", "a", "index"])), Some(Value::from("y")));
    assert!(draft.clear(&way(["vhosts"])));
    assert_eq!(draft, config(&json!({"vhosts": {}, "debug": true})));
    draft.replace(Table::new());
    assert_eq!(draft, Config::default());
    assert_eq!(unchanged.get(&way(["debug"])), Some(&Value::Bool(true)), "a clone is its own");
}

/// A small generator of edits, the same at every run (Knuth's MMIX constants).
struct Dice(u64);

impl Dice {
    fn pick<'c, T>(&mut self, choices: &'c [T]) -> &'c T {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        &choices[usize::try_from(self.0 >> 33).expect("31 bits") % choices.len()]
    }
}

/// What a site says, in words that two sites can be compared by.
fn told(site: &Site) -> Vec<String> {
    let scope = |scope: &Scope| {
        let routes: Vec<_> = scope.routes.iter().collect();
        format!("{:?} {:?} {routes:?}", scope.name, scope.options)
    };
    let mut told: Vec<String> =
        site.hosts.iter().map(|(key, host)| format!("{key:?} {}", scope(host))).collect();
    told.sort();
    told.push(scope(&site.global));
    told.push(format!("{:?}", site.service));
    told
}

#[test]
fn c3_5_a_change_comes_to_what_the_whole_would() {
    let hosts = ["a.example", "A.EXAMPLE", "b.example", "*.example", "c.example:8080", "", "d d"];
    let keys = ["web_root", "module", "proxy", "ssl", "debug", "index", "module_reload", "wrong"];
    let values = [
        json!(null),
        json!("web"),
        json!("gone"),
        json!("app.py"),
        json!("up:1"),
        json!("127.0.0.1:8080"),
        json!("127.0.0.1:9001"),
        json!(true),
        json!(false),
        json!("never"),
    ];
    let tables = [
        json!({}),
        json!(null),
        json!({"web_root": "web"}),
        json!({"proxy": "127.0.0.1:9001"}),
        json!({"module": "app.py", "module_reload": "changed"}),
        json!({"debug": true}),
        json!(1),
    ];
    // The server at 9001 sends `b.example` back here, everything else nowhere.
    let far = FirstListener { endpoint: Endpoint::tcp("", 9001), port: 9001, ..everywhere() };
    let back = config(&json!({"vhosts": {"b.example": {"proxy": "127.0.0.1:8080"}}}));
    let back = compile(&back, &Routes::default(), &env(&far), None).expect("valid");
    let back = Arc::new(back);
    let local_site = |_: &str, port: u16| (port == 9001).then(|| Arc::clone(&back));
    let listener = everywhere();
    let env = CompileEnv { local_site: &local_site, ..env(&listener) };

    let mut dice = Dice(1);
    let mut config = config(&json!({"vhosts": {}}));
    let mut routes = Routes::default();
    let mut site = compile(&config, &routes, &env, None).expect("valid");
    let (mut valid, mut invalid) = (0, 0);
    for step in 0..4000 {
        let (mut draft, mut drafted) = (config.clone(), routes.clone());
        for _ in 0..*dice.pick(&[1, 1, 1, 2, 3]) {
            let (host, key) = (*dice.pick(&hosts), *dice.pick(&keys));
            let (one, table) = (value(dice.pick(&values)), value(dice.pick(&tables)));
            match dice.pick(&[0, 1, 1, 2, 2, 3, 4, 5]) {
                0 => _ = draft.set(&way([key]), one),
                1 => _ = draft.set(&way(["vhosts", host]), table),
                2 => _ = draft.set(&way(["vhosts", host, key]), one),
                3 => _ = draft.remove(&way(["vhosts", host])),
                4 => _ = draft.remove(&way([key])),
                _ => {
                    let route = Route {
                        pattern: "/".into(),
                        methods: Methods::Any,
                        prefix: false,
                        kind: RouteKind::Whole,
                        handler: HandlerId(step),
                    };
                    _ = drafted.register(Some(host), route);
                }
            }
        }
        let whole = compile(&draft, &drafted, &env, None);
        let step = compile(&draft, &drafted, &env, Some((&site, &routes)));
        match (whole, step) {
            (Ok(whole), Ok(step)) => {
                assert_eq!(told(&step), told(&whole), "{draft:?}");
                (config, routes, site) = (draft, drafted, step);
                valid += 1;
            }
            (Err(whole), Err(step)) => {
                assert_eq!(step.0.len(), whole.0.len(), "{step}\n\n{whole}");
                invalid += 1;
            }
            (whole, step) => panic!("{draft:?}\nwhole: {whole:?}\nstep: {step:?}"),
        }
    }
    assert!(valid > 500 && invalid > 500, "{valid} valid, {invalid} invalid");
}
