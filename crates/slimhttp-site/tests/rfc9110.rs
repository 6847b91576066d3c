//! The sentences of RFC 9110 that concern a file, asked of the pure functions.
//! The cases stand in tests/data/rfc9110.toml, which says how to read them; the
//! same ones are asked of servers over sockets by tests/files/test_rfc9110.py.

#![expect(clippy::unwrap_used, reason = "a case that cannot be read is a broken test")]

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use slimhttp_site::conditions::{ETag, LastModified, date_value};
use slimhttp_site::content_type::content_type;
use slimhttp_site::file_reply::{FileContent, FileFacts, FileReply, file_reply};
use slimhttp_site::file_rules::FileRules;
use toml_edit::{DocumentMut, InlineTable, Value};

const TABLE: &str = include_str!("../../../tests/data/rfc9110.toml");

/// 1994-11-06 08:49:37 UTC: when every file of the table was last modified.
const MODIFIED: i64 = 784_111_777;
const OPAQUE: &str = "v1";

/// One case that concerns the pure functions.
struct Case<'t> {
    name: String,
    fields: &'t InlineTable,
    method: Method,
    file: &'t str,
    content: &'t [u8],
}

#[test]
fn c5_4_rfc9110() {
    let table: DocumentMut = TABLE.parse().unwrap();
    let files: BTreeMap<&str, Vec<u8>> = table["files"]
        .as_table()
        .unwrap()
        .iter()
        .map(|(name, file)| {
            let (text, times) = (file[0].as_str().unwrap(), file[1].as_integer().unwrap());
            (name, text.repeat(usize::try_from(times).unwrap()).into_bytes())
        })
        .collect();

    let (mut asked, mut wrong) = (0, Vec::new());
    for section in table["section"].as_array_of_tables().unwrap() {
        let number = section["number"].as_str().unwrap();
        for (at, fields) in section["cases"].as_array().unwrap().iter().enumerate() {
            let fields = fields.as_inline_table().unwrap();
            let Some(case) = pure(number, at + 1, fields, &files) else { continue };
            asked += 1;
            if let Err(why) = case.check() {
                wrong.push(format!("{}: {why}", case.name));
            }
        }
    }
    assert!(asked > 200, "only {asked} cases concern the pure functions");
    assert!(wrong.is_empty(), "{} of {asked} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// The case, where it is one of a file by a method that files answer.
fn pure<'t>(
    number: &str,
    at: usize,
    fields: &'t InlineTable,
    files: &'t BTreeMap<&str, Vec<u8>>,
) -> Option<Case<'t>> {
    if text(fields, "only") == Some("socket") {
        return None;
    }
    let (method, target) = lines(fields, "ask").first()?.split_once(' ')?;
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let (&file, content) = files.get_key_value(target.strip_prefix('/')?)?;
    let name = format!("section {number}, case {at}, {}", text(fields, "rule").unwrap());
    matches!(method, Method::GET | Method::HEAD | Method::OPTIONS).then_some(Case {
        name,
        fields,
        method,
        file,
        content,
    })
}

impl Case<'_> {
    fn check(&self) -> Result<(), String> {
        let mut request = HeaderMap::new();
        for line in lines(self.fields, "ask").into_iter().skip(1) {
            let (name, value) = line.split_once(':').unwrap();
            let value: Vec<u8> = latin1(&self.filled(value));
            request.append(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_bytes(value.trim_ascii()).unwrap(),
            );
        }
        let (etag, media_type) = (self.etag(), self.media_type());
        let last_modified = LastModified::new(MODIFIED).unwrap();
        let is_dated = text(self.fields, "facts") != Some("undated");
        let facts = FileFacts {
            length: self.content.len() as u64,
            content_length: None,
            last_modified: is_dated.then_some(&last_modified),
            etag: &etag,
            content_type: &media_type,
            coding: None,
            varies: false,
        };
        let reply = file_reply(&self.method, &request, &facts);
        self.status(reply.status)?;
        self.fields(&reply.headers)?;
        self.body(&reply)
    }

    fn media_type(&self) -> HeaderValue {
        content_type(self.file, &FileRules::default())
    }

    fn etag(&self) -> ETag {
        match text(self.fields, "facts") {
            Some("weak") => ETag::weak(OPAQUE).unwrap(),
            _ => ETag::strong(OPAQUE).unwrap(),
        }
    }

    /// A line with what stands for it in place of each `{…}`.
    fn filled(&self, line: &str) -> String {
        let date = |seconds| date_value(seconds).unwrap().to_str().unwrap().to_owned();
        line.replace("{etag}", &self.etag().to_string())
            .replace("{weak}", &format!("W/\"{OPAQUE}\""))
            .replace("{opaque}", OPAQUE)
            .replace("{date}", &date(MODIFIED))
            .replace("{date+1}", &date(MODIFIED + 1))
            .replace("{date-1}", &date(MODIFIED - 1))
            .replace("{date:850}", "Sunday, 06-Nov-94 08:49:37 GMT")
            .replace("{date:asc}", "Sun Nov  6 08:49:37 1994")
    }

    fn status(&self, status: StatusCode) -> Result<(), String> {
        let right = self.fields.get("status").and_then(Value::as_integer);
        ensure(right == Some(i64::from(status.as_u16())), || format!("{status}"))
    }

    fn fields(&self, headers: &HeaderMap) -> Result<(), String> {
        for line in lines(self.fields, "has") {
            let (name, wanted) = line.split_once(": ").unwrap();
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            let holds =
                value.is_some_and(|value| is_pattern(wanted) || value == self.filled(wanted));
            ensure(holds, || format!("{name} is {value:?}, not `{wanted}`"))?;
        }
        for line in lines(self.fields, "lacks") {
            let (name, value) = match line.split_once(": ") {
                Some((name, value)) => (name, Some(value)),
                None => (line, None),
            };
            let found = headers.get(name).and_then(|found| found.to_str().ok());
            let differs =
                |found| value.is_some_and(|value| is_pattern(value) || found != self.filled(value));
            ensure(found.is_none_or(differs), || format!("there is {name}: {found:?}"))?;
        }
        Ok(())
    }

    fn body(&self, reply: &FileReply) -> Result<(), String> {
        let wanted = match self.fields.get("body") {
            Some(Value::Array(several)) => Some(self.multipart(several, &reply.headers)),
            Some(one) => Some(match one.as_str().unwrap() {
                "all" => self.content.to_vec(),
                "none" => Vec::new(),
                span => self.content[range(span)].to_vec(),
            }),
            None if reply.status == StatusCode::OK => Some(self.content.to_vec()),
            None => None,
        };
        let got = self.sent(&reply.content);
        if let (true, Some(length)) =
            (self.method == Method::GET, reply.headers.get("content-length"))
        {
            let length = length.to_str().unwrap();
            ensure(length == got.len().to_string(), || {
                format!("{length} for {} bytes", got.len())
            })?;
        }
        ensure(wanted.is_none_or(|wanted| wanted == got), || {
            format!("the body is {:?}", String::from_utf8_lossy(&got))
        })
    }

    /// The bytes that a server sends for this content.
    fn sent(&self, content: &FileContent) -> Vec<u8> {
        let bytes = |range: &RangeInclusive<u64>| {
            &self.content
                [usize::try_from(*range.start()).unwrap()..=usize::try_from(*range.end()).unwrap()]
        };
        match content {
            FileContent::Nothing => Vec::new(),
            FileContent::Whole => self.content.to_vec(),
            FileContent::Range(range) => bytes(range).to_vec(),
            FileContent::Multipart { parts, end } => {
                let part = |part: &slimhttp_site::file_reply::RangePart| {
                    [part.head.as_bytes(), bytes(&part.range)].concat()
                };
                [parts.iter().flat_map(part).collect(), end.as_bytes().to_vec()].concat()
            }
        }
    }

    /// What `multipart/byteranges` of these ranges is (section 14.6).
    fn multipart(&self, ranges: &toml_edit::Array, headers: &HeaderMap) -> Vec<u8> {
        let kind = headers["content-type"].to_str().unwrap();
        let Some((_, boundary)) = kind.split_once("boundary=") else {
            return Vec::new();
        };
        let (length, media_type) = (self.content.len(), self.media_type());
        let media_type = media_type.to_str().unwrap();
        let mut body = Vec::new();
        for span in ranges.iter().filter_map(Value::as_str) {
            body.extend(format!("\r\n--{boundary}\r\nContent-Type: {media_type}\r\n").bytes());
            body.extend(format!("Content-Range: bytes {span}/{length}\r\n\r\n").bytes());
            body.extend(&self.content[range(span)]);
        }
        body.extend(format!("\r\n--{boundary}--\r\n").bytes());
        body.split_off(2)
    }
}

fn text<'t>(fields: &'t InlineTable, key: &str) -> Option<&'t str> {
    fields.get(key)?.as_str()
}

fn lines<'t>(fields: &'t InlineTable, key: &str) -> Vec<&'t str> {
    let list = fields.get(key).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Patterns are judged over the sockets. Here it counts that there is a value.
fn is_pattern(wanted: &str) -> bool {
    wanted.starts_with('~')
}

fn range(span: &str) -> RangeInclusive<usize> {
    let (first, last) = span.split_once('-').unwrap();
    first.parse().unwrap()..=last.parse().unwrap()
}

fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|character| u8::try_from(character).unwrap()).collect()
}

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}
