//! The rules of a scope's files, option by option: its own table over what it inherits.
//! Scopes with the same rules share one value.

use std::sync::Arc;

use super::layer::Layers;
use super::report::{At, Report};
use super::rules::{CacheBounds, Rule};
use crate::files::file_rules::{FileCache, FileRules, FollowSymlinks};
use crate::site::ScopeOptions;

/// The rules of a scope. `outer` is the scope that it inherits from, `before`
/// what it was.
pub(super) fn rules(
    own: Layers<'_>,
    outer: Option<&ScopeOptions>,
    before: Option<&ScopeOptions>,
    at: &At<'_>,
    report: &mut Report,
) -> Arc<FileRules> {
    let outer = outer.map(|options| &options.files);
    let mut rules = outer.map(|outer| (**outer).clone()).unwrap_or_default();
    lay(own, &mut rules);
    if let Some(Rule::FileCache(bounds)) = own.rule("file_cache") {
        rules.cache = cache(*bounds, outer, at, report);
    }
    shared(rules, outer, before.map(|before| &before.files))
}

/// Lays what a table says over `rules`.
fn lay(own: Layers<'_>, rules: &mut FileRules) {
    let flags = [
        ("dotfiles", &mut rules.dotfiles),
        ("listing", &mut rules.listing),
        ("clean_urls", &mut rules.clean_urls),
        ("immutable", &mut rules.immutable),
    ];
    for (key, flag) in flags {
        *flag = own.flag(key).unwrap_or(*flag);
    }
    if let Some(Rule::Subtrees(excluded)) = own.rule("exclude") {
        rules.exclude = excluded.clone();
    }
    rules.follow_symlinks = match (own.flag("follow_symlinks"), own.word("follow_symlinks")) {
        (Some(true), _) | (_, Some("inside")) => FollowSymlinks::Inside,
        (Some(false), _) | (_, Some(_)) => FollowSymlinks::Never,
        (None, None) => rules.follow_symlinks,
    };
    if let Some(Rule::TryFiles(entries)) = own.rule("try_files") {
        rules.try_files = Arc::clone(entries);
    }
    if let Some(Rule::Page(page)) = own.rule("fallback") {
        rules.fallback = page.clone();
    }
    if let Some(Rule::CacheControl(values)) = own.rule("cache_control") {
        rules.cache_control = values.clone();
    }
    if let Some(Rule::FieldsByGlob(fields)) = own.rule("file_headers") {
        rules.file_headers = fields.clone();
    }
    if let Some(Rule::MediaTypes(types)) = own.rule("mime_types") {
        rules.mime_types = Arc::clone(types);
    }
    if let Some(Rule::Charset(charset)) = own.rule("charset") {
        rules.charset = charset.clone();
    }
    if let Some(Rule::Subtrees(stored)) = own.rule("content_encoding") {
        rules.content_encoding = stored.clone();
    }
    if let Some(Rule::Compress(compress)) = own.rule("compress") {
        rules.compress = compress.clone();
    }
    rules.pin_releases = own.seconds("pin_releases").unwrap_or(rules.pin_releases);
}

/// The bounds of a scope's cache. There is one cache for the whole server, so a
/// virtual host may not say how large it is.
fn cache(
    bounds: Option<CacheBounds>,
    outer: Option<&Arc<FileRules>>,
    at: &At<'_>,
    report: &mut Report,
) -> Option<FileCache> {
    let bounds = bounds?;
    let mut size = FileCache::default().size;
    if let Some(outer) = outer {
        if bounds.size.is_some() {
            let hint =
                "the whole server has one cache; `file_cache.size` stands at the global level";
            let at = at.key("file_cache");
            report.fault(&at.key("size"), "`entry` or `revalidate`", None, hint.to_owned());
        }
        size = outer.cache.map_or(size, |cache| cache.size);
    }
    let default = FileCache::default();
    Some(FileCache {
        size: bounds.size.unwrap_or(size),
        entry: bounds.entry.unwrap_or(default.entry),
        revalidate: bounds.revalidate.unwrap_or(default.revalidate),
    })
}

/// Those of `outer` and `before` that are equal to `rules`, else these.
pub(super) fn shared<R: PartialEq>(
    rules: R,
    outer: Option<&Arc<R>>,
    before: Option<&Arc<R>>,
) -> Arc<R> {
    same(rules, outer.into_iter().chain(before))
}

/// The first of those that are `known` that is equal to `value`, else this.
pub(super) fn same<'k, V: PartialEq + 'k>(
    value: V,
    mut known: impl Iterator<Item = &'k Arc<V>>,
) -> Arc<V> {
    match known.find(|known| ***known == value) {
        Some(same) => Arc::clone(same),
        None => Arc::new(value),
    }
}
