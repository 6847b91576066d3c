//! Rules and requests: where they lead, what is refused, and that no request
//! can choose another host.

use super::*;

/// `from → to` and perhaps ` status`, 302 without.
fn redirects(rules: &[&str]) -> Result<Redirects, (usize, String)> {
    Redirects::new(rules.iter().map(|rule| {
        let (from, to) = rule.split_once(" → ").unwrap();
        let (to, status) = to.split_once(" = ").unwrap_or((to, "302"));
        (from, to, status.parse().unwrap())
    }))
}

/// Where a request leads, with the status unless it is 302; `-` for nowhere.
fn led(redirects: &Redirects, raw: &str) -> String {
    match redirects.find(&Target::parse(raw).unwrap()) {
        None => "-".into(),
        Some((location, StatusCode::FOUND)) => location.to_str().unwrap().into(),
        Some((location, status)) => {
            format!("{} = {}", location.to_str().unwrap(), status.as_u16())
        }
    }
}

#[test]
fn c8_1_where_a_path_is_sent() {
    let table = [
        "/old → /new",
        "/gone → /new = 301",
        "/see → /other = 303",
        "/same → /method = 307",
        "/moved → https://new.example/ = 308",
        "/bare → https://new.example",
        "/own → /new?from=own",
        "/none → /new?",
        "/part → /page#part",
        "/user/<name> → /users/<name>",
        "/user/me → /me",
        "/n/<int:id> → /number/<id>/<id>",
        "/blog/<int:year>/<int:month> → /posts/<year>-<month>",
        "/docs/<path:rest> → https://docs.example:8443/v2/<rest>",
        "/q/<term> → /search?q=<term>&lang=en",
        "/f/<term> → /page#<term>",
        "/swap/<a>/<b> → /<b>/<a>",
        "/x<path:rest> → /<rest>",
        "/caf\u{e9} → /caf\u{e9} au lait",
        "/lang/<name> → /lang/en",
        "/enc → /a%20b",
        "/folder/ → /folder2/",
        "/upper → HTTPS://Other.Example/X",
    ];
    let table = redirects(&table).unwrap();
    let cases = [
        ("/old", "/new"),
        ("/old?a=1&b", "/new?a=1&b"),
        ("/old?", "/new?"),
        ("/gone", "/new = 301"),
        ("/see?x", "/other?x = 303"),
        ("/same", "/method = 307"),
        ("/moved?x=1", "https://new.example/?x=1 = 308"),
        ("/bare?x=1", "https://new.example?x=1"),
        // The query of the rule is instead of the request's.
        ("/own?a=1", "/new?from=own"),
        ("/none?a=1", "/new"),
        // A query stands before the fragment.
        ("/part", "/page#part"),
        ("/part?a=1", "/page?a=1#part"),
        // Exact first, then the more specific.
        ("/user/ann", "/users/ann"),
        ("/user/me", "/me"),
        ("/user/a/b", "-"),
        ("/user/", "-"),
        ("/n/007", "/number/007/007"),
        ("/n/x", "-"),
        ("/blog/2020/05", "/posts/2020-05"),
        ("/docs/a/b.html?x", "https://docs.example:8443/v2/a/b.html?x"),
        ("/docs/a/", "https://docs.example:8443/v2/a/"),
        ("/docs/", "-"),
        ("/swap/1/2", "/2/1"),
        // As sent or encoded otherwise, it is the same path.
        ("/%6fld", "/new"),
        ("//old", "/new"),
        ("/a/../old", "/new"),
        ("/old/", "-"),
        ("/Old", "-"),
        ("/folder/", "/folder2/"),
        ("/folder", "-"),
        // Captures are encoded for the place where they stand.
        ("/user/a%20b", "/users/a%20b"),
        ("/user/%C3%BC", "/users/%C3%BC"),
        ("/user/%FF", "/users/%FF"),
        ("/user/a%3Fb%23c%25d", "/users/a%3Fb%23c%25d"),
        ("/user/a:b@c+d", "/users/a:b@c+d"),
        ("/q/a%26b=c+d", "/search?q=a%26b%3Dc%2Bd&lang=en"),
        ("/q/a%20b?x", "/search?q=a%20b&lang=en"),
        ("/f/a%23b", "/page#a%23b"),
        ("/caf%C3%A9", "/caf%C3%A9%20au%20lait"),
        ("/enc", "/a%20b"),
        ("/upper", "HTTPS://Other.Example/X"),
        // Whoever has arrived is not sent on.
        ("/lang/de", "/lang/en"),
        ("/lang/en", "-"),
        // No head is broken, no host chosen.
        ("/user/a%0D%0ASet-Cookie:%20x=1", "/users/a%0D%0ASet-Cookie:%20x=1"),
        ("/q/%0D%0A", "/search?q=%0D%0A&lang=en"),
        ("/x/evil.example", "/evil.example"),
        ("/x/evil.example/y", "/evil.example/y"),
        ("/x%5Cevil.example", "/%5Cevil.example"),
        ("/x%2Fevil.example", "-"),
        ("/x%2F%2Fevil.example", "-"),
        ("/docs/%2F%2Fevil.example", "-"),
        ("/user/a%2Fb", "-"),
        ("/xyz", "/yz"),
    ];
    for (raw, expect) in cases {
        assert_eq!(led(&table, raw), expect, "{raw}");
    }
}

#[test]
fn c8_1_the_most_specific_redirect_is_first_whatever_the_order() {
    let rules = ["/<path:all> → /1", "/a/<x> → /2", "/a/<int:n> → /3", "/a/b<x> → /4", "/a/b → /5"];
    let mut turned = rules;
    turned.reverse();
    for order in [rules, turned] {
        let table = redirects(&order).unwrap();
        for (raw, expect) in [
            ("/a/b", "/5"),
            ("/a/bc", "/4"),
            ("/a/7", "/3"),
            ("/a/c", "/2"),
            ("/a/c/d", "/1"),
            ("/c", "/1"),
        ] {
            assert_eq!(led(&table, raw), expect, "{order:?} {raw}");
        }
    }
}

#[test]
fn c5_2_no_request_chooses_the_host() {
    let table = ["/<path:p> → /<p>", "/a<path:p> → /<p>", "/b/<x>/<path:p> → /<p>?<x>"];
    let pieces =
        ["/", "//", "%2F", "%5C", "\\", "a", "b", "..", ".", "evil.example", "@", "%0D%0A"];
    let mut found = 0;
    for rule in table {
        let table = redirects(&[rule]).unwrap();
        for first in pieces {
            for second in pieces {
                for third in pieces {
                    let raw = format!("/a{first}{second}{third}");
                    for raw in [&*raw, &*format!("/b/{raw}"), &*format!("/{first}{second}{third}")]
                    {
                        let Ok(target) = Target::parse(raw) else { continue };
                        let Some((location, _)) = table.find(&target) else { continue };
                        let location = location.to_str().unwrap();
                        let safe = location.starts_with('/')
                            && !location.starts_with("//")
                            && !location.starts_with("/\\");
                        assert!(safe, "{rule}: {raw} leads to {location}");
                        found += 1;
                    }
                }
            }
        }
    }
    assert!(found > 500, "{found}");
}

#[test]
fn c2_6_rules_that_cannot_be() {
    let cases = [
        ("old → /new", "begins with `/`"),
        ("/a//b → /new", "without `//`"),
        ("/a/../b → /new", "without `.` and `..`"),
        ("/<a → /new", "closed before"),
        ("/<float:a> → /new", "`int`, `path` or `string`"),
        ("/a → new", "begins with one `/`"),
        ("/a → ", "begins with one `/`"),
        ("/a → //evil.example", "begins with one `/`"),
        ("/a → /\\evil.example", "begins with one `/`"),
        ("/a → javascript:alert(1)", "begins with one `/`"),
        ("/a → ftp://new.example/", "begins with one `/`"),
        ("/a → https://", "begins with one `/`"),
        ("/a → https:///x", "begins with one `/`"),
        ("/<h> → https://<h>/", "a host without `<…>`"),
        ("/<path:r> → https://new.example<r>", "a host without `<…>`"),
        ("/a → https://b\u{fc}cher.example/", "in ASCII"),
        ("/a → https://a b/", "in ASCII"),
        ("/a → /x\r\nSet-Cookie: a=b", "control characters"),
        ("/a → /x\0", "control characters"),
        ("/a → /<b>", "no variable"),
        ("/<a> → /<b>", "`<a>`, as in the pattern, not `<b>`"),
        ("/<a>/<c> → /<b>", "`<a>` or `<c>`, as in the pattern, not `<b>`"),
        ("/<int:a> → /<int:a>", "not `<int:a>`"),
        ("/<a> → /<a", "both its brackets"),
        ("/<a> → /a>", "both its brackets"),
        ("/<a> → /x?<b>", "not `<b>`"),
        ("/<a> → /x#<b>", "not `<b>`"),
        ("/a → /100%", "`%25`"),
        ("/a → /%zz", "`%25`"),
        ("/a → /../b", "within the root"),
        ("/a → /%00", "within the root"),
        ("/a → /b = 300", "301, 302, 303, 307 or 308"),
        ("/a → /b = 200", "301, 302, 303, 307 or 308"),
        ("/a → /b = 7", "301, 302, 303, 307 or 308"),
        ("/a → /a", "another path"),
        ("/a → /a?x=1", "another path"),
        ("/a → /a#x", "another path"),
        ("/a → /%61", "another path"),
        ("/a → /b/../a", "another path"),
        ("/ → /", "another path"),
        ("/a b → /a%20b", "another path"),
    ];
    for (rule, expect) in cases {
        let (position, found) = redirects(&["/first → /x", rule]).expect_err(rule);
        assert_eq!(position, 1, "{rule}");
        assert!(found.contains(expect), "{rule}: {found}");
    }
    let twice = redirects(&["/<a>/x → /1", "/<b>/x → /2"]).expect_err("the same pattern twice");
    assert!(twice.0 == 1 && twice.1.contains("more than its names"), "{twice:?}");
}

#[test]
fn c8_1_what_is_answered_in_place_of_a_path() {
    let rules = [
        ("/", "/home.html"),
        ("/app/<path:rest>", "/index.html"),
        ("/p/<name>", "/page.py?name=<name>"),
        ("/api/<path:rest>", "/v2/<rest>"),
        ("/here", "/here"),
        ("/x<path:rest>", "/<rest>"),
    ];
    let table = Rewrites::new(rules).unwrap();
    let cases = [
        ("/", Some("/home.html")),
        ("/?x=1", Some("/home.html?x=1")),
        ("/app/a/b", Some("/index.html")),
        ("/p/a%26b?x=1", Some("/page.py?name=a%26b")),
        ("/api/a%20b/?x=%20", Some("/v2/a%20b/?x=%20")),
        ("/here", Some("/here")),
        ("/x/y", Some("/y")),
        ("/api/", None),
        ("/api/a%2Fb", None),
        ("/other", None),
    ];
    for (raw, expect) in cases {
        assert_eq!(table.find(&Target::parse(raw).unwrap()).as_deref(), expect, "{raw}");
    }
    let faults = [
        ("/a", "https://new.example/", "begins with one `/`"),
        ("/a", "//x", "begins with one `/`"),
        ("/a", "/b#c", "without a `#`"),
        ("/a", "/<b>", "no variable"),
        ("a", "/b", "begins with `/`"),
    ];
    for (from, to, expect) in faults {
        let (position, found) = Rewrites::new([(from, to)]).expect_err(to);
        assert_eq!(position, 0);
        assert!(found.contains(expect), "{from} {to}: {found}");
    }
}

#[test]
fn empty_tables_are_empty() {
    assert!(Redirects::default().is_empty() && Rewrites::default().is_empty());
    assert!(!redirects(&["/a → /b"]).unwrap().is_empty());
    assert!(!redirects(&["/<a> → /b"]).unwrap().is_empty());
    assert_eq!(redirects(&["/a → /b"]), redirects(&["/a → /b"]));
    assert_ne!(redirects(&["/a → /b"]), redirects(&["/a → /c"]));
}
