//! How many interim responses wait, and in which order.

use super::*;

#[test]
fn they_are_taken_once_in_their_order_and_are_few() {
    let queue = InterimQueue::default();
    assert!(queue.take().is_empty());
    let statuses: Vec<_> = (0..20).map(|n| StatusCode::from_u16(102 + n)).collect();
    for status in &statuses {
        queue.push(*status.as_ref().expect("is in range"), HeaderMap::new());
    }
    let taken: Vec<_> = queue.take().into_iter().map(|(status, _)| status.as_u16()).collect();
    assert_eq!(taken, (102..118).collect::<Vec<_>>());
    assert!(queue.take().is_empty());
}
