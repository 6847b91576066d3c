//! What the encoders make is what their decoders read.

use std::io::Read;

use super::*;
use crate::samples;

fn decode(coding: Coding, encoded: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    match coding {
        Coding::Brotli => brotli::BrotliDecompress(&mut &*encoded, &mut plain).expect("brotli"),
        Coding::Zstd => {
            zstd::Decoder::new(encoded)
                .and_then(|mut decoder| decoder.read_to_end(&mut plain))
                .expect("zstd");
        }
        Coding::Gzip => {
            flate2::read::GzDecoder::new(encoded).read_to_end(&mut plain).expect("gzip");
        }
    }
    plain
}

#[test]
fn what_is_coded_is_read_back() {
    let long: Vec<u8> = (0..300_000_u32).flat_map(|number| (number / 7).to_le_bytes()).collect();
    for content in [&b""[..], b"a", &[b'a'; 5000], &long] {
        for coding in Coding::ALL {
            let encoded = encode(coding, content, Effort::Cached).expect("it is encoded");
            assert!(decode(coding, &encoded) == content, "{coding:?}, {} bytes", content.len());
        }
    }
}

/// What is within gzip, by another implementation, and the length behind it (RFC
/// 1952 section 2.3).
fn gunzip_by_another(encoded: &[u8]) -> Vec<u8> {
    let (head, rest) = encoded.split_at(10);
    assert_eq!(head[..4], [0x1f, 0x8b, 8, 0]);
    let (deflated, end) = rest.split_at(rest.len() - 8);
    let plain = miniz_oxide::inflate::decompress_to_vec(deflated).expect("is deflated");
    assert_eq!(end[4..], (plain.len() as u32).to_le_bytes());
    plain
}

#[test]
fn contents_of_many_sizes_are_read_by_another_implementation() {
    samples::each(|kind, sample| {
        let long = (1..=sample.len()).rev().step_by(89_989);
        for size in samples::sizes(33_000, 20).into_iter().chain(long) {
            for effort in [Effort::Cached, Effort::Transient] {
                let encoded = encode(Coding::Gzip, &sample[..size], effort).expect("it is encoded");
                assert!(gunzip_by_another(&encoded) == sample[..size], "{kind}, {size}");
            }
        }
    });
}

#[test]
fn every_coding_takes_every_kind() {
    for (kind, sample) in samples::kinds() {
        for size in [1, 255, 16_385, 65_537] {
            for (coding, effort) in Coding::ALL
                .into_iter()
                .flat_map(|coding| [(coding, Effort::Cached), (coding, Effort::Transient)])
            {
                let encoded = encode(coding, &sample[..size], effort).expect("it is encoded");
                assert!(decode(coding, &encoded) == sample[..size], "{coding:?}, {kind}, {size}");
            }
        }
    }
}

#[tokio::test]
async fn what_does_not_get_shorter_is_not_sent_coded() {
    let noise: Vec<u8> = samples::noise().take(4096).collect();
    let tag = || ETag::strong("a").expect("a tag");
    let compressor = Compressor::new();
    for coding in Coding::ALL {
        let compress = |content: Vec<u8>| {
            let reserved = compressor.reserve().expect("nobody waits");
            compressor.compress(
                reserved,
                (coding, Effort::Cached),
                async { Some(content.into()) },
                tag(),
            )
        };
        let encoded = compress(noise.clone()).await;
        assert_eq!(encoded.expect("it is tried").bytes, None, "{coding:?}");
        let encoded = compress(vec![b'a'; 4096]).await;
        let bytes = encoded.expect("it is tried").bytes.clone().expect("it is shorter");
        assert!(bytes.len() < 200, "{coding:?} {}", bytes.len());
    }
}

#[test]
fn few_wait_for_an_encoder() {
    let compressor = Compressor::new();
    let reserved: Vec<_> = std::iter::from_fn(|| compressor.reserve()).take(10_000).collect();
    assert!(reserved.len() < 10_000);
    assert!(compressor.reserve().is_none());
    drop(reserved);
    assert!(compressor.reserve().is_some());
}
