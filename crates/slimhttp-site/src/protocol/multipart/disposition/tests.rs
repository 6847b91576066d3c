//! `Content-Disposition` as clients write it, a row for each way.

use super::*;

/// The name, a charset before it where it has its own; bytes that are no UTF-8 as
/// `\xe4`.
fn shown(name: Option<&Name>) -> String {
    let Some(Name { bytes, charset }) = name else { return "none".into() };
    let charset = charset.as_ref().map(|charset| format!("({charset})")).unwrap_or_default();
    let text = match str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.escape_ascii().to_string(),
    };
    charset + &text
}

fn check(rows: &[(&str, &[u8], &str, &str)]) {
    for (client, value, name, filename) in rows {
        let found = Disposition::parse(value);
        let found = (shown(found.name.as_ref()), shown(found.filename.as_ref()));
        assert_eq!(found, ((*name).to_owned(), (*filename).to_owned()), "{client}");
    }
}

#[test]
fn as_clients_write_names() {
    check(&[
        ("a field", b"form-data; name=\"a\"", "a", "none"),
        ("Firefox, Chrome, Safari: a file", b"form-data; name=\"f\"; filename=\"a b.txt\"", "f", "a b.txt"),
        ("browsers: no file chosen", b"form-data; name=\"f\"; filename=\"\"", "f", ""),
        ("browsers: a Blob", b"form-data; name=\"f\"; filename=\"blob\"", "f", "blob"),
        ("browsers: UTF-8", "form-data; name=\"\u{e4}\"; filename=\"\u{65e5}.txt\"".as_bytes(), "\u{e4}", "\u{65e5}.txt"),
        ("browsers: a page in Latin-1", b"form-data; name=\"\xe4\"; filename=\"\xfc.txt\"", "\\xe4", "\\xfc.txt"),
        ("browsers: a quotation mark", b"form-data; name=\"a%22b\"; filename=\"c%22.txt\"", "a\"b", "c\".txt"),
        ("browsers: line breaks", b"form-data; name=\"a%0D%0Ab\"; filename=\"c%0Ad\"", "a\r\nb", "c\nd"),
        ("browsers: a percent sign is itself", b"form-data; name=\"%41%2f%\"; filename=\"100%25\"", "%41%2f%", "100%25"),
        ("browsers: a backslash is itself", b"form-data; name=\"a\\b\"; filename=\"c\\d.txt\"", "a\\b", "c\\d.txt"),
        ("browsers: one at the end", b"form-data; name=\"a\\\"; filename=\"b\\\"", "a\\", "b\\"),
        ("browsers: one at the end of a field", b"form-data; name=\"a\\\"", "a\\", "none"),
        ("browsers: one, and no file chosen", b"form-data; name=\"a\\\"; filename=\"\"", "a\\", ""),
        ("browsers: what looks like a parameter", b"form-data; name=\"a\\\"; filename=\"; name=b\"", "a\\", "; name=b"),
        ("Internet Explorer: a path", b"form-data; name=\"f\"; filename=\"C:\\dir\\a.txt\"", "f", "C:\\dir\\a.txt"),
        ("curl from 7.81 on", b"form-data; name=\"a%22\"; filename=\"b\\c%22.txt\"", "a\"", "b\\c\".txt"),
        ("curl before", b"form-data; name=\"a\\\"b\"; filename=\"c\\\\d\\\"; name=\\\"e.txt\"", "a\"b", "c\\d\"; name=\"e.txt"),
        ("curl before: a mark at the end", b"form-data; name=\"a\\\"\"; filename=\"b\\\\\"", "a\"", "b\\"),
        ("curl with -F type and no name", b"form-data; name=\"a\"; filename=\"-\"", "a", "-"),
        ("requests, urllib3 2, httpx", b"form-data; name=\"a\"; filename=\"b%22c.txt\"", "a", "b\"c.txt"),
        ("urllib3 1.25", b"form-data; name=\"a\"; filename=\"b\\\\c%22.txt\"", "a", "b\\c\".txt"),
        ("urllib3 before 1.25", b"form-data; name=\"a\"; filename*=utf-8''%C3%A4.txt", "a", "(utf-8)\u{e4}.txt"),
        ("aiohttp", b"form-data; name=\"a\"; filename=\"b%20c.txt\"", "a", "b%20c.txt"),
        ("aiohttp: a name beyond ASCII", b"form-data; name*=utf-8''%C3%A4", "(utf-8)\u{e4}", "none"),
        ("Go", b"form-data; name=\"a\"; filename=\"b\\\\c\\\"d\"", "a", "b\\c\"d"),
        (".NET", b"form-data; name=a; filename=b.txt; filename*=utf-8''b.txt", "a", "(utf-8)b.txt"),
        (
            ".NET beyond ASCII",
            b"form-data; name=a; filename=\"=?utf-8?B?w6QudHh0?=\"; filename*=utf-8''%C3%A4.txt",
            "a",
            "(utf-8)\u{e4}.txt",
        ),
        ("Node's form-data: a mark as itself", b"form-data; name=\"a\"; filename=\"b\"c.txt\"", "a", "b\"c.txt"),
        ("Apache HttpClient", b"form-data; name=\"a\"; filename=\"b\\\"c\\\\d\"", "a", "b\"c\\d"),
        (
            "Python's email: a long name",
            b"form-data; name=\"a\"; filename*0*=utf-8''%C3%A4; filename*1*=%20b; filename*2=\"%20c\"",
            "a",
            "(utf-8)\u{e4} b%20c",
        ),
    ]);
}

#[test]
fn what_the_grammar_allows() {
    check(&[
        ("names in any case", b"Form-Data; NAME=\"a\"; FileName=\"b\"", "a", "b"),
        ("blanks", b"form-data ;name = \"a\" ;\tfilename\t=b ; ", "a", "b"),
        ("without blanks", b"form-data;name=a;filename=b", "a", "b"),
        ("empty parameters", b"form-data;; name=a;;", "a", "none"),
        ("in another order", b"form-data; filename=\"b\"; name=\"a\"", "a", "b"),
        (
            "semicolons and equals signs in a value",
            b"form-data; name=\"a;b=c\"; filename=\";\"",
            "a;b=c",
            ";",
        ),
        ("a name that holds the word", b"form-data; name=\"filename=x\"", "filename=x", "none"),
        (
            "a name that is the word",
            b"form-data; name=\"filename\"; filename=\"name\"",
            "filename",
            "name",
        ),
        (
            "a parameter that ends in the word",
            b"form-data; xname=\"b\"; name=\"a\"; xfilename=c",
            "a",
            "none",
        ),
        (
            "a file's name that holds the word",
            b"form-data; filename=\"name=b\"; name=\"a\"",
            "a",
            "name=b",
        ),
        ("the first of a name", b"form-data; name=a; name=b; filename=c; filename=d", "a", "c"),
        (
            "the extended form first",
            b"form-data; name=a; filename*=UTF-8'en'%c3%a4; filename=b",
            "a",
            "(utf-8)\u{e4}",
        ),
        (
            "the extended form alone",
            b"form-data; filename*=iso-8859-1''%E4; name=a",
            "a",
            "(iso-8859-1)\\xe4",
        ),
        ("in quotation marks", b"form-data; name=a; filename*=\"utf-8''b\"", "a", "(utf-8)b"),
    ]);
}

#[test]
fn what_is_written_badly() {
    check(&[
        ("nothing", b"", "none", "none"),
        ("no parameters", b"form-data", "none", "none"),
        ("no value", b"form-data; name; filename", "none", "none"),
        ("an empty value", b"form-data; name=; filename=", "", ""),
        ("a mark that is never closed", b"form-data; name=\"a", "a", "none"),
        ("a mark in a token", b"form-data; name=a\"b; filename=c", "a\"b", "c"),
        ("no semicolon between", b"form-data; name=\"a\" filename=\"b\"", "none", "none"),
        ("nor a blank", b"form-data; name=\"a\"filename*0=\"b\"", "none", "none"),
        ("and none in quotes", b"form-data; name=a FileName = b", "none", "none"),
        ("the other way around", b"form-data; filename=\"b\" name=\"a\"", "none", "none"),
        ("a name that says it", b"form-data; name=\"a filename=b\"", "a filename=b", "none"),
        (
            "a charset that we do not know",
            b"form-data; name=a; filename*=koi8-r''%C1; filename=b",
            "a",
            "b",
        ),
        ("that alone", b"form-data; name=a; filename*=KOI8-R''%C1", "a", "(koi8-r)\\xc1"),
        (
            "bytes that are not of it",
            b"form-data; name=a; filename*=utf-8''%E4; filename=b",
            "a",
            "b",
        ),
        ("no charset", b"form-data; name=a; filename*=b%20c", "a", "b c"),
        ("pieces without the first", b"form-data; name=a; filename*1=b", "a", "none"),
    ]);
}
