//! Forms in pieces of every size: where parts begin and end, and what is none.

use super::*;

/// What has come of `body`, fed in pieces of `step` bytes, in one text; a fault is
/// its end.
fn told(body: &[u8], step: usize, longest_header: usize) -> String {
    let mut reader = Reader::new("B", longest_header);
    let mut told = String::new();
    for piece in body.chunks(step) {
        let outcome = reader.feed(piece, |event| {
            match event {
                Event::Part(part) => {
                    told += "[";
                    told += &String::from_utf8_lossy(&part.name.bytes);
                    told += ":";
                }
                Event::Data(data) => {
                    assert!(!data.is_empty());
                    told += &String::from_utf8_lossy(data);
                }
                Event::End => told += "]",
            }
            Ok::<_, MultipartError>(())
        });
        if let Err(fault) = outcome {
            return format!("{told}!{fault:?}");
        }
    }
    match reader.finish() {
        Ok(()) => told,
        Err(fault) => format!("{told}!{fault:?}"),
    }
}

/// A form of these names and values.
fn form(parts: &[(&str, &str)]) -> String {
    let mut body = String::new();
    for (name, value) in parts {
        body += "--B\r\nContent-Disposition: form-data; ";
        body += &format!("name={name}\r\n\r\n{value}\r\n");
    }
    body + "--B--\r\n"
}

#[test]
fn where_parts_begin_and_end() {
    let like_delimiters = "\r\n--\r\n-B\r\n--A\r\n\r\r\n--Bx\r\n--B \tx\r\n--B-x\r\n--B\r";
    let wide = format!("--B{}\r\n", " ".repeat(MOST_PADDING + 1));
    let cases = [
        (form(&[]), "".to_owned()),
        (form(&[("a", "1")]), "[a:1]".into()),
        (
            form(&[("a", ""), ("b", "\r\n"), ("c", "\r\n\r\n--")]),
            "[a:][b:\r\n][c:\r\n\r\n--]".into(),
        ),
        (form(&[("a", like_delimiters)]), format!("[a:{like_delimiters}]")),
        (form(&[("a", &format!("x\r\n{wide}y"))]), format!("[a:x\r\n{wide}y]")),
        // A preamble, one that looks like a delimiter, an epilogue.
        (format!("pre\r\namble\r\n{}epi\r\n--B\r\nlogue", form(&[("a", "1")])), "[a:1]".into()),
        (format!("x--B\r\n\r\n--Bx\r\n{}", form(&[("a", "1")])), "[a:1]".into()),
        (format!("\r\n{}", form(&[("a", "1")])), "[a:1]".into()),
        // Blanks behind a boundary (RFC 2046 section 5.1.1).
        (form(&[("a", "1"), ("b", "2")]).replace("--B\r\n", "--B \t \r\n"), "[a:1][b:2]".into()),
        // The line break of the header section is that of the delimiter.
        ("--B\r\nContent-Disposition: x; name=a\r\n\r\n--B--".into(), "[a:]".into()),
        ("--B\r\nContent-Disposition: x; name=a\r\n\r\n--Bx\r\n--B--".into(), "[a:--Bx]".into()),
        ("--B--".into(), "".into()),
        ("--B--more".into(), "".into()),
        // No forms.
        ("".into(), "!Incomplete".into()),
        ("nothing of the kind".into(), "!Incomplete".into()),
        ("--B".into(), "!Incomplete".into()),
        ("--B-".into(), "!Incomplete".into()),
        ("--B stray\r\n\r\n".into(), "!Incomplete".into()),
        ("--B\r\n\r\nx\r\n--B--".into(), "!Nameless".into()),
        ("--B\nContent-Disposition: x; name=a\n\n1\n--B--".into(), "!Incomplete".into()),
        ("--B\r\nContent-Disposition: x; name=a\r\n\r\n1".into(), "[a:1!Incomplete".into()),
    ];
    for (body, expected) in &cases {
        for step in (1..100).chain([4096]) {
            assert_eq!(&told(body.as_bytes(), step, 1000), expected, "{step}: {body:?}");
        }
    }
}

#[test]
fn every_byte_of_a_part_is_handed_on() {
    let every_byte: Vec<u8> = (0..=255).collect();
    let value = every_byte.repeat(700);
    let mut body = b"--B\r\nContent-Disposition: form-data; name=f; filename=x\r\n\r\n".to_vec();
    body.extend_from_slice(&value);
    body.extend_from_slice(b"\r\n--B--");
    for step in [1, 7, 4096, body.len()] {
        let mut reader = Reader::new("B", 1000);
        let mut found = Vec::new();
        for piece in body.chunks(step) {
            let fed = reader.feed(piece, |event| {
                if let Event::Data(data) = event {
                    found.extend_from_slice(data);
                }
                Ok::<_, MultipartError>(())
            });
            fed.expect("is a form");
            assert!(reader.held.len() < 200, "{} bytes are held", reader.held.len());
        }
        reader.finish().expect("is complete");
        assert!(found == value, "in pieces of {step}");
    }
}

#[test]
fn a_header_is_as_long_as_it_may_be() {
    let body = form(&[("a", "1")]);
    let header = "Content-Disposition: form-data; name=a\r\n\r\n".len();
    for step in [1, 10, 1000] {
        assert_eq!(told(body.as_bytes(), step, header), "[a:1]");
        let fault = format!("!LongHeader({})", header - 1);
        assert_eq!(told(body.as_bytes(), step, header - 1), fault);
    }
    let endless = format!("--B\r\n{}", "X: y\r\n".repeat(10_000));
    assert_eq!(told(endless.as_bytes(), 100, 1000), "!LongHeader(1000)");
}

#[test]
fn what_its_taker_refuses_ends_a_form() {
    let mut reader = Reader::new("B", 1000);
    let body = form(&[("a", "1"), ("b", "2")]);
    let mut seen = 0;
    let fed = reader.feed(body.as_bytes(), |_| {
        seen += 1;
        if seen == 2 { Err(MultipartError::ManyFields(7)) } else { Ok(()) }
    });
    assert_eq!((fed, seen), (Err(MultipartError::ManyFields(7)), 2));
}
