//! Files before an application: what they answer, and what is left to it.

use bytes::Bytes;
use http::{Request as HttpRequest, header};
use http_body_util::BodyExt as _;
use slimhttp_site::value::{Table, Value};

use super::*;
use crate::api::handler::{AnswerFuture, Handler};
use crate::context::testing;
use crate::exchange::answer::answer;

/// Answers with what was called.
struct Named;

impl Handler for Named {
    fn call(&self, callee: Callee, _request: Arc<Request>) -> AnswerFuture {
        let name = match callee {
            Callee::Application(app, _) => format!("application below `{}`", app.prefix),
            Callee::Script { path, .. } => format!("script {:?}", path.file_name().expect("one")),
            _ => "another".to_owned(),
        };
        Box::pin(async move { Ok(Answer::Reply(Response::new(Body::from(name)))) })
    }
}

#[tokio::test]
async fn c11_1_regular_files_stand_before_an_application_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, content) in [
        ("a.css", "a file"),
        ("page.html", "a page"),
        ("run.py", "code"),
        (".hidden", "hidden"),
        ("with/index.html", "an index"),
        ("without/b.txt", "b"),
    ] {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, content).expect("a file");
    }
    let table = |scripts: bool| {
        let mut options = vec![
            ("app", Value::from("shop:app")),
            ("app_dir", Value::from("/nowhere")),
            ("web_root", Value::from(folder.path().to_str().expect("text"))),
            ("listing", Value::from(true)),
            ("fallback", Value::from("/page.html")),
        ];
        options.extend(scripts.then(|| ("scripts", Value::from(true))));
        Table::from_iter(options.into_iter().map(|(key, value)| (Arc::from(key), value)))
    };
    let mounts = Table::from_iter([
        (Arc::from("/m"), Value::from(table(false))),
        (Arc::from("/run"), Value::from(table(true))),
    ]);
    let options = [("mounts", Value::from(mounts)), ("web_root", Value::from("/none"))];
    let shared = testing::server_with_handler(options, RouteKind::Whole, Named);
    let application = "200 application below `/m`";
    for (asked, expected) in [
        ("GET /m/a.css", "200 a file"),
        ("HEAD /m/a.css", "200 "),
        ("POST /m/a.css", application),
        ("OPTIONS /m/a.css", application),
        ("GET /m/with/", "200 an index"),
        ("GET /m/with", "301 /m/with/"),
        ("GET /m/without/", application),
        ("GET /m/without", application),
        ("GET /m/without/b.txt", "200 b"),
        ("GET /m", application),
        ("GET /m/", application),
        ("GET /m/none", application),
        ("GET /m/.hidden", application),
        ("GET /m/a%2Fcss", application),
        ("GET /m/run.py", application),
        ("POST /m/run.py", application),
        ("GET /run/run.py", "200 script \"run.py\""),
        ("POST /run/run.py", "200 script \"run.py\""),
        ("POST /run/none.py", "200 application below `/run`"),
        ("GET /none", "404"),
    ] {
        let (method, target) = asked.split_once(' ').expect("a method and a target");
        let request = HttpRequest::builder().method(method).uri(target).header("host", "a");
        let request = request.header(header::ACCEPT, "text/html");
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        let body = RequestBody::Collected(Bytes::new());
        let response = answer(testing::connection(&shared), Box::new(parts), body, None).await;
        let (head, body) = response.into_parts();
        let mut found = head.status.as_u16().to_string();
        if head.status == 301 {
            found = format!("{found} {}", head.headers[header::LOCATION].to_str().expect("text"));
        } else if head.status != 404 {
            let body = body.collect().await.expect("a body").to_bytes();
            found = format!("{found} {}", String::from_utf8_lossy(&body));
        }
        assert_eq!(found, expected, "{asked}");
    }
}
