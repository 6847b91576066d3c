//! Which signals are ignored, as the system lists them.

use super::read_ignored;

#[test]
fn what_is_ignored_is_read_from_the_status_of_the_process() {
    for (status, ignored) in [
        ("Name:\tslimhttp\nSigBlk:\t0000000000000001\nSigIgn:\t0000000000001003\n", 0x1003),
        ("SigIgn:\t0000000000000000\n", 0),
        ("SigIgn:\tnonsense\n", 0),
        ("Name:\tslimhttp\n", 0),
        ("", 0),
    ] {
        assert_eq!(read_ignored(status), ignored, "{status:?}");
    }
}
