//! The options about applications (ASGI, WSGI): they stand at the global level, in any virtual
//! host and in any mount. One uniform list.

use super::{OptionSpec, Shape, TIMEOUT, everywhere};

/// The words of `interface`.
pub const INTERFACES: &[&str] = &["auto", "asgi", "wsgi"];
/// The words of `lifespan`.
pub const LIFESPANS: &[&str] = &["auto", "on", "off"];

pub(super) const APPLICATIONS: &[OptionSpec] = &[
    OptionSpec {
        default: "none",
        doc: "An ASGI 3 or WSGI application that answers: `package.module:name`, or `name()` for what a \
              factory gives; from Python also the application itself. Excludes `module` and `proxy`.",
        aliases: &["application", "wsgi", "asgi", "wsgi_app", "wsgi_application"],
        ..everywhere("app", Shape::Application)
    },
    OptionSpec {
        default: "`auto`",
        doc: "What `app` speaks: `asgi`, `wsgi`, or what it is found to be.",
        aliases: &["protocol", "app_type"],
        ..everywhere("interface", Shape::OneOf(INTERFACES))
    },
    OptionSpec {
        default: "the folder of relative paths",
        doc: "The folder from which `app` is imported.",
        aliases: &["chdir", "pythonpath", "python_path", "working_directory"],
        ..everywhere("app_dir", Shape::Path)
    },
    OptionSpec {
        default: "none",
        doc: "Variables of the environment that are set before `app` is imported; the whole process \
              sees them.",
        aliases: &["env", "environment", "raw_env"],
        ..everywhere("app_env", Shape::Environment)
    },
    OptionSpec {
        default: "`auto`",
        doc: "Whether an ASGI application hears of its start and its end: `on` (it has to answer), `off`, \
              or as it supports it.",
        aliases: &[],
        ..everywhere("lifespan", Shape::OneOf(LIFESPANS))
    },
    OptionSpec {
        default: "`60`",
        doc: "Seconds that `app` may take to start; requests wait meanwhile, and are answered 503 \
              afterwards.",
        aliases: &["startup_timeout"],
        ..everywhere("app_start_timeout", TIMEOUT)
    },
    OptionSpec {
        default: "none",
        doc: "The path that a server in front has taken away from every target, for the links that `app` \
              makes.",
        aliases: &["script_name", "application_root", "url_prefix"],
        ..everywhere("root_path", Shape::RootPath)
    },
];
