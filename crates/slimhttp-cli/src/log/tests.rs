//! What `SLIMHTTP_LOG` and `NO_COLOR` choose.

use tracing_subscriber::filter::LevelFilter;

use super::{colour, filter};

#[test]
fn the_variable_takes_a_level_or_directives() {
    let table: &[(&str, Option<&str>)] = &[
        ("", Some("_slimhttp=info,slimhttp=info,warn")),
        ("debug", Some("_slimhttp=debug,slimhttp=debug,warn")),
        (" WARN ", Some("_slimhttp=warn,slimhttp=warn,warn")),
        // Libraries are not louder than ourselves.
        ("error", Some("_slimhttp=error,slimhttp=error,error")),
        ("off", Some("off")),
        (
            "hyper=debug,slimhttp_server::proxy=trace",
            Some("slimhttp_server::proxy=trace,hyper=debug"),
        ),
        ("slimhttp=loud", None),
    ];
    for (chosen, expected) in table {
        let found = filter(chosen).ok().map(|filter| {
            let mut directives: Vec<_> = filter.to_string().split(',').map(str::to_owned).collect();
            directives.sort();
            directives
        });
        let expected = expected.map(|text| {
            let mut directives: Vec<_> = text.split(',').map(str::to_owned).collect();
            directives.sort();
            directives
        });
        assert_eq!(found, expected, "{chosen:?}");
    }
}

#[test]
fn a_level_says_how_much_is_heard() {
    assert_eq!(filter("trace").expect("a level").max_level_hint(), Some(LevelFilter::TRACE));
    assert_eq!(filter("off").expect("a level").max_level_hint(), Some(LevelFilter::OFF));
}

#[test]
fn colour_needs_a_terminal_and_no_veto() {
    for (no_color, terminal, expected) in [
        (None, true, true),
        (None, false, false),
        (Some(""), true, true),
        (Some("1"), true, false),
        (Some("0"), true, false),
    ] {
        assert_eq!(colour(no_color.map(Into::into), terminal), expected, "{no_color:?} {terminal}");
    }
}
