//! What a program is asked about certificates that the server obtains by itself: to set a record of
//! the DNS, on a thread of its own, for that waits for a server elsewhere; whether a name may have a
//! certificate, on a thread in `turn()`. What either returns to be awaited goes on as a task of the
//! event loop. Which functions are asked `slimHTTP._net._acme` knows.

use std::sync::Arc;

use parking_lot::Mutex;
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use slimhttp_bridge::acme_job::{AcmeJob, AcmeQuestion};
use slimhttp_bridge::loop_queue::LoopJob;

use crate::convert::asyncio::{close, is_cancelled, pump_module, running_loop};
use crate::objects::callbacks::PyCallbacks;
use crate::process::catch_panic::catch_panic;
use crate::run::dispatcher::Dispatcher;
use crate::run::retained::Retained;

/// What the thread is called that sets a record.
const THREAD: &str = "slimHTTP acme_dns";

/// A question, and the context in which the program was asked it.
pub(crate) struct Asked {
    pub(crate) job: AcmeJob,
    pub(crate) context: Py<PyAny>,
}

/// Asks the program, called on a thread in `turn()`.
///
/// # Errors
/// `KeyboardInterrupt`, and nothing else that the program raises.
pub(crate) fn run(dispatcher: &Arc<Dispatcher>, py: Python<'_>, job: AcmeJob) -> PyResult<()> {
    if matches!(job.question, AcmeQuestion::Allow(_)) {
        return ask(dispatcher, py, job);
    }
    let callbacks = &dispatcher.callbacks;
    let work = RecordThread { dispatcher: dispatcher.clone(), job: Mutex::new(Some(job)) };
    let work = Bound::new(py, work)?;
    let started = callbacks
        .contexts
        .copy(py)
        .and_then(|context| callbacks.start_thread(&context, work.as_any(), THREAD));
    if let Err(error) = started
        && let Some(job) = work.get().job.lock().take()
    {
        job.answer(Err(format!("there is no thread for it: {error}")));
    }
    Ok(())
}

/// Asks the program on this thread.
///
/// # Errors
/// As [`run`].
fn ask(dispatcher: &Arc<Dispatcher>, py: Python<'_>, job: AcmeJob) -> PyResult<()> {
    let callbacks = &dispatcher.callbacks;
    let context = match callbacks.contexts.copy(py) {
        Ok(context) => context,
        Err(no_memory) => {
            no_memory.write_unraisable(py, None);
            return Ok(());
        }
    };
    let given = match &job.question {
        AcmeQuestion::Record { action, name, value } => {
            let arguments = (action.name(), &**name, &**value);
            callbacks.hook(&context, intern!(py, "set_record"), arguments)
        }
        AcmeQuestion::Allow(name) => {
            callbacks.hook(&context, intern!(py, "allows_name"), (&**name,))
        }
    };
    let asked = Asked { job, context: context.unbind() };
    match given {
        Ok(given) if given.hasattr(intern!(py, "__await__"))? => {
            hand_to_loop(dispatcher, asked, &given)
        }
        given => conclude(callbacks, py, asked, given),
    }
}

/// Leaves it to the event loop to await what the program has returned.
fn hand_to_loop(
    dispatcher: &Dispatcher,
    asked: Asked,
    awaitable: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let py = awaitable.py();
    if let Err(error) = dispatcher.callbacks.ensure_loop(py) {
        close(awaitable)?;
        return conclude(&dispatcher.callbacks, py, asked, Err(error));
    }
    let id = asked.job.id;
    dispatcher.retained.keep(id, Retained::Asked(awaitable.clone().unbind(), asked));
    if dispatcher.bridge.hand_to_loop(LoopJob::Resume(id)).is_err() {
        drop(dispatcher.retained.take(id));
        close(awaitable)?;
    }
    Ok(())
}

/// Begins a task that awaits what the program has returned; called on the event loop's thread.
///
/// # Errors
/// As [`run`].
pub(crate) fn start_task(
    dispatcher: &Arc<Dispatcher>,
    awaitable: &Bound<'_, PyAny>,
    asked: Asked,
) -> PyResult<()> {
    let (py, id) = (awaitable.py(), asked.job.id);
    if asked.job.is_abandoned() {
        return close(awaitable);
    }
    let begun = coroutine_of(&dispatcher.callbacks, awaitable).and_then(|coroutine| {
        let create_task = running_loop(py)?.getattr(intern!(py, "create_task"))?;
        dispatcher.callbacks.contexts.run(py, (&asked.context, create_task, coroutine))
    });
    let task = match begun {
        Ok(task) => task,
        Err(error) => return conclude(&dispatcher.callbacks, py, asked, Err(error)),
    };
    dispatcher.retained.keep(id, Retained::Task(task.clone().unbind()));
    let done = TaskDone { dispatcher: dispatcher.clone(), asked: Mutex::new(Some(asked)) };
    task.call_method1(intern!(py, "add_done_callback"), (done,)).map(drop)
}

fn coroutine_of<'py>(
    callbacks: &PyCallbacks,
    awaitable: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = awaitable.py();
    match callbacks.is_coroutine(awaitable)? {
        true => Ok(awaitable.clone()),
        false => pump_module(py)?.call_method1(intern!(py, "finish"), (awaitable,)),
    }
}

/// Answers a question by what the program has returned or raised, which is logged with its
/// traceback.
fn conclude(
    callbacks: &PyCallbacks,
    py: Python<'_>,
    asked: Asked,
    given: PyResult<Bound<'_, PyAny>>,
) -> PyResult<()> {
    let Asked { job, context } = asked;
    let outcome = given.and_then(|given| match job.question {
        // Whatever a function returns that was to do something: it has done it.
        AcmeQuestion::Record { .. } => Ok(true),
        AcmeQuestion::Allow(_) => given.is_truthy(),
    });
    let error = match outcome {
        Ok(said) => {
            job.answer(Ok(said));
            return Ok(());
        }
        Err(error) => error,
    };
    let interrupt = error.is_instance_of::<PyKeyboardInterrupt>(py);
    if !interrupt {
        let what = job.question.to_string();
        callbacks.failed(&error, context.bind(py), py.None().bind(py), &what, false);
    }
    let raised = format!("`{}` raised {error}", job.question.hook());
    job.answer(Err(raised));
    if interrupt { Err(error) } else { Ok(()) }
}

/// What a thread does that sets a record, called once, on that thread.
#[pyclass(frozen, module = "slimHTTP._slimhttp")]
struct RecordThread {
    dispatcher: Arc<Dispatcher>,
    job: Mutex<Option<AcmeJob>>,
}

#[pymethods]
impl RecordThread {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        let Some(job) = self.job.lock().take() else { return Ok(()) };
        let what = job.question.clone();
        catch_panic(|| what, || ask(&self.dispatcher, py, job)).unwrap_or(Ok(()))
    }
}

/// Called when a task is done that answers a question.
#[pyclass(frozen, module = "slimHTTP._slimhttp")]
struct TaskDone {
    dispatcher: Arc<Dispatcher>,
    asked: Mutex<Option<Asked>>,
}

impl TaskDone {
    fn conclude(&self, task: &Bound<'_, PyAny>, asked: Asked) -> PyResult<()> {
        let py = task.py();
        drop(self.dispatcher.retained.take(asked.job.id));
        let given = task.call_method0(intern!(py, "result"));
        match given {
            // Cancelled because nobody waits any more.
            Err(error) if asked.job.is_abandoned() && is_cancelled(py, &error)? => Ok(()),
            given => conclude(&self.dispatcher.callbacks, py, asked, given),
        }
    }
}

#[pymethods]
impl TaskDone {
    fn __call__(&self, task: &Bound<'_, PyAny>) -> PyResult<()> {
        let Some(asked) = self.asked.lock().take() else { return Ok(()) };
        let what = asked.job.question.clone();
        catch_panic(|| what, || self.conclude(task, asked)).unwrap_or(Ok(()))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self.asked.try_lock().as_deref() {
            Some(Some(asked)) => visit.call(&asked.context),
            _ => Ok(()),
        }
    }
}
