//! The event loop's side: what waits in its queue becomes tasks, and what the
//! tasks come to becomes answers. Everything here runs on the loop's thread.

use std::sync::Arc;
use std::time::Instant;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::IntoPyDict;
use slimhttp_bridge::completion::Batch;
use slimhttp_bridge::job_id::JobId;
use slimhttp_bridge::loop_queue::LoopJob;
use slimhttp_bridge::side::Side;
use slimhttp_server::Callee;

use crate::convert::asyncio::{close, name_after, pump_module, running_loop};
use crate::objects::content_reader::ContentReader;
use crate::objects::websocket_route::WebSocketRoute;
use crate::process::catch_panic::catch_panic;
use crate::run::acme;
use crate::run::answering_coroutine::AnsweringCoroutine;
use crate::run::asgi;
use crate::run::channel::Channel;
use crate::run::dispatcher::Dispatcher;
use crate::run::response::Head;
use crate::run::retained::{PendingCall, Retained};
use crate::run::websocket;

/// Does everything that waits for the event loop. `start_task` makes a task of a coroutine, in the
/// `context` that it is given, and takes its first step at once: so a handler that waits for
/// nothing is done within this turn, and its I/O thread is woken once for all that are.
///
/// # Errors
/// `KeyboardInterrupt`, and what keeps Python from going on at all.
pub(crate) fn turn(dispatcher: &Arc<Dispatcher>, start_task: &Bound<'_, PyAny>) -> PyResult<()> {
    let mut outcome = Ok(());
    let jobs = dispatcher.bridge.loop_queue.take();
    let mut batch = Batch::begin(Instant::now());
    for job in jobs {
        if batch.holds_completions() {
            // The handler may take long before it first waits.
            dispatcher.bridge.arm_watchdog();
        }
        // What one job raises is no reason to lose the others.
        let subject = job.subject();
        let what = || subject.map_or_else(|| "the event loop".to_owned(), |it| it.to_string());
        let done = catch_panic(what, || perform(dispatcher, start_task, job));
        outcome = outcome.and(done.unwrap_or(Ok(())));
        batch.notify_if_late(Instant::now());
    }
    drop(batch);
    if dispatcher.bridge.loop_queue.is_closed() {
        drop(dispatcher.callbacks.waiting.take_all());
        for kept in dispatcher.retained.take_all() {
            outcome = outcome.and(cancel(start_task.py(), kept));
        }
    }
    outcome
}

fn perform(
    dispatcher: &Arc<Dispatcher>,
    start_task: &Bound<'_, PyAny>,
    job: LoopJob,
) -> PyResult<()> {
    let py = start_task.py();
    match job {
        // Its client has left.
        LoopJob::Call(call) if call.reply.is_closed() => Ok(()),
        LoopJob::Call(call) if matches!(call.callee, Callee::Application(..)) => {
            dispatcher.ask_asgi(start_task, call)
        }
        LoopJob::Call(call) => {
            let Some((pending, result)) = dispatcher.begin(py, call) else { return Ok(()) };
            match result {
                Ok(result) if dispatcher.callbacks.is_coroutine(&result)? => start_answer(
                    dispatcher,
                    start_task,
                    AnsweringCoroutine::unstarted,
                    pending,
                    result,
                ),
                Ok(result) if result.is_instance_of::<WebSocketRoute>() => {
                    let route = result.cast_into::<WebSocketRoute>()?;
                    websocket::open_on_loop(dispatcher, py, pending, &route)
                }
                result => dispatcher.settle(py, Side::Loop, pending, result),
            }
        }
        LoopJob::Resume(id) => resume(dispatcher, start_task, id),
        LoopJob::Pull(pull) => match dispatcher.retained.channel(py, pull.stream) {
            Some(channel) => channel.bind(py).cast::<Channel>()?.get().ask(py, pull),
            None => Ok(()),
        },
        LoopJob::Content(id) => match dispatcher.callbacks.waiting.take(id) {
            Some(reader) => ContentReader::arrived(reader.bind(py).cast::<ContentReader>()?),
            None => Ok(()),
        },
        LoopJob::Wake(id) => {
            websocket::wake(dispatcher, py, id)?;
            asgi::wake(dispatcher, py, id)
        }
        // An application is told, and not cancelled.
        LoopJob::Cancel(id) if dispatcher.retained.exchange(py, id).is_some() => {
            asgi::wake(dispatcher, py, id)
        }
        LoopJob::Cancel(id) => match dispatcher.retained.take(id) {
            Some(kept) => cancel(py, kept),
            None => Ok(()),
        },
    }
}

fn resume(dispatcher: &Arc<Dispatcher>, start_task: &Bound<'_, PyAny>, id: JobId) -> PyResult<()> {
    let py = start_task.py();
    let kept = dispatcher.retained.take(id);
    if let Some(
        Retained::Awaitable(_, pending)
        | Retained::AsyncIterator(.., pending)
        | Retained::UnopenedWebSocket(_, pending),
    ) = &kept
        && pending.call.reply.is_closed()
    {
        // The client may have left before the call was recorded as handed on.
        dispatcher.bridge.loop_queue.forget_resumed(id);
    }
    match kept {
        Some(Retained::Awaitable(awaitable, pending)) => {
            let awaitable = awaitable.into_bound(py);
            if pending.call.reply.is_closed() {
                return close(&awaitable);
            }
            let coroutine = match dispatcher.callbacks.is_coroutine(&awaitable)? {
                true => awaitable,
                false => pump_module(py)?.call_method1(intern!(py, "finish"), (awaitable,))?,
            };
            start_answer(dispatcher, start_task, AnsweringCoroutine::new, pending, coroutine)
        }
        Some(Retained::AsyncIterator(iterator, head, pending)) => {
            start_stream(dispatcher, py, pending, iterator.bind(py), head)
        }
        Some(Retained::UnopenedWebSocket(route, pending)) => {
            websocket::open_on_loop(dispatcher, py, pending, route.bind(py))
        }
        Some(Retained::Asked(awaitable, asked)) => {
            acme::start_task(dispatcher, awaitable.bind(py), asked)
        }
        // The client left in between, and its job came first.
        Some(kept) => cancel(py, kept),
        None => Ok(()),
    }
}

fn cancel(py: Python<'_>, retained: Retained) -> PyResult<()> {
    match retained {
        Retained::Task(task) => {
            task.call_method0(py, intern!(py, "cancel"))?;
        }
        Retained::Channel(channel) => channel.bind(py).cast::<Channel>()?.get().cancel(py)?,
        Retained::WebSocket(_, task) | Retained::Application(_, task) => {
            task.call_method0(py, intern!(py, "cancel"))?;
        }
        Retained::Awaitable(awaitable, _) | Retained::Asked(awaitable, _) => {
            close(awaitable.bind(py))?;
        }
        Retained::Request(_)
        | Retained::UnopenedStream(_)
        | Retained::Iterator(_)
        | Retained::OpenedFile(_)
        | Retained::AsyncIterator(..)
        | Retained::UnopenedWebSocket(..) => {}
    }
    Ok(())
}

fn start_answer(
    dispatcher: &Arc<Dispatcher>,
    start_task: &Bound<'_, PyAny>,
    answering: fn(Arc<Dispatcher>, PendingCall, Bound<'_, PyAny>) -> AnsweringCoroutine,
    pending: PendingCall,
    coroutine: Bound<'_, PyAny>,
) -> PyResult<()> {
    let py = start_task.py();
    let id = pending.call.id;
    // A copy, for whoever reads what the handler has returned may enter that of the request.
    let context = pending.request.get().context(py)?.call_method0(intern!(py, "copy"))?;
    let answering = answering(dispatcher.clone(), pending, coroutine);
    let answering = Bound::new(py, answering)?;
    let context = [(intern!(py, "context"), context)].into_py_dict(py)?;
    let task = match start_task.call((&answering,), Some(&context)) {
        Ok(task) => task,
        Err(error) => return answering.get().give_up(py, error),
    };
    // The task has taken its first step, and that may have been all.
    if answering.get().is_pending() {
        dispatcher.retained.keep(id, Retained::Task(task.unbind()));
    }
    Ok(())
}

fn start_stream(
    dispatcher: &Arc<Dispatcher>,
    py: Python<'_>,
    pending: PendingCall,
    iterator: &Bound<'_, PyAny>,
    head: Option<Head>,
) -> PyResult<()> {
    let id = dispatcher.bridge.next_id();
    // Until its head is out, a client that leaves cancels it by the call's id.
    let call_id = pending.call.id;
    let context = pending.request.get().context(py)?;
    let channel = Channel::new(dispatcher.clone(), id, pending, head);
    let channel = Bound::new(py, channel)?;
    let running_loop = running_loop(py)?;
    let new_future = running_loop.getattr(intern!(py, "create_future"))?;
    let coroutine =
        pump_module(py)?.call_method1(intern!(py, "pump"), (iterator, &channel, new_future))?;
    name_after(&coroutine, iterator)?;
    // Whoever runs in it finds it below by its numbers, so it begins later.
    let create_task = running_loop.getattr(intern!(py, "create_task"))?;
    let task = dispatcher.callbacks.contexts.run(py, (context, create_task, coroutine))?;
    channel.get().set_task(task.clone().unbind());
    dispatcher.retained.keep(call_id, Retained::Task(task.clone().unbind()));
    dispatcher.retained.keep(id, Retained::Channel(channel.clone().into_any().unbind()));
    let done = channel.getattr(intern!(py, "finish"))?;
    task.call_method1(intern!(py, "add_done_callback"), (done,))?;
    Ok(())
}
