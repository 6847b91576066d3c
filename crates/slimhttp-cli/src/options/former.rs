//! Flags that have another name now, and what is said to somebody who writes the former one: the
//! name of today, where clap would offer whatever looks like it.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// The former name of each flag, of each option that somebody may write as one, and the flag
/// of today.
const FORMER: [(&str, &str); 2] = [("--workers", "--io-threads"), ("--threads", "--io-threads")];

/// The same error, which points somebody who wrote a former name to the one of today.
pub(super) fn suggest_flag(mut error: clap::Error) -> clap::Error {
    let (ErrorKind::UnknownArgument, Some(ContextValue::String(given))) =
        (error.kind(), error.get(ContextKind::InvalidArg))
    else {
        return error;
    };
    let Some((_, today)) = FORMER.iter().find(|(former, _)| former == given) else {
        return error;
    };
    let tip = format!("did you mean `{today}`?");
    for guess in [ContextKind::SuggestedArg, ContextKind::TrailingArg] {
        error.remove(guess);
    }
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    error
}
