//! Requests that wait for applications, with paused time: no interpreter, no sockets.

use std::sync::Arc;
use std::time::Duration;

use slimhttp_site::application::{AppReference, Application, ApplicationSpec, Interface, Lifespan};
use tokio::time::Instant;

use super::{ApplicationState, ApplicationTable, NotReady, REMEMBERED};
use crate::side::Side;

const TIMEOUT: Duration = Duration::from_secs(60);

fn application(reference: &str) -> Application {
    Application::new(ApplicationSpec {
        reference: AppReference::Import(reference.into()),
        interface: Interface::Auto,
        lifespan: Lifespan::Auto,
        dir: "/srv".into(),
        env: Arc::default(),
        start_timeout: TIMEOUT,
    })
}

/// A request that waits on another task, which has begun to.
async fn waiting(
    table: &Arc<ApplicationTable>,
    application: &Application,
    limit: usize,
) -> tokio::task::JoinHandle<Result<Side, NotReady>> {
    let (table, application) = (table.clone(), application.clone());
    let task = tokio::spawn(async move { table.ready(&application, limit).await });
    tokio::task::yield_now().await;
    task
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_until_its_application_answers() {
    let (table, app) = (Arc::new(ApplicationTable::default()), application("a:app"));
    let request = waiting(&table, &app, 8).await;
    assert_eq!(table.side(app.id), None);
    table.set(app.id, ApplicationState::Starting);
    assert!(!request.is_finished());
    table.set(app.id, ApplicationState::Ready(Side::Loop));
    assert!(matches!(request.await.unwrap(), Ok(Side::Loop)));
    assert_eq!(table.side(app.id), Some(Side::Loop));
    assert!(matches!(table.ready(&app, 0).await, Ok(Side::Loop)), "one that need not wait");
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_for_as_long_as_a_start_may_take() {
    let (table, app) = (Arc::new(ApplicationTable::default()), application("a:app"));
    let began = Instant::now();
    assert!(matches!(table.ready(&app, 8).await, Err(NotReady::Overdue)));
    assert_eq!(began.elapsed(), TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn one_that_has_failed_is_told_at_once_and_may_be_tried_again() {
    let (table, app) = (Arc::new(ApplicationTable::default()), application("a:app"));
    let request = waiting(&table, &app, 8).await;
    table.set(app.id, ApplicationState::Failed(None));
    assert!(matches!(request.await.unwrap(), Err(NotReady::Failed(None))));
    assert!(matches!(table.ready(&app, 8).await, Err(NotReady::Failed(None))));
    table.set(app.id, ApplicationState::Starting);
    let request = waiting(&table, &app, 8).await;
    assert!(!request.is_finished());
    table.set(app.id, ApplicationState::Ready(Side::Thread));
    assert!(matches!(request.await.unwrap(), Ok(Side::Thread)));
}

#[tokio::test(start_paused = true)]
async fn as_many_wait_for_one_as_may_and_others_do_not_suffer() {
    let table = Arc::new(ApplicationTable::default());
    let (app, other) = (application("a:app"), application("b:app"));
    let first = waiting(&table, &app, 1).await;
    assert!(matches!(table.ready(&app, 1).await, Err(NotReady::Full)));
    let elsewhere = waiting(&table, &other, 1).await;
    assert!(!elsewhere.is_finished(), "another application has its own room");
    // One that leaves makes room.
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    let next = waiting(&table, &app, 1).await;
    assert!(!next.is_finished());
}

#[tokio::test(start_paused = true)]
async fn one_that_is_gone_is_not_waited_for_and_may_come_back() {
    let (table, app) = (Arc::new(ApplicationTable::default()), application("a:app"));
    table.set(app.id, ApplicationState::Ready(Side::Thread));
    table.set(app.id, ApplicationState::Gone);
    assert!(matches!(table.ready(&app, 8).await, Err(NotReady::Gone)));
    table.set(app.id, ApplicationState::Ready(Side::Loop));
    assert_eq!(table.side(app.id), Some(Side::Loop));
    for number in 0..=REMEMBERED {
        table.set(application(&format!("a:app{number}")).id, ApplicationState::Gone);
    }
    assert_eq!(table.side(app.id), Some(Side::Loop), "it is not forgotten with its past");
    let table = table.0.read();
    assert_eq!((table.known.len(), table.gone.len()), (REMEMBERED + 1, REMEMBERED));
}
