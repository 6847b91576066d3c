//! Header sections: fields as they are and as they are not.

use super::*;

fn section(lines: &[&str]) -> Vec<u8> {
    lines.join("\r\n").into_bytes()
}

const NAMED: &str = "Content-Disposition: form-data; name=a";

#[test]
fn fields_and_what_they_say() {
    let long = "content-DISPOSITION \t: form-data; name=a";
    type Row<'r> = (&'r [&'r str], &'r [(&'r str, &'r str)], Option<&'r str>);
    let cases: &[Row<'_>] = &[
        (&[NAMED], &[("content-disposition", "form-data; name=a")], None),
        (
            &["X-First:", "content-DISPOSITION:form-data; name=a \t", "Content-Type: a/b"],
            &[
                ("x-first", ""),
                ("content-disposition", "form-data; name=a"),
                ("content-type", "a/b"),
            ],
            None,
        ),
        (
            &[NAMED, "Content-Type: text/plain; Charset=\"ISO-8859-1\""],
            &[
                ("content-disposition", "form-data; name=a"),
                ("content-type", "text/plain; Charset=\"ISO-8859-1\""),
            ],
            Some("ISO-8859-1"),
        ),
        (
            &["Content-Disposition: form-data;", "\tname=", " a"],
            &[("content-disposition", "form-data;\tname= a")],
            None,
        ),
    ];
    for (lines, fields, charset) in cases {
        let part = Part::parse(&section(lines)).expect("is a header");
        assert_eq!(part.name.bytes, b"a", "{lines:?}");
        assert_eq!(part.charset.as_deref(), *charset, "{lines:?}");
        let found: Vec<_> = part
            .fields
            .iter()
            .map(|(name, value)| (name.as_str(), str::from_utf8(value).expect("is UTF-8")))
            .collect();
        assert_eq!(found, *fields, "{lines:?}");
    }
    assert!(Part::parse(&section(&[long])).is_err());
}

#[test]
fn values_are_of_any_bytes_that_browsers_write() {
    let mut header = b"Content-Disposition: form-data; name=\"".to_vec();
    let name: Vec<u8> = (1..=255).filter(|byte| !b"\r\n\"\\".contains(byte)).collect();
    header.extend_from_slice(&name);
    header.push(b'"');
    assert_eq!(Part::parse(&header).expect("is a header").name.bytes, name);
}

#[test]
fn what_is_no_header() {
    let stray = MultipartError::Header("the header of a part has a stray line break or NUL");
    let many: Vec<_> = [NAMED].into_iter().chain([("X: y"); MOST_FIELDS]).collect();
    let cases: &[(&[&str], MultipartError)] = &[
        (&[], MultipartError::Nameless),
        (&["X: y"], MultipartError::Nameless),
        (&["Content-Disposition: form-data"], MultipartError::Nameless),
        (&["Content-Disposition: form-data; filename=x"], MultipartError::Nameless),
        (&[NAMED, NAMED], MultipartError::Header("a part has two fields `Content-Disposition`")),
        (
            &[NAMED, "no field"],
            MultipartError::Header("a line in the header of a part is no field"),
        ),
        (
            &[" X: y", NAMED],
            MultipartError::Header("a field in the header of a part has no proper name"),
        ),
        (
            &[NAMED, "X y: z"],
            MultipartError::Header("a field in the header of a part has no proper name"),
        ),
        (
            &[NAMED, ": z"],
            MultipartError::Header("a field in the header of a part has no proper name"),
        ),
        (&[NAMED, "X: a\nb"], stray),
        (&[NAMED, "X: a\rb"], stray),
        (&[NAMED, "X: a\0b"], stray),
        (&many, MultipartError::ManyFields(MOST_FIELDS)),
    ];
    for (lines, expected) in cases {
        assert_eq!(Part::parse(&section(lines)), Err(*expected), "{lines:?}");
    }
    assert!(Part::parse(&section(&many[..MOST_FIELDS])).is_ok());
}
