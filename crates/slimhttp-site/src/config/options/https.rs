//! The options about https: how clients get there and stay there.

use super::{OptionSpec, Shape, everywhere, hosts};

pub(super) const HTTPS: &[OptionSpec] = &[
    OptionSpec {
        default: "`false`",
        doc: "Whether plain requests are sent to https, before anybody is asked: `true`, or the port that \
              clients see. Not where a trusted proxy says that the client speaks https.",
        aliases: &["https_redirect", "force_https", "force_ssl", "ssl_redirect", "auto_https"],
        ..everywhere("redirect_https", Shape::HttpsRedirect)
    },
    OptionSpec {
        default: "that of `security_headers`",
        doc: "For how long browsers shall come by https alone (`Strict-Transport-Security`): `true` for a \
              year, seconds, or a table. It is said over https only; `0` takes it back.",
        aliases: &["strict_transport_security", "sts", "hsts_max_age", "secure_hsts_seconds"],
        ..hosts("hsts", Shape::Hsts)
    },
];
