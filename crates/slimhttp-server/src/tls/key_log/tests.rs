//! When secrets are written.

use super::*;

#[test]
fn c10_5_secrets_are_written_while_debug_is_on_and_where_it_is_asked_for() {
    let none = SwitchedKeyLog { path: None, ..SwitchedKeyLog::default() };
    none.switch(true);
    assert!(!none.will_log("CLIENT_RANDOM"));

    let asked = SwitchedKeyLog { path: Some("/nowhere".into()), ..SwitchedKeyLog::default() };
    assert!(!asked.will_log("CLIENT_RANDOM"));
    for debug in [true, true, false, true, false] {
        asked.switch(debug);
        assert_eq!(asked.will_log("CLIENT_RANDOM"), debug);
    }
}
