//! Which connections are closed for want of a descriptor, and who is woken for it.

use std::sync::atomic::AtomicUsize;
use std::task::Wake;

use super::*;

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A reader that counts how often it is woken.
fn reader() -> (Waker, Arc<Count>) {
    let count = Arc::new(Count::default());
    (count.clone().into(), count)
}

#[tokio::test]
async fn only_idle_connections_are_closed() {
    let (waker, woken) = reader();
    let (busy, idle, used_again) = (Control::new(), Control::new(), Control::new());
    for control in [&busy, &idle, &used_again] {
        assert!(!control.is_closing(&waker));
    }
    idle.mark_idle();
    used_again.mark_idle();
    used_again.mark_busy();
    make_room();
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    let closing = [&busy, &idle, &used_again].map(|control| control.is_closing(&waker));
    assert_eq!(closing, [false, true, false]);
}

/// Two runtimes of one thread each, as the I/O threads of a server.
#[test]
fn a_request_of_another_thread_closes_idle_connections_too() {
    let (is_listening, listening) = std::sync::mpsc::channel();
    let other = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.expect("has descriptors").block_on(async {
            let control = Control::new();
            control.mark_idle();
            // Its task listens from its first poll on.
            tokio::task::yield_now().await;
            is_listening.send(()).expect("is received");
            std::future::poll_fn(|context| match control.is_closing(context.waker()) {
                true => std::task::Poll::Ready(()),
                false => std::task::Poll::Pending,
            })
            .await;
        });
    });
    listening.recv().expect("is sent");
    make_room();
    other.join().expect("was closed");
}

#[tokio::test]
async fn connections_that_are_gone_are_let_go() {
    let held: Vec<_> = (0..4).map(|_| Control::new()).collect();
    for _ in 0..1000 {
        Control::new();
    }
    let kept = CONNECTIONS.with_borrow(|connections| connections.all.len());
    assert!(kept <= 16, "{kept}");
    drop(held);
}
