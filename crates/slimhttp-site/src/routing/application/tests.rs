//! What a number says of an application, and where one answers that a route names.

use std::sync::Arc;
use std::time::Duration;

use super::{AppReference, Application, ApplicationSpec, Interface, Lifespan, MountedApplication};

fn application(reference: &str) -> Arc<Application> {
    Arc::new(Application::new(ApplicationSpec {
        reference: AppReference::Import(reference.into()),
        interface: Interface::Auto,
        lifespan: Lifespan::Auto,
        dir: "/srv".into(),
        env: Arc::default(),
        start_timeout: Duration::from_secs(60),
    }))
}

#[test]
fn what_is_written_alike_has_one_number() {
    assert_eq!(application("a:app").id, application("a:app").id);
    assert_ne!(application("a:app").id, application("b:app").id);
    let elsewhere = |reference: &AppReference, dir: &str| {
        let spec = &application("a:app").spec;
        let spec =
            ApplicationSpec { reference: reference.clone(), dir: dir.into(), ..spec.clone() };
        Application::new(spec).id
    };
    let import = AppReference::Import("a:app".into());
    assert_ne!(elsewhere(&import, "/a"), elsewhere(&import, "/b"));
    let object = AppReference::Object(1, "app".into());
    assert_eq!(elsewhere(&object, "/a"), elsewhere(&object, "/b"), "it is imported from nowhere");
}

#[test]
fn what_is_shown_of_an_application_holds_no_values_of_its_environment() {
    let spec = &application("a:app").spec;
    let env = [("SECRET_KEY", "hush"), ("LANG", "C")];
    let env = env.map(|(name, value)| (name.into(), value.into())).into();
    let shown = format!("{:?}", Application::new(ApplicationSpec { env, ..spec.clone() }));
    assert!(shown.contains("env: [\"SECRET_KEY\", \"LANG\"]"), "{shown}");
    assert!(!shown.contains("hush"), "{shown}");
}

#[test]
fn an_application_of_a_route_is_where_the_route_is() {
    let prefix = |pattern: &str, path: &str| {
        let mounted = Arc::new(MountedApplication::of_route(application("a:app"), pattern));
        mounted.at(path.as_bytes()).prefix.to_string()
    };
    assert_eq!(prefix("/x", "/x/a/b"), "/x");
    assert_eq!(prefix("/x/", "/x/a/b"), "/x");
    assert_eq!(prefix("/", "/a"), "");
    assert_eq!(prefix("/u/<name>", "/u/ada/b/c"), "/u/ada");
    assert_eq!(prefix("/u/<name>", "/u/ada"), "/u/ada");
    assert_eq!(prefix("/u/<name>/", "/u/ada/"), "/u/ada");
    assert_eq!(prefix("/<a>/<int:b>", "/x/7/y"), "/x/7");
    assert_eq!(prefix("/u/<path:rest>", "/u/ada/b/c"), "/u");
    assert_eq!(prefix("/<path:rest>", "/ada/b/c"), "");
}

#[test]
fn a_path_that_is_no_text_is_asked_at_the_root() {
    let mounted = Arc::new(MountedApplication::of_route(application("a:app"), "/u/<name>"));
    assert_eq!(&*mounted.at(b"/u/\xff/b").prefix, "");
}
