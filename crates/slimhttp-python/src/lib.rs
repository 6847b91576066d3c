//! The Python extension: the only crate that names PyO3. No thread of ours enters
//! Python; Python's own threads take jobs from a queue and bring back answers.
//!
//! A call's path: the server's I/O thread queues a job at the bridge (`slimhttp-bridge`, which has
//! no Python in it); a thread in `Server.turn()` (`run::turn`) or the event loop's
//! (`run::event_loop`) takes it, `run::call` calls the handler with an `objects::request`,
//! `run::response` reads what it returned, `run::settle` answers. What is kept of a request or a
//! stream between its jobs is in `run::retained`, by number: an I/O thread knows no more of it.
//!
//! The folders import each other downwards only: `server`, `run`, `objects`, `process`, `convert`.

mod convert;
mod objects;
mod process;
mod run;
mod server;

/// Of the extension alone: the interpreter and other extensions keep theirs.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The compiled half of the package `slimHTTP`.
#[pyo3::pymodule(gil_used = false)]
mod _slimhttp {
    #[pymodule_export]
    use crate::objects::content_reader::ContentReader;
    #[pymodule_export]
    use crate::objects::eager_tasks::EagerTasks;
    #[pymodule_export]
    use crate::objects::identity::Identity;
    #[pymodule_export]
    use crate::objects::request::HttpRequest;
    #[pymodule_export]
    use crate::objects::routes::{Routes, match_route};
    #[pymodule_export]
    use crate::objects::script::Script;
    #[pymodule_export]
    use crate::objects::socket::Socket;
    #[pymodule_export]
    use crate::objects::tls::{Certificate, Session};
    #[pymodule_export]
    use crate::objects::websocket_end::{WebSocketEnd, broadcast};
    #[pymodule_export]
    use crate::objects::websocket_route::WebSocketRoute;
    #[pymodule_export]
    use crate::process::certificates::{Successor, drop_privileges, make_certificate};
    #[pymodule_export]
    use crate::server::applications::Applications;
    #[pymodule_export]
    use crate::server::command_line::CommandLine;
    #[pymodule_export]
    use crate::server::hooks::Hooks;
    #[pymodule_export]
    use crate::server::signals::Signals;
    #[pymodule_export]
    use crate::server::state::Server;
    #[pymodule_export]
    use crate::server::upgrade::Upgrade;

    /// The version of the package.
    #[pyo3::pyfunction]
    fn version() -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    /// See `log::choose`. ValueError for a word that it does not take.
    #[pyo3::pyfunction]
    fn choose_log(wish: &str) -> pyo3::PyResult<(u8, bool)> {
        crate::process::log::choose(wish).map_err(pyo3::exceptions::PyValueError::new_err)
    }

    #[pymodule_init]
    fn init(module: &pyo3::Bound<'_, pyo3::types::PyModule>) -> pyo3::PyResult<()> {
        crate::process::interpreter::claim(module.py())?;
        crate::process::log::install();
        Ok(())
    }
}
