//! Reads one value of the options about files and answers. The readers of tables with keys
//! of their own stand in the files of this folder.
//!
//! `False` says "none": with it a virtual host does without what it would inherit.

use std::sync::Arc;

use http::HeaderValue;

use super::plain::{list, text};
use super::report::{At, Report};
use crate::config::options::Shape;
use crate::config::value::Value;
use crate::files::file_rules::{Compress, FieldRule, TryFile};
use crate::files::glob::{ByGlob, Glob, Subtrees};
use crate::protocol::cors::Cors;
use crate::protocol::https::{Hsts, HstsPolicy, HttpsRedirect};
use crate::routing::redirect::{Redirects, Rewrites};

mod cors;
mod fields;
mod globs;
mod https;
mod media;
mod pages;
mod tables;
mod targets;

use self::globs::{by_glob, glob};
use self::media::MediaTypes;
use self::pages::ErrorPages;
pub(super) use self::tables::CacheBounds;

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
    HttpsRedirect(HttpsRedirect),
    Hsts(Hsts),
}

/// Reads `value`, which is not null, as `shape`. `None` where it is wrong, which
/// the report then says.
#[expect(clippy::too_many_lines, reason = "a table: one arm for each shape")]
pub(super) fn read(shape: Shape, value: &Value, at: &At<'_>, report: &mut Report) -> Option<Rule> {
    let rule = match (shape, value) {
        (Shape::Globs, Value::Bool(false)) => Rule::Subtrees(Subtrees::default()),
        (Shape::Globs, Value::String(_)) => {
            Rule::Subtrees(subtrees(vec![subtree(value, at, report)?], value, at, report)?)
        }
        (Shape::Globs, Value::List(items)) => {
            let globs = list(items, at, report, subtree)?;
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
        (Shape::HttpsRedirect, Value::Bool(true)) => Rule::HttpsRedirect(HttpsRedirect::ToListener),
        (Shape::HttpsRedirect, Value::Bool(false)) => Rule::HttpsRedirect(HttpsRedirect::Off),
        (Shape::HttpsRedirect, Value::Integer(_)) => {
            Rule::HttpsRedirect(HttpsRedirect::ToPort(https::port(value, at, report)?))
        }
        (Shape::Hsts, Value::Bool(false)) => Rule::Hsts(Hsts::Off),
        (Shape::Hsts, Value::Bool(true)) => Rule::Hsts(Hsts::On(HstsPolicy::default().value())),
        (Shape::Hsts, Value::Integer(_)) => {
            Rule::Hsts(Hsts::On(https::seconds(value, at, report)?.value()))
        }
        (Shape::Hsts, Value::Table(table)) => {
            Rule::Hsts(Hsts::On(https::hsts(table, at, report)?.value()))
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

/// A glob of [`Subtrees`]. A slash at the end, which says "a folder", adds
/// nothing: a folder is taken with all that it holds.
fn subtree(value: &Value, at: &At<'_>, report: &mut Report) -> Option<Glob> {
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
