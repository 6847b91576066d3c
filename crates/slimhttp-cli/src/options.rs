//! The flags, as clap reads them, and the configuration that those of `serve` stand for. The
//! comments on commands and fields are what `--help` and the page for `man` show.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use slimhttp_site::config::Config;
use slimhttp_site::value::{Table, Value};

mod app;
mod environment;
mod foreign;
mod former;
mod reload;
#[cfg(test)]
mod tests;

pub(crate) use self::app::App;
pub use self::reload::Reload;
use self::reload::ReloadFlags;
pub(crate) use self::reload::application_folders;

/// A small, quick HTTP server: applications, folders, virtual hosts, reverse proxies.
#[derive(Debug, Parser)]
#[command(version, subcommand_required = true, arg_required_else_help = true)]
#[command(no_binary_name = true, max_term_width = 100)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve a folder, on port 8080 unless told otherwise.
    Serve(Serve),
    /// Serve what a configuration file says, on its port, else on 80, or on 443
    /// with a certificate.
    Run(Run),
    /// Serve an ASGI or WSGI application, on port 8000 of this machine unless told otherwise.
    /// Needs Python: `python -m slimHTTP app`.
    App(Box<App>),
    /// Say every fault of a configuration file, and change nothing.
    Check(Check),
    /// Say how the certificates of a configuration file stand, those that a server obtains by
    /// itself included. Ends with 1 where one is missing, has expired, or ends within seven days.
    Certificates(Certificates),
    /// Write what lets a shell complete commands and flags.
    Completion(Completion),
    /// Write the page for man(1).
    Man,
}

impl Command {
    /// Whether it starts a server.
    pub(crate) fn starts_server(&self) -> bool {
        matches!(self, Self::Serve(_) | Self::Run(_) | Self::App(_))
    }

    /// The port on which a server is to listen.
    fn port(&mut self) -> Option<&mut Option<u16>> {
        match self {
            Self::Serve(serve) => Some(&mut serve.listen.port),
            Self::Run(run) => Some(&mut run.listen.port),
            Self::App(app) => Some(&mut app.port),
            Self::Check(_) | Self::Certificates(_) | Self::Completion(_) | Self::Man => None,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The folder.
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) folder: PathBuf,

    #[command(flatten)]
    pub(crate) listen: Listen,

    /// The file that answers for a folder, `index.html` unless given; may be
    /// given again, the first that exists answers.
    #[arg(long, value_name = "NAME")]
    pub(crate) index: Vec<String>,

    /// Run the `.py` files in the folder when they are asked for. Needs Python:
    /// `python -m slimHTTP serve`.
    #[arg(long)]
    pub(crate) scripts: bool,

    /// Note each request on standard error.
    #[arg(long, value_name = "FORMAT", num_args = 0..=1, default_missing_value = "combined")]
    pub(crate) access_log: Option<AccessFormat>,

    /// Say everything on error pages. Not for the public.
    #[arg(long)]
    pub(crate) debug: bool,

    /// Threads that read, write and answer; else one for each processor.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) io_threads: Option<u16>,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The configuration, TOML or JSON; relative paths in it start at its folder.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    #[command(flatten)]
    pub(crate) listen: Listen,

    #[command(flatten)]
    pub(crate) reload: ReloadFlags,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The configuration, TOML or JSON.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Certificates {
    /// The configuration, TOML or JSON.
    #[arg(value_name = "FILE", default_value = "site.toml")]
    pub(crate) file: PathBuf,

    /// Write JSON, for programs.
    #[arg(long)]
    pub(crate) json: bool,

    /// Give the account with the authority another key instead, so that who has seen the old one
    /// can do nothing with it. A server that runs takes the new one with its next order.
    #[arg(long, conflicts_with = "json")]
    pub(crate) roll_over_account_key: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Completion {
    /// The shell.
    #[arg(value_name = "SHELL")]
    pub(crate) shell: Shell,
}

/// Where to listen. What is given here wins over a file.
#[derive(Debug, Default, Args)]
pub(crate) struct Listen {
    /// The address to listen on: a name, an IPv4 or an IPv6 address; else every
    /// interface.
    #[arg(long, value_name = "A")]
    pub(crate) addr: Option<String>,

    /// The port; 0 takes a free one.
    #[arg(long, short, value_name = "P")]
    pub(crate) port: Option<u16>,
}

/// The shape of an access log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AccessFormat {
    /// The common log format of NCSA httpd.
    Common,
    /// Common, then referrer and user agent.
    Combined,
    /// One JSON object a line.
    Json,
}

impl AccessFormat {
    /// The word of the `access_log` option.
    fn word(self) -> &'static str {
        match self {
            Self::Common => "common",
            Self::Combined => "combined",
            Self::Json => "json",
        }
    }
}

impl Options {
    /// Reads the arguments that follow the program's `name`.
    ///
    /// # Errors
    /// What to print, and with which status to exit: help and version are among
    /// these.
    pub(crate) fn read(
        args: impl IntoIterator<Item = OsString>,
        name: &'static str,
    ) -> Result<Self, clap::Error> {
        let args: Vec<_> = args.into_iter().collect();
        let mut command = environment::with_environment(Self::full_command(name));
        let read = command
            .try_get_matches_from_mut(&args)
            .map_err(|error| {
                // What is fine without the environment is wrong in it.
                match Self::full_command(name).try_get_matches_from(&args) {
                    Ok(_) => environment::name_variable(error),
                    Err(_) => error,
                }
            })
            .and_then(|matches| {
                let options = Self::from_arg_matches(&matches)?;
                if let (Command::App(app), Some((_, matches))) =
                    (&options.command, matches.subcommand())
                {
                    app.one_way_to_listen(matches)?;
                }
                Ok(options)
            })
            .and_then(|mut options| {
                if let Some(port) = options.command.port() {
                    *port = environment::port(*port, std::env::var_os("PORT"))?;
                }
                Ok(options)
            });
        let of_app = args.first().is_some_and(|command| command == "app");
        read.map_err(|error| {
            let error = suggest_command(error.format(&mut command));
            if of_app { foreign::suggest(error) } else { former::suggest_flag(error) }
        })
    }

    /// The command with all its subcommands, for the program of this `name`.
    pub(crate) fn full_command(name: &'static str) -> clap::Command {
        Self::command()
            .name(name)
            .bin_name(name)
            .display_name("slimhttp")
            .after_help(examples(name))
    }
}

/// Suggests the command that fits where there is none: `serve` for a folder, `run` for a
/// file.
fn suggest_command(mut error: clap::Error) -> clap::Error {
    let given = match (error.kind(), error.get(ContextKind::InvalidSubcommand)) {
        (ErrorKind::InvalidSubcommand, Some(ContextValue::String(given))) => given.clone(),
        _ => return error,
    };
    let tip = match std::fs::metadata(&given) {
        Ok(found) if found.is_dir() => format!("to serve `{given}`, write `serve {given}`"),
        Ok(_) if given.ends_with(".py") => {
            format!("to serve the application in `{given}`, write `app {given}`")
        }
        Ok(_) => format!("to run `{given}`, write `run {given}`"),
        Err(_) if error.get(ContextKind::SuggestedSubcommand).is_some() => return error,
        Err(_) => {
            "the commands are `serve`, `run`, `app`, `check`, `certificates`, `completion` and `man`"
                .to_owned()
        }
    };
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    error
}

fn examples(name: &str) -> String {
    format!(
        "Examples:\n  \
           {name} serve                          this folder on http://localhost:8080/\n  \
           {name} serve public -p 3000 --access-log\n  \
           {name} run site.toml --port 8080      a configuration file\n  \
           {name} app main:app --reload          an ASGI or WSGI application\n  \
           {name} check site.toml                its faults, with line and column\n  \
           {name} certificates site.toml         how long they are valid, and what fails\n\n\
         Environment:\n  \
           SLIMHTTP_LOG   what is logged: error, warn, info (default), debug, trace, off, json,\n                 \
                          or directives such as slimhttp_server::proxy=trace,hyper=debug\n  \
           SLIMHTTP_PORT  what --port sets; so with every flag, SLIMHTTP_ACCESS_LOG and so on.\n                 \
                          A flag wins over it, and it wins over a file\n  \
           PORT           the port, where neither --port nor SLIMHTTP_PORT says it\n  \
           NO_COLOR       no colours"
    )
}

impl Serve {
    /// The configuration that these flags stand for.
    ///
    /// # Errors
    /// The folder's name is not UTF-8, as texts of a configuration are.
    pub(crate) fn config(&self) -> Result<Config, String> {
        let Some(folder) = self.folder.to_str() else {
            return Err(format!("expected a name in UTF-8, found {:?}", self.folder));
        };
        let mut root = Table::new();
        let mut set = |key: &str, value: Value| root.insert(Arc::from(key), value);
        set("web_root", folder.into());
        // Whoever shows a folder does not mean to run what lies in it.
        set("scripts", self.scripts.into());
        if !self.index.is_empty() {
            let names: Vec<_> = self.index.iter().map(|name| name.as_str().into()).collect();
            set("index", Value::List(names.into()));
        }
        if let Some(format) = self.access_log {
            set("access_log", format.word().into());
        }
        if self.debug {
            set("debug", true.into());
        }
        if let Some(io_threads) = self.io_threads {
            set("io_threads", i64::from(io_threads).into());
        }
        Ok(Config::new(root))
    }
}
