//! Keys: unknown, misspelt, misplaced; the keys of `vhosts` (C2.6, C4.1).

use super::*;

#[test]
fn c2_6_a_misspelt_key_is_suggested() {
    for (written, meant) in [
        ("web_rot", "web_root"),
        ("webroot", "web_root"),
        ("web-root", "web_root"),
        ("Web_Root", "web_root"),
        ("wbe_root", "web_root"),
        ("root", "web_root"),
        ("document_root", "web_root"),
        ("indx", "index"),
        ("modul", "module"),
        ("porxy", "proxy"),
        ("proxy_pass", "proxy"),
        ("upstream", "proxy"),
        ("SSL", "ssl"),
        ("module_relaod", "module_reload"),
        ("vhost", "vhosts"),
        ("virtual_hosts", "vhosts"),
        ("bind", "addr"),
        ("listeners", "listen"),
        ("host", "addr"),
        ("prot", "port"),
        ("keepalive_timeout", "idle_timeout"),
        ("client_max_body_size", "max_body"),
        ("idle_timeuot", "idle_timeout"),
        ("ssl_certificate_key", "key"),
        ("acces_log", "access_log"),
        ("hide", "exclude"),
        ("hidden", "dotfiles"),
        ("workers", "io_threads"),
        ("threads", "python_threads"),
        ("headers", "file_headers"),
        ("reload", "module_reload"),
        ("reload_browser", "live_reload"),
        ("rewrite", "rewrites"),
    ] {
        let mut root = json!({});
        root[written] = json!("x");
        check(
            root,
            &format!(
                "{written}: expected a known option, found `{written}`\n  hint: did you mean `{meant}`?"
            ),
        );
    }
}

#[test]
fn c2_6_a_key_like_no_other_has_no_suggestion() {
    for written in ["zzz", "x", "colour", "q"] {
        let mut root = json!({});
        root[written] = json!(1);
        check(root, &format!("{written}: expected a known option, found `{written}`"));
    }
    check(json!({"": 1}), "\"\": expected a known option, found ``");
    check(json!({"no such": null}), "\"no such\": expected a known option, found `no such`");
}

#[test]
fn c2_6_a_host_at_the_top_level_is_sent_to_vhosts() {
    check(
        json!({"a.example": {"web_root": "web"}}),
        "\"a.example\": expected a known option, found `a.example`\
         \n  hint: a virtual host stands in the table `vhosts`",
    );
}

/// What TOML makes of a host name without its quotes, and of one with them.
#[test]
fn c2_6_a_host_name_that_was_cut_at_its_dots_is_told_from_one_that_was_not() {
    let fault = |place: &str, key: &str, hint: &str| {
        let hint = if hint.is_empty() { String::new() } else { format!("\n  hint: {hint}") };
        format!("{place}: expected a known option, found `{key}`{hint}")
    };
    let cut = "a host name with dots is one key: in TOML it stands in quotes, \
               `[vhosts.\"www.example.com\"]`";
    check(
        json!({"vhosts": {"www": {"example": {"com": {"web_root": "web"}}}}}),
        &fault("vhosts.www.example", "example", cut),
    );
    let whole = |key: &str| json!({"vhosts": {"www.example.com": {key: {"a": 1}}}});
    let place = |key: &str| format!("vhosts.\"www.example.com\".{key}");
    check(whole("foo"), &fault(&place("foo"), "foo", ""));
    check(
        json!({"vhosts": {"localhost": {"f o": {"a": 1}}}}),
        &fault("vhosts.localhost.\"f o\"", "f o", ""),
    );
    check(
        json!({"vhosts.www.example.com": {"web_root": "web"}}),
        &fault(
            "\"vhosts.www.example.com\"",
            "vhosts.www.example.com",
            "the quotes stand around the host alone: `[vhosts.\"www.example.com\"]`",
        ),
    );
}

#[test]
fn c2_1_what_is_global_stands_at_the_global_level_only() {
    let fault = "expected this option at the global level only";
    for (key, value, hint) in [
        ("io_threads", json!(1), "move it out of `vhosts`"),
        ("python_threads", json!(1), "move it out of `vhosts`"),
        ("addr", json!("::1"), "move it out of `vhosts`"),
        ("cert", json!("one.pem"), "move it out of `vhosts`"),
        ("grace_period", json!("nonsense"), "move it out of `vhosts`"),
        (
            "port",
            json!(80),
            "a host with its port is a key of `vhosts`, such as `example.com:8443`",
        ),
        (
            "vhosts",
            json!({}),
            "virtual hosts do not nest; `*.example.com` stands for every name below",
        ),
    ] {
        let mut scope = json!({});
        scope[key] = value;
        check(json!({"vhosts": {"a": scope}}), &format!("vhosts.a.{key}: {fault}\n  hint: {hint}"));
    }
    check(
        json!({"vhosts": {"a": {"io_thread": 1, "prot": 1, "web_rot": "x"}}}),
        "vhosts.a.io_thread: expected a known option, found `io_thread`\
         \n  hint: did you mean `io_threads`? It stands at the global level only\
         \nvhosts.a.prot: expected a known option, found `prot`\
         \n  hint: did you mean `port`? It stands at the global level only\
         \nvhosts.a.web_rot: expected a known option, found `web_rot`\
         \n  hint: did you mean `web_root`?",
    );
}

#[test]
fn c2_6_vhosts_is_a_table_of_tables() {
    let hint = "\n  hint: a host name and its options: `{'example.com': {'web_root': './web'}}`";
    for (value, fault) in [
        (json!({}), String::new()),
        (json!(null), String::new()),
        (json!({"a": {}}), String::new()),
        (json!({"a": null}), String::new()),
        (json!([]), format!("vhosts: expected a table of virtual hosts, found a list of 0{hint}")),
        (
            json!("a.example"),
            format!(
                "vhosts: expected a table of virtual hosts, found the string `a.example`{hint}"
            ),
        ),
        (json!({"a": 1}), "vhosts.a: expected a table of options, found the number `1`".to_owned()),
        (
            json!({"a": "./web"}),
            "vhosts.a: expected a table of options, found the string `./web`".to_owned(),
        ),
        (json!({"a": true}), "vhosts.a: expected a table of options, found `true`".to_owned()),
    ] {
        check(json!({ "vhosts": value }), &fault);
    }
}

#[test]
fn c4_1_keys_are_host_names() {
    for key in
        ["example.com", "EXAMPLE.com.", "bücher.example", "a:8443", "*.example.com", "[::1]:80"]
    {
        let mut root = json!({"vhosts": {}});
        root["vhosts"][key] = json!({});
        check(root, "");
    }
    check(json!({"vhosts": {"": {}}}), "vhosts.\"\": expected a host name, found an empty name");
    for key in ["a b", "http://a.example", "a/b", "a:0", "a:99999", "user@a", "a..b"] {
        let mut root = json!({"vhosts": {}});
        root["vhosts"][key] = json!({"web_rot": 1});
        let faults = compiled(&root).expect_err(key).0;
        assert_eq!(faults.len(), 2, "its options are looked at too: {faults:?}");
        assert_eq!(faults[0].place.to_string(), format!("vhosts.{key:?}"));
        assert_eq!(faults[0].found, Some(format!("`{key}`")));
    }
}

#[test]
fn c4_1_one_host_in_two_spellings_is_a_fault() {
    for (one, other) in [
        ("A.example", "a.example."),
        ("a.example", "a.example."),
        ("bücher.example", "xn--bcher-kva.example"),
        ("*.A.example", "*.a.example"),
        ("A.example:80", "a.example:80"),
        ("[0:0::1]", "[::1]"),
    ] {
        let mut root = json!({"vhosts": {}});
        root["vhosts"][one] = json!({"web_root": "web"});
        root["vhosts"][other] = json!({"web_root": "web"});
        let faults = compiled(&root).expect_err(one).0;
        assert_eq!(faults.len(), 1, "{faults:?}");
        let (first, second) = if one < other { (one, other) } else { (other, one) };
        assert_eq!(
            faults[0].to_string(),
            format!(
                "vhosts.{second:?}: expected every host once, found `{second}`, the host of `{first}`"
            )
        );
    }
    // Not the same: another port, any port, names below.
    check(
        json!({"vhosts": {"a.b": {}, "a.b:80": {}, "a.b:81": {}, "*.a.b": {}, "*.a.b:80": {}}}),
        "",
    );
    // One of the two is not given.
    check(json!({"vhosts": {"a.example": null, "A.example": {}}}), "");
}

#[test]
fn c4_1_the_name_of_a_scope_is_its_key_as_written() {
    let site = site(json!({"vhosts": {"Bücher.Example.": {}, "*.A.b": {}}}));
    assert_eq!(host(&site, "xn--bcher-kva.example").name.as_deref(), Some("Bücher.Example."));
    assert_eq!(host(&site, "x.a.b").name.as_deref(), Some("*.A.b"));
    assert_eq!(host(&site, "unknown").name, None);
}
