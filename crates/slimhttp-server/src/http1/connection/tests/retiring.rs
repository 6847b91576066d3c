//! Connections of a server in whose place another process accepts.

use super::*;

#[tokio::test(start_paused = true)]
async fn one_more_request_is_answered_where_another_process_takes_over() {
    let mut client = connect(4096);
    client.send(get("now")).await;
    assert!(!client.response().await.0.contains("connection: close"));
    client.context.state.request_close(CloseMode::AfterRequest);
    // Who has sent it before it hears of that cannot be told from who waits.
    client.nothing().await;
    client.send(get("now")).await;
    let answer = client.rest().await;
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n/handled/now"), "{answer}");
    assert_eq!(client.ended().await, ORDERLY);
}

#[tokio::test(start_paused = true)]
async fn all_that_was_sent_ahead_is_answered_where_another_process_takes_over() {
    let mut client = connect(4096);
    client.send(get("held") + &get("1") + &get("2")).await;
    settle().await;
    client.context.state.request_close(CloseMode::AfterRequest);
    client.events.release.notify_one();
    for target in ["held", "1", "2"] {
        let (head, content) = client.response().await;
        assert_eq!(content, format!("/handled/{target}"));
        assert_eq!(head.contains("\r\nconnection: close\r\n"), target == "2", "{head}");
    }
    assert_eq!(client.rest().await, "");
}
