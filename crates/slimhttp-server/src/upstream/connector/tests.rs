//! Silence on a connection to an upstream, over a pipe in memory.

use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::*;
use crate::upstream::control::make_room;

const LIMIT: Duration = Duration::from_secs(60);

/// Our end of a connection, its control, and the upstream's end.
fn connection() -> (TokioIo<TimeoutIo<TokioIo<DuplexStream>>>, Control, DuplexStream) {
    let (ours, theirs) = tokio::io::duplex(16);
    let descriptor = UpstreamDescriptor::take().expect("tests open few files");
    let connection = TimeoutIo::new(TokioIo::new(ours), LIMIT, descriptor);
    let control = connection.control.clone();
    (TokioIo::new(connection), control, theirs)
}

#[tokio::test(start_paused = true)]
async fn silence_ends_a_connection() {
    let (mut ours, _, _theirs) = connection();
    let begun = Instant::now();
    let error = ours.read_u8().await.expect_err("nothing is sent");
    assert_eq!((error.kind(), begun.elapsed()), (io::ErrorKind::TimedOut, LIMIT));
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_does_not_read_is_silent_too() {
    let (mut ours, _, _theirs) = connection();
    let begun = Instant::now();
    let error = ours.write_all(&[0; 17]).await.expect_err("nobody reads");
    assert_eq!((error.kind(), begun.elapsed()), (io::ErrorKind::TimedOut, LIMIT));
}

#[tokio::test(start_paused = true)]
async fn each_byte_begins_a_new_time() {
    let (mut ours, _, mut theirs) = connection();
    let pause = LIMIT - Duration::from_secs(1);
    let upstream = tokio::spawn(async move {
        for byte in 0..5 {
            tokio::time::sleep(pause).await;
            theirs.write_u8(byte).await.expect("is read");
        }
        theirs
    });
    let begun = Instant::now();
    for byte in 0..5 {
        assert_eq!(ours.read_u8().await.expect("is sent in time"), byte);
    }
    let _theirs = upstream.await.expect("does not panic");
    assert_eq!(begun.elapsed(), 5 * pause);
    assert_eq!(ours.read_u8().await.expect_err("is silent").kind(), io::ErrorKind::TimedOut);
    assert_eq!(begun.elapsed(), 5 * pause + LIMIT);
}

#[tokio::test(start_paused = true)]
async fn an_upgraded_connection_may_be_silent() {
    let (mut ours, control, mut theirs) = connection();
    control.disable_timeout();
    assert!(tokio::time::timeout(100 * LIMIT, ours.read_u8()).await.is_err());
    theirs.write_u8(7).await.expect("is open");
    assert_eq!(ours.read_u8().await.expect("is open"), 7);
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_reads_its_end_where_its_descriptor_is_needed() {
    let (mut ours, control, _theirs) = connection();
    control.mark_idle();
    let reader = tokio::spawn(async move { (ours.read(&mut [0]).await, ours) });
    tokio::task::yield_now().await;
    make_room();
    let (read, _ours) = reader.await.expect("does not panic");
    assert_eq!(read.expect("is no fault"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_request_makes_a_connection_busy() {
    let (mut ours, control, mut theirs) = connection();
    control.mark_idle();
    ours.write_u8(1).await.expect("is open");
    make_room();
    theirs.write_u8(2).await.expect("is open");
    assert_eq!(ours.read_u8().await.expect("is not closed"), 2);
}

#[test]
fn the_system_says_that_no_descriptor_is_left() {
    let of = |number: Errno| io::Error::from(number);
    for (error, expected) in [
        (of(Errno::MFILE), true),
        (of(Errno::NFILE), true),
        (of(Errno::CONNREFUSED), false),
        (io::ErrorKind::TimedOut.into(), false),
    ] {
        assert_eq!(is_exhausted(&error), expected, "{error:?}");
    }
}
