//! Sizes, numbers and times as people read them.

use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

/// A length in bytes with two or three digits that count: `0 B`, `999 B`,
/// `1.4 KB`, `127 MB`. A KB is 1000 bytes, as disks and most desktops count.
pub(super) fn size(bytes: u64) -> String {
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let bytes = u128::from(bytes);
    let rounded = |unit: u128| (bytes + unit / 2) / unit;
    let (mut unit, mut name) = (1000, "KB");
    for greater in ["MB", "GB", "TB", "PB", "EB"] {
        // Rounded before it is judged: 999,950 bytes are 1.0 MB, not 1000 KB.
        if rounded(unit) < 1000 {
            break;
        }
        (unit, name) = (unit * 1000, greater);
    }
    let tenths = rounded(unit / 10);
    if tenths < 1000 {
        format!("{}.{} {name}", tenths / 10, tenths % 10)
    } else {
        format!("{} {name}", rounded(unit))
    }
}

/// A number with a comma before each group of three digits.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3 + 1);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 file`, `2,000 files`.
pub(super) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

/// A moment of the years 0 to 9999, in UTC.
#[derive(Clone, Copy)]
pub(super) struct Moment(OffsetDateTime);

impl Moment {
    /// `seconds` after the beginning of 1970.
    pub(super) fn of(seconds: i64) -> Option<Self> {
        let moment = OffsetDateTime::from_unix_timestamp(seconds).ok()?;
        (0..=9999).contains(&moment.year()).then_some(Self(moment))
    }

    /// `2026-11-22T14:03:07Z`.
    pub(super) fn rfc3339(self) -> String {
        self.format(format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z"))
    }

    /// `2026-11-22`.
    pub(super) fn date(self) -> String {
        self.format(format_description!("[year]-[month]-[day]"))
    }

    /// `14:03`.
    pub(super) fn clock(self) -> String {
        self.format(format_description!("[hour]:[minute]"))
    }

    fn format(self, description: &[BorrowedFormatItem<'_>]) -> String {
        self.0.format(description).expect("a date with a time has all of these parts")
    }
}
