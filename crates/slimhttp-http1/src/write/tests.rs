//! Numbers as they are written.

use super::*;

#[test]
fn numbers_are_written_as_others_write_them() {
    let powers = (0..64).map(|power| 1u64 << power);
    let numbers = powers.flat_map(|power| [power - 1, power, power + 1]).chain([u64::MAX]);
    for number in numbers {
        let mut out = Vec::new();
        content_length(&mut out, number);
        assert_eq!(out, format!("content-length: {number}\r\n").into_bytes());
        if number > 0 {
            let frame = DataFrame::chunk(number);
            assert_eq!(frame.before(), format!("{number:x}\r\n").as_bytes());
        }
    }
}
