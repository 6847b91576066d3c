//! How many descriptors are reserved for what.

use crate::sys::descriptors::{ExtraDescriptors, Shares, open};

#[test]
fn the_last_descriptors_are_nobody_s() {
    for (limit, accepting, opening, upstreams) in [
        (16, 8, 12, 4),
        (64, 48, 56, 24),
        (256, 224, 240, 112),
        (1024, 896, 960, 448),
        (20_000, 18_976, 19_488, 9_488),
        (1 << 20, (1 << 20) - 1024, (1 << 20) - 512, ((1 << 20) - 1024) / 2),
    ] {
        assert_eq!(Shares::of(limit), Shares { accepting, opening, upstreams }, "{limit}");
    }
    let unlimited = Shares::of(usize::MAX);
    assert!(unlimited.accepting < unlimited.opening && unlimited.opening < usize::MAX);
}

#[test]
fn what_can_be_done_without_is_counted_and_not_taken_of_the_last() {
    let unlimited = Shares::of(usize::MAX);
    let taken = ExtraDescriptors::take_of(unlimited, 3).expect("there is room");
    // Other tests of this process may have some too.
    assert!(open() >= 3);
    let full = Shares { accepting: 5, ..unlimited };
    assert!(ExtraDescriptors::take_of(full, 3).is_none());
    drop(taken);
    assert!(ExtraDescriptors::take_of(full, 6).is_none());
}
