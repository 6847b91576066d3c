//! A Rust program that embeds the server: a folder, and a handler of its own.
//!
//! `cargo run -p slimhttp-server --example embed -- DIR [PORT]`, then open the URL
//! that it prints; `/hello` is answered by the program.

use std::sync::Arc;

use slimhttp_server::{Answer, AnswerFuture, Body, Callee, Handler, Request, Server, ServerConfig};
use slimhttp_site::config::Config;
use slimhttp_site::methods::Methods;
use slimhttp_site::route::{HandlerId, Route, RouteKind};
use slimhttp_site::value::{Table, Value};

struct Hello;

impl Handler for Hello {
    fn call(&self, _callee: Callee, request: Arc<Request>) -> AnswerFuture {
        let greeting = format!("Hello, {}!\n", request.peer);
        Box::pin(async { Ok(Answer::Reply(http::Response::new(Body::from(greeting)))) })
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().unwrap_or_else(|| ".".into());
    let port = arguments.next().map_or(Ok(8080), |port| port.parse())?;
    let config = Config::new(Table::unit("web_root".into(), Value::from(folder.as_str())));
    let server = Server::bind(ServerConfig {
        tls: false,
        address: Some("127.0.0.1".into()),
        port: Some(port),
        config,
        base: std::env::current_dir()?,
        handler: Some(Arc::new(Hello)),
        inherited: Vec::new(),
    })?;
    let hello = Route {
        pattern: "/hello".into(),
        methods: Methods::Any,
        prefix: false,
        kind: RouteKind::Whole,
        handler: HandlerId(1),
    };
    server
        .live()
        .update(|draft| draft.routes.register(None, hello))?
        .map_err(|fault| fault.to_string())?;
    server.start()?;
    #[expect(clippy::print_stdout, reason = "the program speaks to its user")]
    {
        println!("{}", server.greeting());
    }
    server.wait(std::time::Duration::MAX);
    Ok(())
}
