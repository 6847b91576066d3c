//! How long a client may go on sending, by tokio's clock, which is paused.

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// A connection that lingers, its state, and how long it does.
fn lingering(
    announced: u64,
) -> (DuplexStream, std::sync::Arc<ConnectionState>, JoinHandle<Duration>) {
    let (client, mut ours) = tokio::io::duplex(64 * 1024);
    let state = std::sync::Arc::new(ConnectionState::new());
    let task = tokio::spawn({
        let state = state.clone();
        async move {
            let began = Instant::now();
            linger(&mut ours, &state, announced).await;
            began.elapsed()
        }
    });
    (client, state, task)
}

#[tokio::test(start_paused = true)]
async fn our_side_is_closed_and_the_clients_end_is_the_end() {
    let (mut client, _, task) = lingering(0);
    assert_eq!(client.read(&mut [0; 1]).await.expect("our end"), 0);
    tokio::time::sleep(4 * SECOND).await;
    assert!(!task.is_finished());
    drop(client);
    assert_eq!(task.await.expect("no panic").as_secs(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_nothing_has_five_seconds() {
    let (_client, _, task) = lingering(0);
    assert_eq!(task.await.expect("no panic").as_secs(), LINGER_TIMEOUT.as_secs());
}

#[tokio::test(start_paused = true)]
async fn one_that_sends_on_has_thirty() {
    let (mut client, _, task) = lingering(0);
    let sending = tokio::spawn(async move {
        while client.write_all(b"x").await.is_ok() {
            tokio::time::sleep(4 * SECOND).await;
        }
    });
    assert_eq!(task.await.expect("no panic").as_secs(), LINGER_TIME.as_secs());
    sending.await.expect("it sees the end");
}

/// How many mebibytes of `count` are read.
async fn read_of(count: usize, announced: u64) -> usize {
    let (mut client, _, task) = lingering(announced);
    let block = vec![0; 1024 * 1024];
    let mut sent = 0;
    while sent < count && client.write_all(&block).await.is_ok() {
        sent += 1;
    }
    drop(client);
    task.await.expect("no panic");
    sent
}

#[tokio::test(start_paused = true)]
async fn it_reads_what_was_announced_and_much_in_any_case() {
    assert_eq!(read_of(64, 0).await, 64);
    assert!(read_of(66, 0).await < 66);
    assert_eq!(read_of(66, 66 * 1024 * 1024).await, 66);
}

#[tokio::test(start_paused = true)]
async fn it_gives_way_within_a_second() {
    let (_client, state, task) = lingering(0);
    tokio::time::sleep(SECOND / 2).await;
    assert!(!task.is_finished());
    state.request_close(CloseMode::Gracefully);
    assert_eq!(task.await.expect("no panic"), LINGER_LEAST);

    let (_client, state, task) = lingering(0);
    tokio::time::sleep(3 * SECOND).await;
    state.request_close(CloseMode::Gracefully);
    assert_eq!(task.await.expect("no panic"), 3 * SECOND, "it has had its second");
}

#[tokio::test(start_paused = true)]
async fn a_client_whose_head_took_too_long_can_read_that() {
    let (mut client, state, task) = lingering(0);
    state.request_close(CloseMode::HeadTimeout);
    assert_eq!(client.read(&mut [0; 1]).await.expect("our end"), 0);
    client.write_all(b"the rest of it").await.expect("is read");
    assert_eq!(task.await.expect("no panic"), LINGER_LEAST);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_cut_ends_at_once() {
    let (_client, state, task) = lingering(0);
    tokio::time::sleep(SECOND / 2).await;
    state.request_close(CloseMode::Cut);
    assert_eq!(task.await.expect("no panic"), SECOND / 2);
}

#[tokio::test(start_paused = true)]
async fn it_counts_as_idle_from_its_beginning_on() {
    let (mut client, state, task) = lingering(0);
    tokio::time::sleep(SECOND / 4).await;
    let since = state.idle_since().expect("has nothing to do");
    client.write_all(b"x").await.expect("is read");
    tokio::task::yield_now().await;
    assert_eq!(state.idle_since(), Some(since));
    task.abort();
}
