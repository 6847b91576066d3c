//! That nothing is left out.

use clap_complete::Shell;

use super::{completion, page};
use crate::options::Options;

const FLAGS: &[&str] = &[
    "addr",
    "port",
    "index",
    "access-log",
    "scripts",
    "debug",
    "io-threads",
    "json",
    "roll-over-account-key",
];
const COMMANDS: &[&str] = &["serve", "run", "check", "certificates", "completion", "man"];

#[test]
fn every_shell_completes_every_command_and_flag() {
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Elvish, Shell::PowerShell] {
        let script = completion(Options::full_command("python -m slimHTTP"), shell);
        let script = String::from_utf8(script).expect("UTF-8");
        for word in FLAGS.iter().chain(COMMANDS) {
            assert!(script.contains(word), "{shell}: {word}");
        }
        assert!(script.contains("slimhttp") && !script.contains("_python"), "{shell}");
    }
}

#[test]
fn the_page_has_the_options_of_every_command() {
    let page = page(Options::full_command("python -m slimHTTP")).expect("a page");
    let page = String::from_utf8(page).expect("UTF-8");
    assert!(page.contains(".TH slimhttp 1"), "{page}");
    for flag in FLAGS {
        assert!(page.contains(&flag.replace('-', "\\-")), "{flag} in {page}");
    }
    for heading in ["NAME", "SYNOPSIS", "OPTIONS OF SERVE", "OPTIONS OF RUN", "OPTIONS OF CHECK"] {
        assert!(page.contains(heading), "{heading} in {page}");
    }
    assert!(page.contains("SLIMHTTP_LOG"), "{page}");
}
