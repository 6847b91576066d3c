//! Forms as clients write them, whole and in pieces of every size, and what is
//! wrong with others.

use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use super::*;

const ROOMY: Limits = Limits { memory: 1 << 20, parts: 1000 };

/// Parts as a test writes them: a name, what else the disposition says, a value.
fn multipart(parts: &[(&str, &str, &str)]) -> String {
    let mut body = String::new();
    for (name, more, value) in parts {
        body += "--B\r\nContent-Disposition: form-data; ";
        body += &format!("name=\"{name}\"{more}\r\n\r\n{value}\r\n");
    }
    body + "--B--\r\n"
}

fn parse(kind: Kind, limits: Limits, body: &[u8], step: usize) -> Result<Form, FormFault> {
    let mut parser = Parser::new(kind, limits);
    for piece in body.chunks(step.max(1)) {
        parser.feed(Bytes::copy_from_slice(piece))?;
    }
    parser.finish()
}

fn bytes(form: &Form, upload: &Upload) -> Vec<u8> {
    match &upload.data {
        UploadData::Memory(held) => held.clone(),
        UploadData::File { start, length } => {
            let mut file = form.file.as_ref().expect("a file");
            file.seek(SeekFrom::Start(*start)).expect("seeks");
            let mut bytes = Vec::new();
            file.take(*length).read_to_end(&mut bytes).expect("reads");
            bytes
        }
    }
}

/// Everything a form says, in one text.
fn told(outcome: Result<Form, FormFault>) -> String {
    let form = match outcome {
        Ok(form) => form,
        Err(FormFault::Malformed(_)) => return "malformed".into(),
        Err(FormFault::TooLarge(why)) => return format!("too large: {why}"),
        Err(FormFault::Disk { folder, error }) => {
            return format!("{}: {:?}", folder.display(), error.kind());
        }
    };
    let fields = form.fields.iter().map(|(name, value)| format!("{name}={value}"));
    let uploads = form.uploads.iter().map(|upload| {
        let bytes = bytes(&form, upload);
        format!("{}<{}>{}", upload.name, upload.filename, String::from_utf8_lossy(&bytes))
    });
    fields.chain(uploads).collect::<Vec<_>>().join("|")
}

#[test]
fn kinds_by_content_type() {
    let kinds = [
        ("text/plain", Some(None)),
        ("application/x-www-form-urlencoded", Some(Some(Kind::UrlEncoded))),
        ("Application/X-WWW-Form-URLencoded; charset=utf-8", Some(Some(Kind::UrlEncoded))),
        ("multipart/form-data; boundary=B", Some(Some(Kind::Multipart("B".into())))),
        ("multipart/form-data; boundary=\"a b\"", Some(Some(Kind::Multipart("a b".into())))),
        ("multipart/mixed; boundary=B", Some(None)),
        ("multipart/form-data", None),
        ("multipart/form-data; boundary=", None),
    ];
    for (written, expected) in kinds {
        assert_eq!(Kind::of(written).ok(), expected, "{written}");
    }
    let long = format!("multipart/form-data; boundary={}", "b".repeat(71));
    assert!(Kind::of(&long).is_err());
}

#[test]
fn urlencoded_forms() {
    let cases = [
        ("", ""),
        ("a=1&b=2", "a=1|b=2"),
        ("a=1&a=2&A=3", "a=1|a=2|A=3"),
        ("a&b=&=c", "a=|b=|=c"),
        ("a+b=c%20d%26&&e=%zz", "a b=c d&|e=%zz"),
        ("n=%C3%A4%FF", "n=ä\u{fffd}"),
        ("n=ä", "n=ä"),
    ];
    for (body, expected) in cases {
        for step in [1, 3, 1000] {
            assert_eq!(told(parse(Kind::UrlEncoded, ROOMY, body.as_bytes(), step)), expected);
        }
    }
}

#[test]
fn multipart_forms_in_pieces_of_every_size() {
    let file = "; filename=\"x.txt\"\r\nContent-Type: text/plain";
    let like_a_boundary = "\r\n--\r\n-B\r\n--A\r\n\r\r\n";
    let cases = [
        (multipart(&[]), ""),
        (multipart(&[("a", "", "1"), ("a", "", ""), ("b", "", "ä\r\n")]), "a=1|a=|b=ä\r\n"),
        (multipart(&[("f", file, "text"), ("a", "", "1")]), "a=1|f<x.txt>text"),
        (multipart(&[("f", "; filename=\"\"", "")]), "f<>"),
        (multipart(&[("f", "; filename=\"..\\..\\a/b\"", "x")]), "f<..\\..\\a/b>x"),
        (multipart(&[("a", "", like_a_boundary)]), "a=\r\n--\r\n-B\r\n--A\r\n\r\r\n"),
        (format!("preamble\r\n{}epilogue", multipart(&[("a", "", "1")])), "a=1"),
        (
            multipart(&[(
                "n",
                "\r\nContent-Type: multipart/mixed; boundary=C",
                "--C\r\n\r\n--C--",
            )]),
            "n=--C\r\n\r\n--C--",
        ),
    ];
    for (body, expected) in cases {
        for step in (1..80).chain([body.len()]) {
            let kind = Kind::Multipart("B".into());
            assert_eq!(told(parse(kind, ROOMY, body.as_bytes(), step)), expected, "{step}: {body}");
        }
    }
}

#[test]
fn malformed_forms() {
    let whole = multipart(&[("a", "", "1"), ("f", "; filename=\"x\"", "2")]);
    // Every beginning of a form is none, up to the two hyphens that end it.
    for end in 0..whole.len() - 2 {
        let kind = Kind::Multipart("B".into());
        assert_eq!(told(parse(kind, ROOMY, &whole.as_bytes()[..end], 7)), "malformed", "{end}");
    }
    for body in [
        "no boundary at all",
        "--B\r\nContent-Disposition: form-data\r\n\r\nno name\r\n--B--\r\n",
        "--B\r\nno header\r\n\r\nx\r\n--B--\r\n",
        "--B\r\nA: b\0\r\n\r\nx\r\n--B--\r\n",
        "--B stray\r\n\r\n",
    ] {
        for step in [1, 5, 100] {
            let kind = Kind::Multipart("B".into());
            assert_eq!(told(parse(kind, ROOMY, body.as_bytes(), step)), "malformed", "{body}");
        }
    }
}

#[test]
fn what_a_form_may_take() {
    let limits = Limits { memory: 1000, parts: 5 };
    let fields =
        "too large: the names and fields of the form are longer than `form_memory`, 1000 bytes";
    let parts = "too large: the form has more parts than `form_parts`, 5";
    let header = "too large: the header of a part is longer than 1000 bytes";
    let long = "x".repeat(2000);
    let half = &*"x".repeat(400);
    let named = &*format!("; filename=\"{half}\"");
    let typed = &*format!("; filename=\"\"\r\nContent-Type: {half}");
    let kind = || Kind::Multipart("B".into());
    let cases = [
        (kind(), multipart(&[("a", "", "1"); 5]), "a=1|a=1|a=1|a=1|a=1".to_owned()),
        (kind(), multipart(&[("a", "", "1"); 6]), parts.into()),
        (kind(), multipart(&[("a", "", "1"); 10_000]), parts.into()),
        (kind(), multipart(&[("a", "", &long)]), fields.into()),
        (kind(), multipart(&[(&long, "", "")]), header.into()),
        (kind(), multipart(&[(half, "", ""); 2]), format!("{half}=|{half}=")),
        (kind(), multipart(&[(half, "", ""); 3]), fields.into()),
        (kind(), multipart(&[(half, "", half), ("a", "", half)]), fields.into()),
        (kind(), multipart(&[("f", "; filename=\"x\"", &long)]), format!("f<x>{long}")),
        // The name of an upload, and its header fields, one of which holds that name.
        (kind(), multipart(&[("f", named, "")]), format!("f<{half}>")),
        (kind(), multipart(&[("f", named, ""); 2]), fields.into()),
        (kind(), multipart(&[("f", typed, "")]), "f<>".into()),
        (kind(), multipart(&[("f", typed, ""); 3]), fields.into()),
        (kind(), multipart(&[("a", "", half), ("f", named, "")]), fields.into()),
        (kind(), multipart(&[("f", &"\r\nX: y".repeat(40_000), "")]), header.into()),
        (kind(), "x".repeat(200_000), "malformed".into()),
        (Kind::UrlEncoded, "a=1&".repeat(6), parts.into()),
        (Kind::UrlEncoded, format!("a={long}"), fields.into()),
        // A byte that is no UTF-8 takes three.
        (
            Kind::UrlEncoded,
            format!("a={}", "%FF".repeat(300)),
            format!("a={}", "\u{fffd}".repeat(300)),
        ),
    ];
    for (kind, body, expected) in cases {
        assert_eq!(told(parse(kind, limits, body.as_bytes(), 4096)), expected);
    }
}

#[test]
fn texts_that_grow_are_counted_as_they_are() {
    let limits = Limits { memory: 1000, parts: 5 };
    let mut body = b"--B\r\nContent-Disposition: form-data; name=a\r\n\r\n".to_vec();
    body.extend_from_slice(&[0xff; 400]);
    body.extend_from_slice(b"\r\n--B--");
    let kind = Kind::Multipart("B".into());
    assert!(matches!(parse(kind, limits, &body, 4096), Err(FormFault::TooLarge(_))));
}

#[test]
fn charsets() {
    let cases: &[(&str, &[u8], &str)] = &[
        // UTF-8, and what is none.
        ("", b"\xc3\xa4", "ä=ä|ä<ä>\u{fffd}"),
        ("", b"\xe4", "\u{fffd}=\u{fffd}|\u{fffd}<\u{fffd}>\u{fffd}"),
        // As browsers take `iso-8859-1`.
        ("iso-8859-1", b"\xe4\x80", "ä€=ä€|ä€<ä€>\u{fffd}"),
        ("koi8-r", b"\xc1", "а=а|а<а>\u{fffd}"),
        ("utf-16", b"\xc3\xa4", "ä=ä|ä<ä>\u{fffd}"),
        ("utf-16be", b"\xc3\xa4", "ä=ä|ä<ä>\u{fffd}"),
        ("martian", b"\xc3\xa4", "ä=ä|ä<ä>\u{fffd}"),
    ];
    for (charset, text, expected) in cases {
        let mut body = b"--B\r\nContent-Disposition: form-data; name=\"".to_vec();
        body.extend_from_slice(text);
        body.extend_from_slice(b"\"\r\n\r\n");
        body.extend_from_slice(text);
        body.extend_from_slice(b"\r\n--B\r\nContent-Disposition: form-data; name=\"");
        body.extend_from_slice(text);
        body.extend_from_slice(b"\"; filename=\"");
        body.extend_from_slice(text);
        body.extend_from_slice(b"\"\r\n\r\n\xff\r\n");
        // It may come behind what it speaks of.
        body.extend_from_slice(multipart(&[("_charset_", "", charset)]).as_bytes());
        let found = told(parse(Kind::Multipart("B".into()), ROOMY, &body, 7));
        assert_eq!(found.replace(&format!("_charset_={charset}|"), ""), *expected, "{charset}");
    }
    let cases = [
        ("; filename*=iso-8859-1''%E4", "", "f<ä>"),
        ("\r\nContent-Type: text/plain; charset=koi8-r", "x", "f=x"),
    ];
    for (more, value, expected) in cases {
        let found = parse(
            Kind::Multipart("B".into()),
            ROOMY,
            multipart(&[("f", more, value)]).as_bytes(),
            7,
        );
        assert_eq!(told(found), expected);
    }
    let mut body = b"--B\r\nContent-Disposition: form-data; name=\"\xc3\xa4\"\r\n".to_vec();
    body.extend_from_slice(b"Content-Type: text/plain; charset=\"KOI8-R\"\r\n\r\n\xc1\r\n--B--");
    assert_eq!(told(parse(Kind::Multipart("B".into()), ROOMY, &body, 7)), "ä=а");
    let body = b"a=%E4&_charset_=windows-1252";
    assert_eq!(told(parse(Kind::UrlEncoded, ROOMY, body, 7)), "a=ä|_charset_=windows-1252");
}

#[test]
fn a_disk_that_takes_nothing_is_named() {
    let mut spool = spool::Spool::within("/nowhere/at/all".into(), 2);
    let mut data = UploadData::default();
    spool.write(&mut data, b"ab").expect("is held in memory");
    let Err(FormFault::Disk { folder, error }) = spool.write(&mut data, b"c") else {
        panic!("there is no such folder");
    };
    assert_eq!(folder, PathBuf::from("/nowhere/at/all"));
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
}

#[test]
fn uploads_share_their_memory_and_then_lie_in_one_file() {
    let limits = Limits { memory: 1000, parts: 9 };
    let texts = ["a".repeat(400), "b".repeat(700), "c".repeat(500), "d".repeat(200)];
    let named = "; filename=\"x\"";
    let parts: Vec<_> = texts.iter().map(|text| ("f", named, text.as_str())).collect();
    for step in [1, 100, 9999] {
        let kind = Kind::Multipart("B".into());
        let form = parse(kind, limits, multipart(&parts).as_bytes(), step).expect("is a form");
        let data: Vec<_> = form.uploads.iter().map(|upload| &upload.data).collect();
        assert!(matches!(data[0], UploadData::Memory(_)));
        assert_eq!(*data[1], UploadData::File { start: 0, length: 700 }, "{step}");
        assert!(matches!(data[2], UploadData::Memory(_)));
        assert_eq!(*data[3], UploadData::File { start: 700, length: 200 }, "{step}");
        for (upload, text) in form.uploads.iter().zip(&texts) {
            assert_eq!(bytes(&form, upload), text.as_bytes());
        }
    }
}
