//! What is fixed at start (C3.4).

use super::*;

#[test]
fn c3_4_the_same_address_and_port_are_fine() {
    let listener = FirstListener { endpoint: Endpoint::tcp("", 0), ..everywhere() };
    for written in [json!({}), json!({"port": 0}), json!({"port": 8080}), json!({"addr": ""})] {
        let site = compile(&config(&written), &Routes::default(), &env(&listener), None);
        assert!(site.is_ok(), "{written}: {site:?}");
    }
    for (started, written) in [
        ("::1", "::1"),
        ("::1", "[::1]"),
        ("[::1]", "0:0:0:0:0:0:0:1"),
        ("127.0.0.1", "127.0.0.1"),
        ("Server.Example", "server.example."),
    ] {
        let listener = FirstListener { endpoint: Endpoint::tcp(started, 8080), ..everywhere() };
        let config = config(&json!({ "addr": written }));
        let site = compile(&config, &Routes::default(), &env(&listener), None);
        assert!(site.is_ok(), "{started} {written}: {site:?}");
    }
}

#[test]
fn c3_4_another_address_or_port_is_a_fault_that_says_how() {
    check(
        json!({"port": 9090}),
        "port: expected `8080`, the port it was started with, found `9090`\
         \n  hint: address and port are fixed at start: start another instance with \
         `slimHTTP.server(…, port=9090)` and close this one, or name it in `listen`",
    );
    check(
        json!({"addr": "127.0.0.1"}),
        "addr: expected an empty text (every interface), the address it was started with, \
         found `127.0.0.1`\
         \n  hint: address and port are fixed at start: start another instance with \
         `slimHTTP.server(…, addr='127.0.0.1')` and close this one, or name it in `listen`",
    );
    let listener = FirstListener { endpoint: Endpoint::tcp("::1", 8080), ..everywhere() };
    let config = config(&json!({"addr": "", "port": 80}));
    let faults =
        compile(&config, &Routes::default(), &env(&listener), None).expect_err("another address");
    assert_eq!(
        faults.0.iter().map(|fault| fault.expected.as_str()).collect::<Vec<_>>(),
        ["`::1`, the address it was started with", "`8080`, the port it was started with"]
    );
}

#[test]
fn c3_4_the_numbers_of_threads_are_fixed_once_running() {
    let routes = Routes::default();
    let first = site(json!({"io_threads": 2}));
    assert_eq!((first.service.io_threads, first.service.python_threads), (2, 1));
    assert_eq!(site(json!({})).service.io_threads, 4, "the number of processors");
    for (written, fault) in [
        (json!({"io_threads": 2, "python_threads": 1}), ""),
        // What is not given stays what it is.
        (json!({}), ""),
        (
            json!({"user": "www"}),
            "user: expected nobody in particular, as it was started, found `www`\
             \n  hint: `user` is fixed at start: start the server anew to change it",
        ),
        (
            json!({"log": "debug"}),
            "log: expected none, as it was started, found `debug`\
             \n  hint: `log` is fixed at start: start the server anew to change it",
        ),
        (
            json!({"io_threads": 3}),
            "io_threads: expected `2`, the number it was started with, found `3`\
             \n  hint: `io_threads` is fixed at start: start the server anew to change it",
        ),
        (
            json!({"python_threads": 8}),
            "python_threads: expected `1`, the number it was started with, found `8`\
             \n  hint: `python_threads` is fixed at start: start the server anew to change it",
        ),
    ] {
        let changed = change((&first, &routes), &config(&written), &routes);
        match changed {
            Ok(site) => {
                assert_eq!(fault, "");
                assert_eq!(site.service.io_threads, 2);
            }
            Err(faults) => assert_eq!(faults.to_string(), fault),
        }
    }
}

#[test]
fn c3_4_another_log_is_a_fault_that_says_which_it_was_started_with() {
    let routes = Routes::default();
    let first = site(json!({"log": "slimhttp_server=debug,json"}));
    let changed = change((&first, &routes), &config(&json!({"log": "warn"})), &routes);
    assert_eq!(
        changed.expect_err("another log").to_string(),
        "log: expected `slimhttp_server=debug,json`, as it was started, found `warn`\
         \n  hint: `log` is fixed at start: start the server anew to change it"
    );
}

#[test]
fn c2_6_the_file_of_the_memory_may_be_new_and_its_folder_may_not() {
    check(json!({"persist": "new.db"}), "");
    check(
        json!({"persist": "missing/x.db"}),
        "persist: expected a file in a folder that exists, found `/base/missing/x.db`",
    );
    check(json!({"persist": "web"}), "persist: expected a file, found `/base/web`, a folder");
}

#[test]
fn c3_4_every_other_service_option_may_change() {
    let routes = Routes::default();
    let first = site(json!({}));
    let written = config(&json!({"max_connections": 5, "quiet": true}));
    let second = change((&first, &routes), &written, &routes).expect("valid");
    assert_eq!((second.service.max_connections, second.service.quiet), (5, true));
    assert_eq!(second.service.per_client.most, 50);
    assert!(Arc::ptr_eq(&second.global, &first.global), "the scopes do not notice");
}

#[test]
fn bodies_have_a_quarter_of_the_memory_unless_told_otherwise() {
    let listener = everywhere();
    for (memory, written, bytes) in [
        (Some(4 << 30), json!({}), 1 << 30),
        (Some(512 << 20), json!({}), 128 << 20),
        (Some(32 << 20), json!({}), 16 << 20),
        (None, json!({}), 256 << 20),
        (Some(512 << 20), json!({"max_body_memory": "1GiB"}), 1 << 30),
        (None, json!({"max_body_memory": 1024}), 1024),
    ] {
        let env = CompileEnv { memory, ..env(&listener) };
        let site = compile(&config(&written), &Routes::default(), &env, None);
        let found = site.map(|site| site.service.max_body_memory);
        assert_eq!(found.ok(), Some(bytes), "{memory:?} {written}");
    }
}
