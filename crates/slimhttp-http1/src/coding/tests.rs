//! Lists of lengths; those of requests are vectors of `server`.

use super::*;

#[test]
fn a_list_of_equal_lengths_is_one_of_them() {
    const DIFFERENT: Fault = Fault::Malformed("Content-Length says different lengths");
    const NO_NUMBER: Fault = Fault::Malformed("Content-Length is not a number");
    for (value, length) in [
        ("5", Ok(5)),
        ("5,5", Ok(5)),
        ("5 ,\t5 , 5", Ok(5)),
        ("0, 0", Ok(0)),
        ("5, 05", Ok(5)),
        ("5, 6", Err(DIFFERENT)),
        ("5, 5, 50", Err(DIFFERENT)),
        ("", Err(NO_NUMBER)),
        ("5,", Err(NO_NUMBER)),
        (",5", Err(NO_NUMBER)),
        ("5 5", Err(NO_NUMBER)),
        ("5;5", Err(NO_NUMBER)),
        ("-5", Err(NO_NUMBER)),
        ("18446744073709551613", Ok(u64::MAX - 2)),
        ("18446744073709551614", Err(Fault::ContentTooLong)),
        ("18446744073709551616", Err(Fault::Malformed("Content-Length is out of range"))),
    ] {
        assert_eq!(content_length_list(value.as_bytes()), length, "{value}");
    }
}
