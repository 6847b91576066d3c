//! What `eager_start` of CPython 3.12 does, for those before it: a new task takes its first step
//! here and now, and one that waits for nothing is done then, of which its loop never hears.
//!
//! A new task asks its loop to call its step soon. While it is made, [`Recorder`] stands in the
//! place of the loop's `call_soon`, and the step is called instead. What else is asked for in that
//! time, by whatever the garbage collector ends, is passed on to the loop. On the loop's thread.

use parking_lot::Mutex;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::sync::PyOnceLock;
use pyo3::types::{IntoPyDict, PyDict, PyTuple, PyType};

/// Makes tasks of one event loop.
#[pyclass(frozen, module = "slimHTTP._slimhttp")]
pub(crate) struct EagerTasks {
    event_loop: Py<PyAny>,
    /// The class of tasks, and what it is told beside the coroutine.
    make: Py<PyAny>,
    options: Py<PyDict>,
    /// Whether it takes a context (CPython 3.11).
    takes_context: bool,
    recorder: Py<Recorder>,
    /// Tells whether a callback is a step of the task of a coroutine.
    is_step_of: Py<PyAny>,
    /// `contextvars.Context.run`.
    run: Py<PyAny>,
}

/// A callback, and the context in which it is called.
type Step = (Py<PyAny>, Py<PyAny>);

/// Stands in the place of a loop's `call_soon`.
#[pyclass(frozen, module = "slimHTTP._slimhttp")]
struct Recorder {
    call_soon: Py<PyAny>,
    steps: Mutex<Vec<Step>>,
    /// The type of steps, once it is known: tasks that are written in C have one of their own.
    kind: PyOnceLock<Py<PyType>>,
}

#[pymethods]
impl EagerTasks {
    #[new]
    fn new(
        event_loop: &Bound<'_, PyAny>,
        make: Py<PyAny>,
        takes_context: bool,
        is_step_of: Py<PyAny>,
    ) -> PyResult<Self> {
        let py = event_loop.py();
        let call_soon = event_loop.getattr(intern!(py, "call_soon"))?.unbind();
        let context = py.import(intern!(py, "contextvars"))?.getattr(intern!(py, "Context"))?;
        Ok(Self {
            event_loop: event_loop.clone().unbind(),
            make,
            options: [(intern!(py, "loop"), event_loop)].into_py_dict(py)?.unbind(),
            takes_context,
            recorder: Py::new(
                py,
                Recorder { call_soon, steps: Mutex::default(), kind: PyOnceLock::new() },
            )?,
            is_step_of,
            run: context.getattr(intern!(py, "run"))?.unbind(),
        })
    }

    /// Makes a task of a coroutine, which runs in `context`, or in a copy of the current one, and
    /// takes its first step. Raises what that raises beyond `Exception`.
    #[pyo3(signature = (coroutine, context=None))]
    fn __call__<'py>(
        &self,
        coroutine: &Bound<'py, PyAny>,
        context: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = coroutine.py();
        let (event_loop, call_soon) = (self.event_loop.bind(py), intern!(py, "call_soon"));
        event_loop.setattr(call_soon, &self.recorder)?;
        let made = self.make_task(coroutine, context);
        // Its class has it still.
        let given_back = event_loop.delattr(call_soon);
        let mut steps = std::mem::take(&mut *self.recorder.get().steps.lock());
        let own = match &made {
            Ok(_) => self.take_own(coroutine, &mut steps)?,
            Err(_) => None,
        };
        let passed_on = steps.into_iter().try_for_each(|(callback, context)| {
            let context = context.into_bound(py);
            self.recorder.get().pass_on(py, (callback,), Some(&context)).map(drop)
        });
        // Whatever has failed here, the task is not to wait for ever.
        if let Some((step, context)) = own {
            self.recorder.get().kind.get_or_init(py, || step.bind(py).get_type().unbind());
            self.run.call1(py, (context, step))?;
        }
        given_back.and(passed_on).and(made)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.event_loop)?;
        visit.call(&self.make)?;
        visit.call(&self.options)?;
        visit.call(&self.recorder)?;
        visit.call(&self.is_step_of)
    }
}

impl EagerTasks {
    fn make_task<'py>(
        &self,
        coroutine: &Bound<'py, PyAny>,
        context: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = coroutine.py();
        let (make, options) = (self.make.bind(py), self.options.bind(py));
        match context {
            None => make.call((coroutine,), Some(options)),
            Some(context) if self.takes_context => {
                let options = options.copy()?;
                options.set_item(intern!(py, "context"), context)?;
                make.call((coroutine,), Some(&options))
            }
            Some(context) => {
                context.call_method(intern!(py, "run"), (make, coroutine), Some(options))
            }
        }
    }

    /// Takes the step of the new task. Mostly there is no other.
    fn take_own(
        &self,
        coroutine: &Bound<'_, PyAny>,
        steps: &mut Vec<Step>,
    ) -> PyResult<Option<Step>> {
        let py = coroutine.py();
        if steps.len() == 1 {
            return Ok(steps.pop());
        }
        for place in 0..steps.len() {
            if self.is_step_of.call1(py, (coroutine, &steps[place].0))?.is_truthy(py)? {
                return Ok(Some(steps.remove(place)));
            }
        }
        Ok(None)
    }
}

impl Recorder {
    fn pass_on<'py>(
        &self,
        py: Python<'py>,
        arguments: impl pyo3::call::PyCallArgs<'py>,
        context: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let context = context.map(|it| [(intern!(py, "context"), it)].into_py_dict(py));
        self.call_soon.bind(py).call(arguments, context.transpose()?.as_ref())
    }
}

#[pymethods]
impl Recorder {
    #[pyo3(signature = (*arguments, context=None))]
    fn __call__<'py>(
        &self,
        arguments: &Bound<'py, PyTuple>,
        context: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = arguments.py();
        if let (Some(context), 1) = (&context, arguments.len()) {
            let callback = arguments.get_item(0)?;
            if self.kind.get(py).is_none_or(|kind| callback.get_type().is(kind)) {
                self.steps.lock().push((callback.unbind(), context.clone().unbind()));
                return Ok(None);
            }
        }
        self.pass_on(py, arguments, context.as_ref()).map(Some)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.call_soon)
    }
}
