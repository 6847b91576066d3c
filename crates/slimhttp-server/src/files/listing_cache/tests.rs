//! When a listing is made, for how many, and how much all of them take.

use std::sync::atomic::AtomicUsize;

use http::HeaderMap;
use slimhttp_site::file_reply::etag_of_content;
use tokio::sync::Notify;

use super::*;
use crate::fs::file_id::Time;

/// A listing of the folder with this inode, which changed at this second.
fn request(inode: u64, changed: i64, rules: &Arc<FileRules>) -> ListingRequest {
    let time = Time { seconds: changed, nanoseconds: 0 };
    let format = ListingFormat::of_request(&HeaderMap::new(), None);
    let choice = CodingChoice::new(format, &HeaderMap::new(), rules);
    ListingRequest {
        key: Key {
            places: Box::new([]),
            format,
            coding: None,
            runs: false,
            rules: usize::try_from(inode).expect("it is small"),
        },
        choice,
        identity: FileId { device: 1, inode, length: 0, modified: time, changed: time },
        rules: Arc::downgrade(rules),
        may_reuse: true,
    }
}

fn text(bytes: &[u8]) -> io::Result<RenderedListing> {
    Ok(RenderedListing { bytes: bytes.to_vec(), etag: etag_of_content(bytes.len() as u128) })
}

/// Makes the listing that is cached for `request` fresh for as long as a test may take.
fn keep_fresh(listings: &ListingCache, request: &ListingRequest) {
    let cached = listings.table.get(&request.key).expect("it is cached");
    let fresh_for = Duration::from_secs(3600);
    let listing = CachedListing {
        page: cached.page.clone(),
        rules: cached.rules.clone(),
        fresh_for,
        ..*cached
    };
    listings.table.insert(request.key.clone(), Arc::new(listing));
}

#[tokio::test]
async fn a_listing_is_made_once_for_all_who_ask() {
    let listings = ListingCache::new(1 << 20);
    let rules = Arc::new(FileRules::default());
    let made = Arc::new(AtomicUsize::new(0));
    let ask = |request| {
        let made = made.clone();
        listings.get_or_make(request, move || {
            made.fetch_add(1, Ordering::Relaxed);
            text(b"text")
        })
    };
    let all = futures_util::future::join_all((0..20).map(|_| ask(request(1, 1, &rules)))).await;
    let bytes: Vec<_> = all.into_iter().map(|page| page.expect("a page").length()).collect();
    assert_eq!((bytes, made.load(Ordering::Relaxed)), (vec![4; 20], 1));
    keep_fresh(&listings, &request(1, 1, &rules));
    // Who comes behind them gets it too, but not of another folder, of the same
    // one after a change, by other rules, or where nothing is reused.
    for (request, times) in [
        (request(1, 1, &rules), 1),
        (request(2, 1, &rules), 2),
        (request(1, 2, &rules), 3),
        (request(1, 2, &Arc::new(FileRules::default())), 4),
        (ListingRequest { may_reuse: false, ..request(2, 1, &rules) }, 5),
    ] {
        ask(request).await.expect("a page");
        assert_eq!(made.load(Ordering::Relaxed), times);
    }
}

/// Every request sees another folder: each of them would make a listing of its own.
#[tokio::test]
async fn a_folder_that_keeps_changing_is_listed_once_for_all_who_wait() {
    let listings = ListingCache::new(1 << 20);
    let rules = Arc::new(FileRules::default());
    let (made, started) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let (all_wait, goes_on) = std::sync::mpsc::channel::<()>();
    let goes_on = Arc::new(std::sync::Mutex::new(goes_on));
    let ask = |changed| {
        let (made, started, goes_on) = (made.clone(), started.clone(), goes_on.clone());
        listings.get_or_make(request(1, changed, &rules), move || {
            started.notify_one();
            let number = made.fetch_add(1, Ordering::Relaxed);
            if number == 0 {
                let _ = goes_on.lock().expect("no panic").recv();
            }
            text(&[b'x'].repeat(1 + number))
        })
    };
    // They come when the first has been started already, and so wait for a second.
    let others = async {
        started.notified().await;
        let asks = futures_util::future::join_all((1..20).map(ask));
        // Polled in this order: the first is made when all others wait for it.
        let go = async { all_wait.send(()).expect("the first waits for it") };
        futures_util::future::join(asks, go).await.0
    };
    let (first, others) = tokio::join!(ask(0), others);
    assert_eq!(first.expect("a page").length(), 1);
    for page in others {
        assert_eq!(page.expect("a page").length(), 2);
    }
    assert_eq!(made.load(Ordering::Relaxed), 2);
}

#[test]
fn it_is_fresh_for_ten_times_as_long_as_it_took() {
    for (took, fresh) in [(0, 0), (20, 200), (99, 990), (100, 1000), (150, 1000)] {
        let fresh = Duration::from_millis(fresh);
        assert_eq!(fresh_for(Duration::from_millis(took)), fresh, "{took} ms");
    }
}

#[tokio::test]
async fn what_is_no_longer_fresh_is_made_anew() {
    let listings = ListingCache::new(1 << 20);
    let rules = Arc::new(FileRules::default());
    let made = listings.make(&request(1, 1, &rules), None, || text(b"text")).await;
    let made = Arc::into_inner(made.expect("it is made")).expect("nobody else has it");
    let ask = || listings.get_or_make(request(1, 1, &rules), || text(b"another text"));
    let old = CachedListing { finished: Instant::now() - MAX_FRESH, fresh_for: MAX_FRESH, ..made };
    assert!(!old.is_fresh());
    listings.table.insert(request(1, 1, &rules).key, Arc::new(old));
    assert_eq!(ask().await.expect("a page").length(), 12);
    keep_fresh(&listings, &request(1, 1, &rules));
    let again = listings.get_or_make(request(1, 1, &rules), || panic!("it is cached"));
    assert_eq!(again.await.expect("a page").length(), 12);
}

#[tokio::test]
async fn what_says_the_same_is_held_once_and_counted_as_long_as_it_is_held() {
    let listings = ListingCache::new(8000);
    let rules = Arc::new(FileRules::default());
    let used = || listings.budget.held();
    let ask = |inode, length: usize| {
        let request = ListingRequest { may_reuse: false, ..request(inode, 1, &rules) };
        listings.get_or_make(request, move || text(&vec![b'x'; length]))
    };
    let mut taken: Vec<_> = Vec::new();
    for _ in 0..20 {
        taken.push(ask(1, 3000).await.expect("a page"));
    }
    assert_eq!(used(), 3000);
    taken.push(ask(2, 4500).await.expect("a page"));
    assert_eq!(used(), 7500);
    assert!(matches!(ask(3, 1000).await, Err(ListingError::Busy)));
    // Those that are only cached make room.
    taken.clear();
    drop(ask(3, 1000).await.expect("a page"));
    listings.table.clear();
    assert_eq!(used(), 0);
}

#[tokio::test]
async fn only_so_many_wait_and_a_failure_is_passed_on() {
    let listings = ListingCache::new(1 << 20);
    let rules = Arc::new(FileRules::default());
    let failing =
        listings.get_or_make(request(1, 1, &rules), || Err(io::ErrorKind::NotFound.into()));
    assert!(matches!(failing.await, Err(ListingError::Failed(_))));
    let all = u32::try_from(listings.queue.available_permits()).expect("they are few");
    let _taken = listings.queue.clone().acquire_many_owned(all).await.expect("it is open");
    let more = listings.get_or_make(request(1, 1, &rules), || text(b"text"));
    assert!(matches!(more.await, Err(ListingError::Busy)));
}
