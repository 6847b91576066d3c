//! Which known word a misspelt one most likely means, for the hints of errors.

/// The one of `words` that is at most a slip or two away from `word`.
pub(crate) fn nearest<'w>(word: &str, words: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let spelling = normalized(word);
    words
        .map(|candidate| {
            (strsim::damerau_levenshtein(&spelling, &normalized(candidate)), candidate)
        })
        // A third of the letters may be wrong: two of six, none of two.
        .filter(|(slips, candidate)| slips * 3 <= candidate.len().min(spelling.len()))
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, candidate)| candidate)
}

/// A key without what people write differently: case, `-`, `_` and spaces.
pub(crate) fn normalized(key: &str) -> String {
    // An option's key is short; a text that is not need not be read to its end.
    key.chars()
        .take(64)
        .filter(|c| !matches!(c, '_' | '-' | ' '))
        .map(|c| c.to_ascii_lowercase())
        .collect()
}
