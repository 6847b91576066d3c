//! The side of a handler, as its number says it.

use super::*;

#[test]
fn the_number_of_a_handler_says_where_it_runs() {
    for count in [0, 1, 2, 1 << 40] {
        for side in [Side::Thread, Side::Loop] {
            assert_eq!(side_of(handler_id(count, side)), side);
        }
    }
    assert_ne!(handler_id(1, Side::Thread), handler_id(1, Side::Loop));
}
