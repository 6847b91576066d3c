//! Reading files that the system has in memory, and such as it may have to fetch.

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
