//! Listings: what a folder without an index answers where `listing` is on, as a page or as
//! JSON. The page works without scripts: its columns are links, and the server sorts.
//!
//! The server crate reads the folder, leaves out the names that are withheld, and passes
//! the entries.

use std::cmp::Reverse;

pub use accept::wants_json;
pub use page::CONTENT_SECURITY_POLICY;

mod accept;
mod icon;
mod json;
mod measure;
mod page;
#[cfg(test)]
mod tests;

/// One file or folder of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The last name of its path, as it stands on disk: any bytes.
    pub name: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Bytes. Of a folder it says nothing.
    pub length: u64,
    /// When it was last modified: seconds since 1970.
    pub modified: i64,
}

impl Entry {
    /// The length of a file; a folder has none.
    fn size(&self) -> Option<u64> {
        (self.kind == Kind::File).then_some(self.length)
    }
}

/// What an entry is. Folders stand first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// It has entries of its own.
    Folder,
    /// A regular file.
    File,
}

/// By what a listing is sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Column {
    /// As people count: `file2` before `file10`, in any case of letters.
    #[default]
    Name,
    /// The length of files.
    Size,
    /// The time of the last change.
    Modified,
}

impl Column {
    /// What it is called in a query.
    fn token(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Size => "size",
            Self::Modified => "modified",
        }
    }
}

/// In which direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Order {
    /// The least first.
    #[default]
    Ascending,
    /// The greatest first.
    Descending,
}

impl Order {
    /// What it is called in a query.
    fn token(self) -> &'static str {
        match self {
            Self::Ascending => "asc",
            Self::Descending => "desc",
        }
    }

    /// The other one.
    fn reversed(self) -> Self {
        match self {
            Self::Ascending => Self::Descending,
            Self::Descending => Self::Ascending,
        }
    }
}

/// How a listing is sorted: by name and ascending, unless a query says otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Sort {
    /// By what.
    pub column: Column,
    /// In which direction.
    pub order: Order,
}

impl Sort {
    /// Reads `sort=name|size|modified` and `order=asc|desc`. Whatever else a
    /// query holds changes nothing; of two that say the same the last counts.
    pub fn from_query(query: Option<&str>) -> Self {
        let mut sort = Self::default();
        for pair in query.unwrap_or_default().split('&') {
            match pair {
                "sort=name" => sort.column = Column::Name,
                "sort=size" => sort.column = Column::Size,
                "sort=modified" => sort.column = Column::Modified,
                "order=asc" => sort.order = Order::Ascending,
                "order=desc" => sort.order = Order::Descending,
                _ => {}
            }
        }
        sort
    }
}

/// What is in a folder, sorted: folders first, whatever the direction.
#[derive(Clone, Debug)]
pub struct Listing<'l> {
    path: &'l [u8],
    entries: Vec<Entry>,
    truncated: bool,
    sort: Sort,
}

impl<'l> Listing<'l> {
    /// The folder at `path` (decoded, begins and ends with `/`) with these
    /// entries; `truncated` where it has more than these.
    pub fn new(path: &'l [u8], mut entries: Vec<Entry>, truncated: bool, sort: Sort) -> Self {
        // Every sort is stable, so what is equal in a column stays sorted by name.
        entries.sort_by_cached_key(|entry| (natural_key(&entry.name), entry.name.clone()));
        match (sort.column, sort.order) {
            (Column::Name, Order::Ascending) => {}
            (Column::Name, Order::Descending) => entries.reverse(),
            (Column::Size, Order::Ascending) => entries.sort_by_key(Entry::size),
            (Column::Size, Order::Descending) => entries.sort_by_key(|entry| Reverse(entry.size())),
            (Column::Modified, Order::Ascending) => entries.sort_by_key(|entry| entry.modified),
            (Column::Modified, Order::Descending) => {
                entries.sort_by_key(|entry| Reverse(entry.modified));
            }
        }
        entries.sort_by_key(|entry| entry.kind);
        Self { path, entries, truncated, sort }
    }

    /// The page. It is sent with [`CONTENT_SECURITY_POLICY`].
    ///
    /// Every link is relative, so that the page is right behind a proxy that
    /// takes a prefix off the path.
    pub fn html(&self) -> String {
        page::render(self)
    }

    /// The same for programs:
    ///
    /// ```json
    /// {"path": "/a/", "entries": [{"name": "b.txt", "type": "file", "size": 7,
    ///   "modified": "2026-11-22T14:03:07Z"}], "truncated": false}
    /// ```
    ///
    /// `type` is `file` or `folder`; the `size` of a folder is `null`, and so is a
    /// `modified` before the year 0 or after 9999. What is not UTF-8 in a name
    /// becomes U+FFFD.
    pub fn json(&self) -> String {
        json::render(self)
    }
}

/// Bytes that compare as people sort names: letters in any case, and a run of
/// digits by its number. Names that differ in case or leading zeros alone have
/// the same key.
fn natural_key(name: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(name).to_lowercase();
    let mut rest = text.as_bytes();
    let mut key = Vec::with_capacity(rest.len() + 8);
    while let Some(&first) = rest.first() {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            key.push(first);
            rest = &rest[1..];
            continue;
        }
        let (number, behind) = rest.split_at(digits);
        let zeros = number.iter().take_while(|&&byte| byte == b'0').count();
        let number = &number[zeros..];
        // A number with more digits is the greater one. The first byte stands
        // where a digit does among other characters.
        key.push(b'0');
        key.extend(u32::try_from(number.len()).unwrap_or(u32::MAX).to_be_bytes());
        key.extend(number);
        rest = behind;
    }
    key
}
