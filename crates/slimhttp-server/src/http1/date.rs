//! The field `Date` of responses (RFC 9110 section 6.6.1), made once a second by each I/O thread.

use std::cell::RefCell;
use std::time::{Duration, SystemTime};

use http::HeaderValue;

use crate::sys::clock;

thread_local! {
    static LAST: RefCell<Option<(u64, HeaderValue)>> = const { RefCell::new(None) };
}

/// The value for a response of this moment.
pub(super) fn date() -> HeaderValue {
    let now = clock::seconds();
    LAST.with_borrow_mut(|last| match last {
        Some((second, date)) if *second == now => date.clone(),
        last => {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(now);
            let text = httpdate::HttpDate::from(time).to_string();
            let date = HeaderValue::try_from(text).expect("a date is a field value");
            last.insert((now, date)).1.clone()
        }
    })
}
