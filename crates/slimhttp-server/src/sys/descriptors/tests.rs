//! How many descriptors are reserved for what.

use crate::sys::descriptors::Shares;

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
