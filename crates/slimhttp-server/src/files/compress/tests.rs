//! What the encoders make is what their decoders read.

use std::io::Read;

use super::*;

fn decode(coding: Coding, coded: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    match coding {
        Coding::Brotli => brotli::BrotliDecompress(&mut &*coded, &mut plain).expect("brotli"),
        Coding::Zstd => {
            zstd::Decoder::new(coded)
                .and_then(|mut decoder| decoder.read_to_end(&mut plain))
                .expect("zstd");
        }
        Coding::Gzip => {
            flate2::read::GzDecoder::new(coded).read_to_end(&mut plain).expect("gzip");
        }
    }
    plain
}

#[test]
fn what_is_coded_is_read_back() {
    let long: Vec<u8> = (0..300_000_u32).flat_map(|number| (number / 7).to_le_bytes()).collect();
    for content in [&b""[..], b"a", &[b'a'; 5000], &long] {
        for coding in Coding::ALL {
            let coded = encode(coding, content, Effort::Kept).expect("it is coded");
            assert!(decode(coding, &coded) == content, "{coding:?}, {} bytes", content.len());
        }
    }
}

#[tokio::test]
async fn what_does_not_get_shorter_is_not_sent_coded() {
    // A linear congruence: no encoder finds anything in it.
    let mut state = 1_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    })
    .take(4096)
    .collect();
    let tag = || ETag::strong("a").expect("a tag");
    let compressor = Compressor::new();
    for coding in Coding::ALL {
        let compress = |content: Vec<u8>| {
            let room = compressor.enter().expect("nobody waits");
            compressor.compress(room, (coding, Effort::Kept), async { Some(content.into()) }, tag())
        };
        let coded = compress(noise.clone()).await;
        assert_eq!(coded.expect("it is tried").bytes, None, "{coding:?}");
        let coded = compress(vec![b'a'; 4096]).await;
        let bytes = coded.expect("it is tried").bytes.clone().expect("it is shorter");
        assert!(bytes.len() < 200, "{coding:?} {}", bytes.len());
    }
}

#[test]
fn few_wait_for_an_encoder() {
    let compressor = Compressor::new();
    let entered: Vec<_> = std::iter::from_fn(|| compressor.enter()).take(10_000).collect();
    assert!(entered.len() < 10_000);
    assert!(compressor.enter().is_none());
    drop(entered);
    assert!(compressor.enter().is_some());
}
