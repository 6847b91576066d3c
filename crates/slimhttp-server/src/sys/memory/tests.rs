//! What bodies hold together. The count is the process's, so one test does it all.

use super::*;

fn gathered(pieces: &[usize], announced: Option<u64>, most: u64) -> Result<Bytes, Refusal> {
    let mut body = BodyBuffer::new(announced, most);
    for (number, length) in pieces.iter().enumerate() {
        body.push(vec![number as u8 + 1; *length].into())?;
        assert_eq!(body.len(), pieces[..=number].iter().sum::<usize>() as u64);
    }
    Ok(body.finish())
}

#[test]
fn bodies_are_held_within_a_bound_and_given_back() {
    const MOST: u64 = 10 << 20;
    let held = || HELD.held();

    // Whatever the pieces, the body is their bytes, and counts as long as anybody
    // holds a part of it.
    for pieces in [
        &[][..],
        &[0],
        &[5],
        &[5, 7],
        &[1, 0, 2],
        &[PIECE],
        &[PIECE, 1],
        &[1, PIECE, PIECE + 1, 3],
        &[300_000; 20],
    ] {
        let length: usize = pieces.iter().sum();
        let expected: Vec<u8> = (1..)
            .zip(pieces)
            .flat_map(|(number, length)| std::iter::repeat_n(number, *length))
            .collect();
        for announced in [None, Some(length as u64)] {
            let body = gathered(pieces, announced, MOST).expect("it fits");
            assert!(*body == *expected, "{pieces:?}");
            assert_eq!(held(), length as u64, "{pieces:?}");
            let part = body.slice(..length / 2);
            drop(body);
            assert_eq!(held(), if part.is_empty() { 0 } else { length as u64 });
            drop(part);
            assert_eq!(held(), 0);
        }
    }

    // Only one that is put together of many pieces is copied for long.
    for (pieces, is_long) in
        [(&[5, 7][..], false), (&[2 * PIECE], false), (&[PIECE / 2; 2], false), (&[PIECE; 2], true)]
    {
        let mut body = BodyBuffer::new(None, MOST);
        for length in pieces {
            body.push(vec![0; *length].into()).expect("it fits");
        }
        assert_eq!(body.is_long(), is_long, "{pieces:?}");
    }

    // What goes beyond the bound is refused, and what it had is free again.
    let one = gathered(&[4 << 20, 2 << 20], None, MOST).expect("it fits");
    assert_eq!(gathered(&[3 << 20, 2 << 20], None, MOST), Err(Refusal::MemoryFull));
    assert_eq!(held(), 6 << 20);
    let two = gathered(&[3 << 20, 1 << 20], None, MOST).expect("it fits");
    assert_eq!(gathered(&[1], None, MOST), Err(Refusal::MemoryFull));
    drop(one);
    assert_eq!(gathered(&[11 << 20], None, MOST), Err(Refusal::ContentTooLarge(MOST)));
    assert_eq!(gathered(&[8 << 20, 3 << 20], None, MOST), Err(Refusal::MemoryFull));
    drop(two);
    assert_eq!(gathered(&[8 << 20, 3 << 20], None, MOST), Err(Refusal::ContentTooLarge(MOST)));
    assert_eq!(held(), 0);
}
