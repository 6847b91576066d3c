//! Upgrades whose successors are shells, which never serve.

use slimhttp_server::ServerConfig;
use slimhttp_site::config::Config;

use super::*;

const PATIENCE: Duration = Duration::from_secs(30);

fn server() -> Server {
    let folder = std::env::current_dir().expect("a folder");
    Server::bind(ServerConfig {
        tls: false,
        address: Some("127.0.0.1".to_owned()),
        port: Some(0),
        config: Config::default(),
        base: folder,
        handler: None,
        inherited: Vec::new(),
    })
    .expect("a free port")
}

fn upgrade(command: &[&str]) -> Upgrade {
    let invocation = Invocation::of_this_process();
    let command = command.iter().map(|part| (*part).into());
    Upgrade::new(invocation.with_command(command), Arc::default())
}

#[test]
fn one_that_fails_leaves_the_way_free_for_the_next() {
    let (server, upgrade) = (server(), upgrade(&["/bin/sh", "-c", "exit 3"]));
    assert_eq!(upgrade.look(&server, PATIENCE), Step::Serve);
    for _ in 0..2 {
        assert_eq!(upgrade.begin(&server), Step::LookAgain);
        assert_eq!(upgrade.look(&server, PATIENCE), Step::Serve);
    }
}

#[test]
fn there_is_one_at_a_time() {
    let (server, upgrade) = (server(), upgrade(&["/bin/sh", "-c", "exec sleep 1000"]));
    upgrade.begin(&server);
    let process = |upgrade: &Upgrade| match &*upgrade.state.lock() {
        State::Starting(successor) => Some(successor.pid()),
        _ => None,
    };
    let first = process(&upgrade);
    assert_eq!(upgrade.begin(&server), Step::LookAgain);
    assert_eq!(process(&upgrade), first);
    upgrade.let_go();
    upgrade.abandon(&server);
    assert_eq!(upgrade.look(&server, PATIENCE), Step::Serve);
}

#[test]
fn none_begins_where_the_program_is_gone_or_the_server_stops() {
    let (server, upgrade) = (server(), upgrade(&["/nowhere/slimhttp"]));
    assert_eq!(upgrade.begin(&server), Step::Serve);
    server.stop();
    assert!(can_begin(&State::Alone, &server).is_err());
    assert!(can_begin(&State::Replaced(1), &server).is_err());
}

#[test]
fn what_only_root_may_open_is_explained() {
    let denied = "cert: Permission denied (os error 13)";
    assert!(explain(denied, Some("www-data")).contains("`www-data`"));
    assert_eq!(explain(denied, None), denied);
    assert_eq!(explain("no such file", Some("www-data")), "no such file");
}
