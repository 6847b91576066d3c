//! Applications of routes in a plan: where they answer, and with which handshake.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::compile::Routes;
use crate::compile::tests::compiled_with;
use crate::routing::application::{AppReference, Application, ApplicationSpec, Lifespan};
use crate::routing::route::Route;

/// A site with a route for `pattern` that an application of `interface` answers.
fn with_route(pattern: &str, prefix: bool, interface: Interface) -> Site {
    let application = Arc::new(Application::new(ApplicationSpec {
        reference: AppReference::Object(1, "app".into()),
        interface,
        lifespan: Lifespan::Auto,
        dir: "".into(),
        env: Arc::default(),
        start_timeout: Duration::from_secs(60),
    }));
    let mut routes = Routes::default();
    let mounted = Arc::new(MountedApplication::of_route(application, pattern));
    let route = Route {
        pattern: pattern.into(),
        methods: Methods::Any,
        prefix,
        kind: RouteKind::Application(mounted),
        handler: HandlerId(1),
    };
    routes.register(None, route).unwrap();
    compiled_with(&json!({"web_root": "w"}), &routes).unwrap()
}

/// The actions for a target, that asks for a WebSocket if `upgrade`.
fn planned(site: &Site, target: &str, upgrade: bool) -> String {
    let uri: Uri = target.parse().unwrap();
    let mut headers = HeaderMap::new();
    headers.insert(HOST, "h".parse().unwrap());
    if upgrade {
        for (name, value) in [
            ("connection", "upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
    }
    let version = Version::HTTP_11;
    let plan = site.plan(&Head {
        method: &Method::GET,
        uri: &uri,
        version,
        headers: &headers,
        transport: TRANSPORT,
    });
    let told = plan.actions.iter().map(|action| match action {
        Action::Application(app, None) => format!("request below `{}`", app.prefix),
        Action::Application(app, Some(_)) => format!("websocket below `{}`", app.prefix),
        Action::File(_) => "file".to_owned(),
        other => format!("{other:?}"),
    });
    told.collect::<Vec<_>>().join(", ")
}

#[test]
fn c11_2_an_application_answers_its_route_and_nobody_stands_behind_it() {
    let site = with_route("/x", true, Interface::Asgi);
    assert!(site.has_applications);
    assert_eq!(site.applications().count(), 1);
    assert_eq!(planned(&site, "/x/a", false), "request below `/x`");
    assert_eq!(planned(&site, "/x", true), "websocket below `/x`");
    assert_eq!(planned(&site, "/y", false), "file");
}

#[test]
fn c11_2_an_application_answers_below_what_its_pattern_takes() {
    let site = with_route("/u/<name>", true, Interface::Asgi);
    assert_eq!(planned(&site, "/u/a%20b/c", false), "request below `/u/a b`");
    let site = with_route("/u/<path:rest>", false, Interface::Asgi);
    assert_eq!(planned(&site, "/u/a/b", false), "request below `/u`");
}

#[test]
fn c11_4_wsgi_knows_no_websocket() {
    let site = with_route("/x", true, Interface::Wsgi);
    assert_eq!(planned(&site, "/x", true), "request below `/x`");
}
