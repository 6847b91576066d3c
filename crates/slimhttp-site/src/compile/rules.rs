//! The options about files and answers, as written → what they say. What a
//! table of these holds stands in the rooms below: paths, header fields, and the
//! tables with keys of their own.
//!
//! `False` says "none": with it a virtual host does without what it would inherit.

use std::sync::Arc;

use http::HeaderValue;

use super::read::{self, Checked, given, list};
use super::report::{At, Report};
use crate::config::options::Shape;
use crate::config::value::{Table, Value};
use crate::files::file_rules::{Compress, FieldRule, StatusRange, TryFile};
use crate::files::glob::{ByGlob, Glob, Subtrees};
use crate::protocol::cors::Cors;
use crate::routing::redirect::{Redirects, Rewrites};

mod cors;
mod fields;
mod media;
mod pages;
mod tables;
mod targets;

pub(super) use tables::CacheBounds;

/// Media types by extension.
type MediaTypes = Arc<[(Box<str>, HeaderValue)]>;
/// Pages by status.
type ErrorPages = Arc<[(StatusRange, Arc<str>)]>;

/// What one option about files or answers says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Rule {
    Subtrees(Subtrees),
    Page(Option<Arc<str>>),
    TryFiles(Arc<[TryFile]>),
    ErrorPages(ErrorPages),
    CacheControl(ByGlob<HeaderValue>),
    Fields(Arc<[FieldRule]>),
    FieldsByGlob(ByGlob<Arc<[FieldRule]>>),
    MediaTypes(MediaTypes),
    Charset(Option<Arc<str>>),
    Compress(Option<Arc<Compress>>),
    FileCache(Option<CacheBounds>),
    Redirects(Redirects),
    Rewrites(Rewrites),
    Cors(Option<Arc<Cors>>),
}

/// Reads `value`, which is not null, as `shape`. `None` where it is wrong, which
/// the report then says.
pub(super) fn read(shape: Shape, value: &Value, at: &At<'_>, report: &mut Report) -> Option<Rule> {
    let rule = match (shape, value) {
        (Shape::Globs, Value::Bool(false)) => Rule::Subtrees(Subtrees::default()),
        (Shape::Globs, Value::String(_)) => {
            Rule::Subtrees(subtrees(vec![hidden(value, at, report)?], value, at, report)?)
        }
        (Shape::Globs, Value::List(items)) => {
            let globs = list(items, at, report, hidden)?;
            Rule::Subtrees(subtrees(globs, value, at, report)?)
        }
        (Shape::PathBelow, Value::Bool(false)) => Rule::Page(None),
        (Shape::PathBelow, Value::String(_)) => Rule::Page(Some(pages::page(value, at, report)?)),
        (Shape::TryFiles, Value::Bool(false)) => Rule::TryFiles(Arc::default()),
        (Shape::TryFiles, Value::String(_)) => {
            Rule::TryFiles(Arc::new([pages::try_file(value, at, report)?]))
        }
        (Shape::TryFiles, Value::List(items)) => {
            Rule::TryFiles(pages::try_files(items, at, report)?)
        }
        (Shape::ErrorPages, Value::Bool(false)) => Rule::ErrorPages(Arc::default()),
        (Shape::ErrorPages, Value::Table(table)) => {
            Rule::ErrorPages(pages::error_pages(table, at, report)?)
        }
        (Shape::CacheControl, Value::Bool(false)) => Rule::CacheControl(ByGlob::default()),
        (Shape::CacheControl, Value::String(_)) => {
            let every = Glob::parse("*").expect("this is a glob");
            let value = fields::cache_control(value, at, report)?;
            Rule::CacheControl([(every, value)].into_iter().collect())
        }
        (Shape::CacheControl, Value::Table(table)) => {
            Rule::CacheControl(by_glob(table, at, report, fields::cache_control)?)
        }
        (Shape::Fields, Value::Bool(false)) => Rule::Fields(Arc::default()),
        (Shape::Fields, Value::Table(_)) => Rule::Fields(fields::of_answers(value, at, report)?),
        (Shape::FieldsByGlob, Value::Bool(false)) => Rule::FieldsByGlob(ByGlob::default()),
        (Shape::FieldsByGlob, Value::Table(table)) => {
            Rule::FieldsByGlob(by_glob(table, at, report, fields::of_files)?)
        }
        (Shape::MediaTypes, Value::Bool(false)) => Rule::MediaTypes(Arc::default()),
        (Shape::MediaTypes, Value::Table(table)) => {
            Rule::MediaTypes(media::types(table, at, report)?)
        }
        (Shape::Charset, Value::Bool(false)) => Rule::Charset(None),
        (Shape::Charset, Value::String(_)) => {
            Rule::Charset(Some(media::charset(value, at, report)?))
        }
        (Shape::Compress, Value::Bool(on)) => Rule::Compress(on.then(Arc::default)),
        (Shape::Compress, Value::Table(table)) => {
            Rule::Compress(Some(Arc::new(tables::compress(table, at, report)?)))
        }
        (Shape::FileCache, Value::Bool(on)) => Rule::FileCache(on.then(CacheBounds::default)),
        (Shape::FileCache, Value::Table(table)) => {
            Rule::FileCache(Some(tables::file_cache(table, at, report)?))
        }
        (Shape::Redirects, Value::Bool(false)) => Rule::Redirects(Redirects::default()),
        (Shape::Redirects, Value::Table(table)) => {
            Rule::Redirects(targets::redirects(table, at, report)?)
        }
        (Shape::Rewrites, Value::Bool(false)) => Rule::Rewrites(Rewrites::default()),
        (Shape::Rewrites, Value::Table(table)) => {
            Rule::Rewrites(targets::rewrites(table, at, report)?)
        }
        (Shape::Cors, Value::Bool(on)) => Rule::Cors(on.then(Arc::default)),
        (Shape::Cors, Value::String(_) | Value::List(_) | Value::Table(_)) => {
            Rule::Cors(Some(Arc::new(cors::cors(value, at, report)?)))
        }
        _ => {
            let unquoted = matches!(value.as_str(), Some("true" | "false" | "True" | "False"));
            let hint = unquoted.then(|| "write it without quotes".to_owned());
            report.fault(at, shape.to_string(), value.described(), hint);
            return None;
        }
    };
    Some(rule)
}

/// Reads every entry of a table; one of null is as good as none.
fn entries<'t, T>(
    table: &'t Table,
    at: &At<'_>,
    report: &mut Report,
    mut entry: impl FnMut(&'t str, &'t Value, &At<'_>, &mut Report) -> Option<T>,
) -> Option<Vec<T>> {
    let read: Vec<Option<T>> = table
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(key, value)| entry(key, value, &at.key(key), report))
        .collect();
    read.into_iter().collect()
}

/// What stands under `key` of a table, read as `shape`, which is not one of a path.
fn checked(
    table: &Table,
    key: &str,
    shape: Shape,
    at: &At<'_>,
    report: &mut Report,
) -> Option<Checked> {
    read::read(shape, given(table, key)?, std::path::Path::new(""), &at.key(key), report)
}

/// Values by glob, each read by `item`.
fn by_glob<T>(
    table: &Table,
    at: &At<'_>,
    report: &mut Report,
    item: fn(&Value, &At<'_>, &mut Report) -> Option<T>,
) -> Option<ByGlob<T>> {
    let read = entries(table, at, report, |key, value, at, report| {
        let glob = glob(key, at, report);
        let value = item(value, at, report);
        Some((glob?, value?))
    })?;
    Some(read.into_iter().collect())
}

fn glob(text: &str, at: &At<'_>, report: &mut Report) -> Option<Glob> {
    match Glob::parse(text) {
        Ok(glob) => Some(glob),
        Err(wrong) => {
            report.fault(at, "a glob such as `*.js` or `/assets/**`", shown(text), wrong);
            None
        }
    }
}

/// A glob of what is hidden. A slash at the end, which says "a folder", adds
/// nothing: what a hidden folder holds is hidden with it.
fn hidden(value: &Value, at: &At<'_>, report: &mut Report) -> Option<Glob> {
    let text = text(value, "a glob such as `*.bak` or `/drafts/**`", at, report)?;
    let bare = text.strip_suffix('/').filter(|bare| !bare.is_empty()).unwrap_or(text);
    glob(bare, at, report)
}

fn subtrees(globs: Vec<Glob>, value: &Value, at: &At<'_>, report: &mut Report) -> Option<Subtrees> {
    match Subtrees::new(globs) {
        Ok(subtrees) => Some(subtrees),
        // Each can be matched, but not with all that is below it.
        Err(wrong) => {
            report.fault(at, "globs that are less long", value.described(), wrong);
            None
        }
    }
}

/// The text that `value` is to be.
fn text<'v>(value: &'v Value, expected: &str, at: &At<'_>, report: &mut Report) -> Option<&'v str> {
    let text = value.as_str();
    if text.is_none() {
        report.fault(at, expected, value.described(), None);
    }
    text
}

/// A text as a fault shows it.
fn shown(text: &str) -> String {
    if text.is_empty() { "an empty text".to_owned() } else { Value::from(text).to_string() }
}
