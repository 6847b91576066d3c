//! Which header fields and query parameters are secret by their names. Whoever shows a
//! person what a client has sent masks the whole value of these.
//!
//! The debug page knows more (`python/slimHTTP/_debug/_redact.py`: variables of a program,
//! values that look like secrets). For the names that clients use, both follow
//! `tests/data/secret_names.toml`.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

#[cfg(test)]
mod tests;

/// What stands in place of a secret.
pub const MASK: &str = "***";

/// A name with one of these words bears a secret: `api_key`, `X-Auth-Token`, `dbPassword`.
const WORDS: &str = "\
    auth authentication authorization bearer cookie cookies credential credentials csrf cvc cvv \
    dsn hmac iban jwt key keys mfa nonce otp pass passcode passphrase passwd password passwords \
    pin pw pwd saml secret secrets sessid sessionid sid sig signature ssn token tokens totp \
    verifier webhook xsrf creds salt";
/// A name that holds one of these, letters and digits alone, bears one too.
const PARTS: &str = "\
    accesskey apikey authcode cardnumber creditcard credential csrf passcode passphrase passwd \
    password privatekey secret sessionid token xsrf";
/// And one that ends so: `dbpw`, `smsotp`, `connect.sid`.
const ENDS: &str = "\
    dsn otp pw pwd sid";
/// Names that are secrets by themselves: they let somebody in, or are worth as much.
const NAMES: &str = "\
    assertion code codes hash relaystate samlrequest samlresponse session sessionkey state \
    ticket";
/// With one of these a `code` is a secret, and not that of a country.
const OF_CODES: &str = "\
    access activation backup confirm confirmation device email invite login oauth pairing \
    recovery reset security sms verification verify";

/// Whether what a client sends under this name is masked.
pub fn is_secret(name: &str) -> bool {
    let joined: String =
        name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    if listed(NAMES).any(|name| joined == name)
        || listed(PARTS).any(|part| joined.contains(part))
        || listed(ENDS).any(|end| joined.ends_with(end))
    {
        return true;
    }
    let words = words(name);
    let one_of = |list| listed(list).any(|listed| words.iter().any(|word| word == listed));
    one_of(WORDS) || (one_of("code codes") && one_of(OF_CODES))
}

fn listed(list: &'static str) -> impl Iterator<Item = &'static str> {
    list.split(' ')
}

/// The words of a name, in small letters: what letters stand together, and a capital
/// behind a small one begins a new word.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_small = false;
    for character in name.chars() {
        if !character.is_ascii_alphabetic() || (was_small && character.is_ascii_uppercase()) {
            words.push(String::new());
        }
        was_small = character.is_ascii_lowercase();
        if character.is_ascii_alphabetic() {
            words.last_mut().expect("one is pushed first").push(character.to_ascii_lowercase());
        }
    }
    words
}

/// A text without the values of what is secret in it: `?code=…`, `&token=…`,
/// `password=…`, and the password of an address (`https://user:…@host`).
pub fn masked(text: &str) -> Cow<'_, str> {
    if !text.contains(['=', '@']) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['=', ':']) {
        let (before, value) = rest.split_at(at + 1);
        shown.push_str(before);
        let secret = match before.strip_suffix('=') {
            Some(named) if is_secret(&name_at_the_end(named)) => value_at_the_start(value),
            Some(_) => "",
            None => password_at_the_start(before, value),
        };
        if !secret.is_empty() {
            shown.push_str(MASK);
        }
        rest = &value[secret.len()..];
    }
    shown.push_str(rest);
    Cow::Owned(shown)
}

/// The name that stands before a `=`, percent-decoded: servers know it by nothing else.
fn name_at_the_end(text: &str) -> Cow<'_, str> {
    let is_of_names = |c: char| c.is_alphanumeric() || "_.-%[]+~!*$".contains(c);
    let begin = text.trim_end_matches(is_of_names).len();
    percent_decode_str(&text[begin..]).decode_utf8_lossy()
}

/// What is given to that name.
fn value_at_the_start(text: &str) -> &str {
    let end = text.find(|c: char| c.is_whitespace() || "&;,#'\"<>".contains(c));
    &text[..end.unwrap_or(text.len())]
}

/// The password where `text` begins with one and its `@`, and `before` ends with the
/// slashes of an address and a user (RFC 3986 section 3.2.1).
fn password_at_the_start<'t>(before: &str, text: &'t str) -> &'t str {
    let is_of_users = |c: char| !c.is_whitespace() && !"/?#@'\"<>:".contains(c);
    let user = before.strip_suffix(':').map(|before| before.trim_end_matches(is_of_users));
    if !user.is_some_and(|before| before.ends_with("//")) {
        return "";
    }
    let end = text.find(|c: char| c.is_whitespace() || "/?#@'\"<>".contains(c));
    match end {
        Some(end) if text[end..].starts_with('@') => &text[..end],
        _ => "",
    }
}
