//! Reading files that the system has in memory, and such as it may have to fetch.

use std::io::Write as _;
use std::path::Path;

use super::*;

#[tokio::test]
async fn a_file_is_read_as_long_as_it_is() {
    let name = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let file = Arc::new(File::open(&name).expect("it is there"));
    let text = std::fs::read(&name).expect("it is there");
    for (length, expected) in
        [(0, 0), (7, 7), (text.len(), text.len()), (text.len() + 9, text.len())]
    {
        let read = read_whole(&file, length).await.expect("it is read");
        assert_eq!(read, text[..expected], "{length}");
    }
}

#[test]
fn a_piece_is_read_where_it_stands() {
    let name = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let file = File::open(&name).expect("it is there");
    let text = std::fs::read(&name).expect("it is there");
    let length = text.len() as u64;
    load(&file, 0, length).expect("it is read");
    let mut bytes = [0; 5];
    assert_eq!(read_some(&file, &mut bytes, 3).expect("it is read"), 5);
    assert_eq!(bytes, text[3..8]);
    assert_eq!(read_some(&file, &mut bytes, length).expect("the end"), 0);
    assert_eq!(read_some(&file, &mut bytes, length - 2).expect("the rest"), 2);
}

fn file(bytes: &[u8]) -> Arc<File> {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(bytes).expect("written");
    Arc::new(file)
}

/// From where, how much, and whether it is given at once.
#[test]
fn few_bytes_are_read_at_once_or_not_at_all() {
    let file = file(&[b'x'; SMALL + 1]);
    let small = SMALL as u64;
    for (start, length, is_given) in [
        (0, 1, true),
        (0, small, true),
        (1, small, true),
        (0, small + 1, false),
        // Fewer than were asked for are none.
        (2, small, false),
        (small + 1, 1, false),
        (0, u64::MAX, false),
    ] {
        let read = read_at_once(&file, start, length);
        let expected = is_given.then_some(length);
        assert_eq!(read.map(|bytes| bytes.len() as u64), expected, "{start} {length}");
    }
}

#[test]
fn what_was_written_just_now_is_in_memory() {
    let length = 3 * STRIDE + 1;
    let file = file(&vec![b'x'; usize::try_from(length).expect("it is short")]);
    for (offset, count) in [(0, 1), (0, length), (STRIDE - 1, 2), (length - 1, 1)] {
        assert!(is_in_memory(&file, offset, count).expect("it is looked at"), "{offset} {count}");
    }
    // It became shorter: there is nothing to wait for.
    load(&file, 0, length + 9).expect("it is read to its end");
    assert!(is_in_memory(&file, 0, length + 9).expect("it is looked at"));
}

/// Files of `/proc` are made as they are read, so none of one is in memory.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_may_have_to_be_waited_for_is_not_read_at_once() {
    let text = std::fs::read("/proc/version").expect("it is there");
    let file = Arc::new(File::open("/proc/version").expect("it is there"));
    let error = read_ready(&file, &mut [0; 9], 0).expect_err("it would have to be waited for");
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    assert_eq!(read_at_once(&file, 0, 9), None);
    assert!(!is_in_memory(&file, 0, 9).expect("it is looked at"));
    let read = read_whole(&file, text.len() + 9).await.expect("the blocking pool reads it");
    assert_eq!(read, text);
}

#[tokio::test]
async fn a_folder_is_not_read() {
    let folder = Arc::new(File::open("/").expect("a folder"));
    read_whole(&folder, 9).await.expect_err("it is a folder");
    read_some(&folder, &mut [0; 9], 0).expect_err("it is a folder");
    load(&folder, 0, 9).expect_err("it is a folder");
}
