//! A listing as a page: HTML that any browser shows, without a script and
//! without anything to fetch.
//!
//! A name is any bytes. In a link every byte but the unreserved ones of RFC 3986
//! is percent-encoded, so it needs no escaping of HTML; `./` before it keeps a
//! name from being read as a scheme. In text it is escaped, what is not UTF-8
//! becomes U+FFFD, and so do the characters that turn the direction of writing;
//! control characters become their pictures, and `bdi` keeps the direction of its
//! letters to itself.

use std::fmt::Write as _;

use percent_encoding::percent_encode;

use super::measure::{Moment, counted, grouped, size};
use super::{Column, Entry, Kind, Listing, Order, Sort, icon};
use crate::routing::path::NOT_UNRESERVED;

/// The value of `Content-Security-Policy` that the page is sent with: no script,
/// no other file, and no style but its own, which the hash names.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; \
     style-src 'sha256-6+3/bb7uGVEnTqhKNRgi70Lx3qRFsOYwOLprehHzAD8='; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

/// The style sheet, byte for byte what the hash above is made of.
pub(super) const STYLE: &str = include_str!("page.css");

/// What the folder at the top is called.
const ROOT: &[u8] = b"Home";

/// Rough bytes of one row, to reserve them at once.
const ROW: usize = 400;

pub(super) fn render(listing: &Listing<'_>) -> String {
    let mut html = String::with_capacity(8192 + listing.entries.len() * ROW);
    let names: Vec<&[u8]> =
        listing.path.split(|&byte| byte == b'/').filter(|name| !name.is_empty()).collect();

    html.push_str(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>Index of ",
    );
    text(&mut html, listing.path);
    let _ = write!(html, "</title>\n<style>{STYLE}</style>\n</head>\n<body>\n");
    html.push_str(icon::SPRITE);
    html.push_str("<main>\n");
    if !names.is_empty() {
        breadcrumb(&mut html, &names, listing.sort);
    }
    html.push_str("<h1><bdi>");
    text(&mut html, names.last().copied().unwrap_or(ROOT));
    html.push_str("</bdi></h1>\n");
    summary(&mut html, listing);
    // The root has no row for what is above it.
    if !listing.entries.is_empty() || !names.is_empty() {
        table(&mut html, listing, !names.is_empty());
    }
    html.push_str("</main>\n</body>\n</html>\n");
    html
}

/// The way from the root to this folder, which is its last step.
fn breadcrumb(html: &mut String, names: &[&[u8]], sort: Sort) {
    html.push_str("<nav aria-label=\"Breadcrumb\"><ol>");
    for depth in 0..=names.len() {
        let up = names.len() - depth;
        html.push_str("<li>");
        if up == 0 {
            html.push_str("<span aria-current=\"page\">");
        } else {
            let _ = write!(html, "<a href=\"{}{}\">", "../".repeat(up), kept(sort));
        }
        html.push_str("<bdi>");
        text(html, depth.checked_sub(1).map_or(ROOT, |at| names[at]));
        html.push_str(if up == 0 { "</bdi></span></li>" } else { "</bdi></a></li>" });
    }
    html.push_str("</ol></nav>\n");
}

/// How much there is, and whether there is more than is shown.
fn summary(html: &mut String, listing: &Listing<'_>) {
    let folders = listing.entries.iter().filter(|entry| entry.kind == Kind::Folder).count() as u64;
    let files = listing.entries.len() as u64 - folders;
    html.push_str("<p>");
    if folders > 0 {
        html.push_str(&counted(folders, "folder", "folders"));
    }
    if folders > 0 && files > 0 {
        html.push_str(", ");
    }
    if files > 0 {
        let bytes = listing.entries.iter().filter_map(Entry::size).fold(0, u64::saturating_add);
        html.push_str(&counted(files, "file", "files"));
        html.push_str(", ");
        length(html, bytes);
    }
    if listing.entries.is_empty() {
        html.push_str("This folder is empty.");
    }
    html.push_str("</p>\n");
    if listing.truncated {
        let _ = writeln!(
            html,
            "<p class=\"note\">There is more in this folder than is shown: \
             only {} of its entries are listed and counted.</p>",
            grouped(listing.entries.len() as u64),
        );
    }
}

fn table(html: &mut String, listing: &Listing<'_>, has_parent: bool) {
    html.push_str("<div class=\"card\">\n<table>\n<caption>Contents of ");
    text(html, listing.path);
    html.push_str("</caption>\n<thead>\n<tr>");
    column(html, listing.sort, Column::Name, "Name");
    column(html, listing.sort, Column::Size, "Size");
    column(html, listing.sort, Column::Modified, "Modified<span class=\"wide\"> (UTC)</span>");
    html.push_str("</tr>\n</thead>\n<tbody>\n");
    if has_parent {
        let _ = writeln!(
            html,
            "<tr><th scope=\"row\"><a href=\"../{}\"><svg aria-hidden=\"true\"><use href=\"#up\"/>\
             </svg><bdi>Parent folder</bdi></a></th><td></td><td></td></tr>",
            kept(listing.sort),
        );
    }
    for entry in &listing.entries {
        row(html, entry, listing.sort);
    }
    html.push_str("</tbody>\n</table>\n</div>\n");
}

/// The head of a column, a link that sorts by it: the other way where it is
/// sorted by already, else by what is looked for most, the largest and the
/// newest first.
fn column(html: &mut String, sort: Sort, column: Column, label: &str) {
    let (order, state) = if sort.column == column {
        let state = match sort.order {
            Order::Ascending => "ascending",
            Order::Descending => "descending",
        };
        (sort.order.reversed(), Some(state))
    } else if column == Column::Name {
        (Order::Ascending, None)
    } else {
        (Order::Descending, None)
    };
    html.push_str("<th scope=\"col\"");
    if let Some(state) = state {
        let _ = write!(html, " aria-sort=\"{state}\"");
    }
    let _ = write!(html, "><a href=\"{}\">{label}", query(Sort { column, order }));
    if let Some(state) = state {
        let _ = write!(html, "<svg aria-hidden=\"true\"><use href=\"#{state}\"/></svg>");
    }
    html.push_str("</a></th>");
}

fn row(html: &mut String, entry: &Entry, sort: Sort) {
    html.push_str("<tr><th scope=\"row\"><a href=\"./");
    html.extend(percent_encode(&entry.name, NOT_UNRESERVED));
    if entry.kind == Kind::Folder {
        let _ = write!(html, "/{}", kept(sort));
    }
    let icon = icon::of(entry);
    let _ = write!(
        html,
        "\"><svg aria-hidden=\"true\" class=\"{icon}\"><use href=\"#{icon}\"/></svg><bdi>"
    );
    text(html, &entry.name);
    html.push_str(match entry.kind {
        Kind::Folder => "/</bdi></a></th><td>",
        Kind::File => "</bdi></a></th><td>",
    });
    if let Some(bytes) = entry.size() {
        length(html, bytes);
    }
    html.push_str("</td><td>");
    if let Some(moment) = Moment::of(entry.modified) {
        let _ = write!(
            html,
            "<time datetime=\"{}\">{}<span class=\"wide\"> {}</span></time>",
            moment.rfc3339(),
            moment.date(),
            moment.clock(),
        );
    }
    html.push_str("</td></tr>\n");
}

/// A length as people read it, and exactly for who points at it.
fn length(html: &mut String, bytes: u64) {
    let exact = counted(bytes, "byte", "bytes");
    let _ = write!(html, "<data value=\"{bytes}\" title=\"{exact}\">{}</data>", size(bytes));
}

/// The query by which another folder is sorted as this one: nothing where that
/// is as it would be anyway.
fn kept(sort: Sort) -> String {
    if sort == Sort::default() { String::new() } else { query(sort) }
}

/// The query that asks for this order, escaped for an attribute.
fn query(sort: Sort) -> String {
    format!("?sort={}&amp;order={}", sort.column.token(), sort.order.token())
}

/// Appends bytes as the text of an element.
fn text(html: &mut String, bytes: &[u8]) {
    for character in String::from_utf8_lossy(bytes).chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            // U+2400 and the 32 after it are pictures of the controls.
            '\0'..='\x1f' => {
                let picture = char::from_u32(0x2400 + u32::from(character));
                html.push(picture.unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            '\x7f' => html.push('\u{2421}'),
            // An override could show `photogpj.exe` as `photoexe.jpg`. What names
            // honestly written from right to left need is left to them.
            '\u{80}'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                html.push(char::REPLACEMENT_CHARACTER);
            }
            other => html.push(other),
        }
    }
}
