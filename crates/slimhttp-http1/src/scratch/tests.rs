//! What is kept of a head that comes in pieces.

use super::*;

#[test]
fn what_is_kept_of_a_head_is_no_larger_than_it() {
    let bounds = Bounds { head: 1 << 20, fields: 1000, target: 100 };
    let mut scratch = Scratch::default();
    let many = format!("GET / HTTP/1.0\r\n{}\r\n", "A: b\r\n".repeat(1000));
    scratch.begin(Part::Request, bounds);
    let read = scratch.read(Part::Request, many.as_bytes());
    assert_eq!((read, scratch.section.lines.len()), (Ok(Some(many.len())), 1000));

    scratch.begin(Part::Request, bounds);
    assert_eq!(scratch.read(Part::Request, b"GET / HTTP/1.0\r\nA: b\r\nC"), Ok(None));
    let kept = scratch.take();
    assert_eq!((kept.section.lines.len(), kept.section.lines.capacity()), (1, 1));
}
