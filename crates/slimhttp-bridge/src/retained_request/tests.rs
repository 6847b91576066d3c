//! That the object of a request is released with it, and whose handler is named.

use super::*;

#[test]
fn the_object_is_released_with_its_request() {
    let (bridge, _wake_rx) = crate::tests::bridge();
    let (request, id) = (crate::tests::request("/"), bridge.next_id());
    assert!(RetainedRequest::of(&request).is_none());
    let retained = RetainedRequest { bridge: bridge.clone(), id, passed: None };
    assert!(request.handler_data.set(Box::new(retained)).is_ok());
    assert_eq!(RetainedRequest::of(&request).map(|retained| retained.id), Some(id));
    assert!(bridge.queue.take_released().is_empty());
    drop(request);
    assert_eq!(bridge.queue.take_released(), [id]);
}
