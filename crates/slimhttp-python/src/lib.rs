//! The Python extension: the only crate that names PyO3. No thread of ours enters
//! Python; Python's own threads take jobs from a queue and bring back answers.
//!
//! A call's way: an I/O thread hands a `job` in at the `bridge`; it lies in the
//! `queue` (or in the `loop_queue`, for the event loop); a Python thread in
//! `Server.turn()` takes it, the `dispatcher` calls the handler with a
//! `request`, `response` reads what it returned, and the reply slot of the job
//! carries the answer back. What lies left of the dispatcher is the crate
//! `slimhttp-bridge`, which has no Python in it: an I/O thread knows Python objects as
//! numbers.

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
    use crate::objects::websocket_end::{WebSocketEnd, broadcast};
    #[pymodule_export]
    use crate::objects::websocket_route::WebSocketRoute;
    #[pymodule_export]
    use crate::process::certificates::{Successor, drop_privileges, make_certificate};
    #[pymodule_export]
    use crate::server::Server;
    #[pymodule_export]
    use crate::server::hooks::Hooks;
    #[pymodule_export]
    use crate::server::signals::Signals;

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
