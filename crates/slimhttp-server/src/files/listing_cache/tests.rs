//! When a listing is made, for how many, and how much all of them take.

use std::sync::atomic::AtomicUsize;

use http::HeaderMap;
use slimhttp_site::file_reply::etag_of_content;
use tokio::sync::Notify;

use super::*;
use crate::fs::file_id::Time;

/// A listing of the folder with this inode, which changed at this second.
fn wanted(inode: u64, changed: i64, rules: &Arc<FileRules>) -> Wanted {
    let time = Time { seconds: changed, nanoseconds: 0 };
    let form = Form::asked(&HeaderMap::new(), None);
    let coded = Coded::asked(form, &HeaderMap::new(), rules);
    Wanted {
        key: Key {
            places: Box::new([]),
            form,
            coding: None,
            runs: false,
            rules: usize::try_from(inode).expect("it is small"),
        },
        coded,
        identity: FileId { device: 1, inode, length: 0, modified: time, changed: time },
        rules: Arc::downgrade(rules),
        kept: true,
    }
}

fn text(bytes: &[u8]) -> io::Result<Text> {
    Ok(Text { bytes: bytes.to_vec(), etag: etag_of_content(bytes.len() as u128) })
}

/// Makes the listing that is kept for `wanted` believed for as long as a test may take.
fn believe(listings: &Listings, wanted: &Wanted) {
    let kept = listings.table.get(&wanted.key).expect("it is kept");
    let believed = Duration::from_secs(3600);
    let (page, rules) = (kept.page.clone(), kept.rules.clone());
    listings.table.insert(wanted.key.clone(), Arc::new(Listed { page, rules, believed, ..*kept }));
}

#[tokio::test]
async fn a_listing_is_made_once_for_all_who_ask() {
    let listings = Listings::new(1 << 20);
    let rules = Arc::new(FileRules::default());
    let made = Arc::new(AtomicUsize::new(0));
    let ask = |wanted| {
        let made = made.clone();
        listings.page(wanted, move || {
            made.fetch_add(1, Ordering::Relaxed);
            text(b"text")
        })
    };
    let all = futures_util::future::join_all((0..20).map(|_| ask(wanted(1, 1, &rules)))).await;
    let bytes: Vec<_> = all.into_iter().map(|page| page.expect("a page").length()).collect();
    assert_eq!((bytes, made.load(Ordering::Relaxed)), (vec![4; 20], 1));
    believe(&listings, &wanted(1, 1, &rules));
    // Who comes behind them gets it too, but not of another folder, of the same
    // one after a change, by other rules, or where nothing is believed.
    for (wanted, times) in [
        (wanted(1, 1, &rules), 1),
        (wanted(2, 1, &rules), 2),
        (wanted(1, 2, &rules), 3),
        (wanted(1, 2, &Arc::new(FileRules::default())), 4),
        (Wanted { kept: false, ..wanted(2, 1, &rules) }, 5),
    ] {
        ask(wanted).await.expect("a page");
        assert_eq!(made.load(Ordering::Relaxed), times);
    }
}

/// Every request sees another folder: each of them would make a listing of its own.
#[tokio::test]
async fn a_folder_that_keeps_changing_is_listed_once_for_all_who_wait() {
    let listings = Listings::new(1 << 20);
    let rules = Arc::new(FileRules::default());
    let (made, begun) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let (all_wait, goes_on) = std::sync::mpsc::channel::<()>();
    let goes_on = Arc::new(std::sync::Mutex::new(goes_on));
    let ask = |changed| {
        let (made, begun, goes_on) = (made.clone(), begun.clone(), goes_on.clone());
        listings.page(wanted(1, changed, &rules), move || {
            begun.notify_one();
            let number = made.fetch_add(1, Ordering::Relaxed);
            if number == 0 {
                let _ = goes_on.lock().expect("no panic").recv();
            }
            text(&[b'x'].repeat(1 + number))
        })
    };
    // They come when the first has been begun already, and so wait for a second.
    let others = async {
        begun.notified().await;
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
fn it_is_believed_for_ten_times_as_long_as_it_took() {
    for (took, believed) in [(0, 0), (20, 200), (99, 990), (100, 1000), (150, 1000)] {
        let believed = Duration::from_millis(believed);
        assert_eq!(believed_for(Duration::from_millis(took)), believed, "{took} ms");
    }
}

#[tokio::test]
async fn what_is_no_longer_believed_is_made_anew() {
    let listings = Listings::new(1 << 20);
    let rules = Arc::new(FileRules::default());
    let made = listings.make(&wanted(1, 1, &rules), None, || text(b"text")).await;
    let made = Arc::into_inner(made.expect("it is made")).expect("nobody else has it");
    let ask = || listings.page(wanted(1, 1, &rules), || text(b"another text"));
    let old = Listed { made: Instant::now() - LONGEST, believed: LONGEST, ..made };
    assert!(!old.is_believed());
    listings.table.insert(wanted(1, 1, &rules).key, Arc::new(old));
    assert_eq!(ask().await.expect("a page").length(), 12);
    believe(&listings, &wanted(1, 1, &rules));
    let again = listings.page(wanted(1, 1, &rules), || panic!("it is kept"));
    assert_eq!(again.await.expect("a page").length(), 12);
}

#[tokio::test]
async fn what_says_the_same_is_held_once_and_counted_as_long_as_it_is_held() {
    let listings = Listings::new(8000);
    let rules = Arc::new(FileRules::default());
    let used = || listings.budget.held();
    let ask = |inode, length: usize| {
        let wanted = Wanted { kept: false, ..wanted(inode, 1, &rules) };
        listings.page(wanted, move || text(&vec![b'x'; length]))
    };
    let mut taken: Vec<_> = Vec::new();
    for _ in 0..20 {
        taken.push(ask(1, 3000).await.expect("a page"));
    }
    assert_eq!(used(), 3000);
    taken.push(ask(2, 4500).await.expect("a page"));
    assert_eq!(used(), 7500);
    assert!(matches!(ask(3, 1000).await, Err(Unlisted::Busy)));
    // Those that are only kept make room.
    taken.clear();
    drop(ask(3, 1000).await.expect("a page"));
    listings.table.clear();
    assert_eq!(used(), 0);
}

#[tokio::test]
async fn only_so_many_wait_and_a_fault_is_told() {
    let listings = Listings::new(1 << 20);
    let rules = Arc::new(FileRules::default());
    let failing = listings.page(wanted(1, 1, &rules), || Err(io::ErrorKind::NotFound.into()));
    assert!(matches!(failing.await, Err(Unlisted::Failed(_))));
    let all = u32::try_from(listings.room.available_permits()).expect("they are few");
    let _taken = listings.room.clone().acquire_many_owned(all).await.expect("it is open");
    let more = listings.page(wanted(1, 1, &rules), || text(b"text"));
    assert!(matches!(more.await, Err(Unlisted::Busy)));
}
