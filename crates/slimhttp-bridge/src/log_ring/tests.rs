//! The ring: what a record says, and what becomes of too many. One test: the
//! ring is one for the process.

use tracing_subscriber::layer::SubscriberExt;

use super::{CAPACITY, Record, ToRing, attach, take};

fn record(level: u8, message: &str) -> Record {
    Record { level, message: message.into(), application: None }
}

#[test]
fn records_wait_for_who_takes_them() {
    let (bridge, _wake_rx) = crate::tests::bridge();
    attach(&bridge);
    let subscriber = tracing_subscriber::registry()
        .with(tracing_subscriber::EnvFilter::new("slimhttp_bridge=trace"))
        .with(ToRing);
    tracing::subscriber::with_default(subscriber, || {
        tracing::error!("an error");
        tracing::warn!(code = 7, who = "x", "a warning");
        tracing::info!("in {}", "words");
        tracing::debug!(only = true);
        tracing::error!(application = "`shop:app`", "its own words");
        let expected = [
            record(40, "an error"),
            record(30, "a warning code=7 who=\"x\""),
            record(20, "in words"),
            record(10, "only=true"),
            Record { application: Some("`shop:app`".into()), ..record(40, "its own words") },
        ];
        assert_eq!(take(), expected);
        assert_eq!(take(), []);
        // The first record has woken the bridge; this wait would end in time only.
        bridge.queue.wait(std::time::Duration::from_secs(20));

        for number in 0..CAPACITY + 3 {
            tracing::info!("{number}");
        }
        let records = take();
        assert_eq!(records.len(), CAPACITY + 1);
        assert_eq!(records[0].level, 30);
        assert!(records[0].message.starts_with("3 older log records"), "{:?}", records[0]);
        assert_eq!(records[1], record(20, "3"));
    });
}
