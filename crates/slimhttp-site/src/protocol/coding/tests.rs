//! What clients write in `Accept-Encoding`, and what they are sent.

use http::HeaderValue;

use super::*;

fn request(lines: &[&'static str]) -> HeaderMap {
    let mut request = HeaderMap::new();
    for line in lines {
        request.append(ACCEPT_ENCODING, HeaderValue::from_static(line));
    }
    request
}

#[test]
fn c5_4_accept_encoding() {
    const IDENTITY_REFUSED: bool = true;
    const NOT_REFUSED: bool = false;
    let cases: &[(&[&'static str], &str, bool)] = &[
        // RFC 9110 section 12.5.3, its own examples.
        (&["compress, gzip"], "gzip", NOT_REFUSED),
        (&[""], "", NOT_REFUSED),
        (&["*"], "br zstd gzip", NOT_REFUSED),
        (&["compress;q=0.5, gzip;q=1.0"], "gzip", NOT_REFUSED),
        (&["gzip;q=1.0, identity; q=0.5, *;q=0"], "gzip", NOT_REFUSED),
        // No field says nothing.
        (&[], "", NOT_REFUSED),
        // What browsers and programs send.
        (&["gzip, deflate, br, zstd"], "br zstd gzip", NOT_REFUSED),
        (&["gzip, deflate, br"], "br gzip", NOT_REFUSED),
        (&["gzip,deflate"], "gzip", NOT_REFUSED),
        (&["deflate, gzip, br, zstd"], "br zstd gzip", NOT_REFUSED),
        (&["identity"], "", NOT_REFUSED),
        (&["identity;q=1, *;q=0"], "", NOT_REFUSED),
        (&["gzip;q=1.0,deflate;q=0.6,identity;q=0.3"], "gzip", NOT_REFUSED),
        // By weight, and by the order offered where they are equal.
        (&["gzip;q=1.0, br;q=0.9"], "gzip br", NOT_REFUSED),
        (&["gzip;q=0.8, br;q=0.8, zstd;q=0.9"], "zstd br gzip", NOT_REFUSED),
        (&["br;q=0.001, gzip;q=0.002"], "gzip br", NOT_REFUSED),
        // `*` is every coding that is not named.
        (&["br;q=0.5, *;q=0.8"], "zstd gzip", NOT_REFUSED),
        (&["*;q=0.5, gzip"], "gzip br zstd", NOT_REFUSED),
        (&["br;q=0, *"], "zstd gzip", NOT_REFUSED),
        (&["*;q=0"], "", IDENTITY_REFUSED),
        (&["gzip, *;q=0"], "gzip", IDENTITY_REFUSED),
        // `identity`.
        (&["identity;q=0"], "", IDENTITY_REFUSED),
        (&["gzip, identity;q=0"], "gzip", IDENTITY_REFUSED),
        (&["identity;q=0.0, br;q=0.1"], "br", IDENTITY_REFUSED),
        (&["identity;q=0.5, gzip;q=0.4"], "", NOT_REFUSED),
        (&["identity;q=0.5, gzip;q=0.5"], "gzip", NOT_REFUSED),
        (&["identity;q=0.5, gzip;q=0.4, br;q=0.6"], "br", NOT_REFUSED),
        (&["identity, gzip;q=0.9"], "", NOT_REFUSED),
        (&["IDENTITY;q=0, GZIP"], "gzip", IDENTITY_REFUSED),
        (&["*;q=0, identity;q=0.1"], "", NOT_REFUSED),
        (&["gzip;q=0.5, *;q=0.8"], "br zstd", NOT_REFUSED),
        // Weights of nothing.
        (&["gzip;q=0"], "", NOT_REFUSED),
        (&["gzip;q=0.000"], "", NOT_REFUSED),
        (&["gzip;q=0, br"], "br", NOT_REFUSED),
        // Spelling.
        (&["GZip;Q=0.5"], "gzip", NOT_REFUSED),
        (&["x-gzip"], "gzip", NOT_REFUSED),
        (&["X-GZIP;q=0"], "", NOT_REFUSED),
        (&["  br ;\tq=1 , gzip"], "br gzip", NOT_REFUSED),
        (&["gzip;q=1."], "gzip", NOT_REFUSED),
        // Several lines are one list.
        (&["gzip", "br"], "br gzip", NOT_REFUSED),
        (&["gzip;q=0.5", "br;q=0.4"], "gzip br", NOT_REFUSED),
        (&["gzip", "identity;q=0"], "gzip", IDENTITY_REFUSED),
        // Twice: the first counts.
        (&["gzip;q=0, gzip"], "", NOT_REFUSED),
        (&["gzip, x-gzip;q=0"], "gzip", NOT_REFUSED),
        // Malformed members say nothing, the others stand.
        (&["gzip;q=2, br"], "br", NOT_REFUSED),
        (&["gzip;q=-1"], "", NOT_REFUSED),
        (&["gzip;q=0.5555, br"], "br", NOT_REFUSED),
        (&["gzip;q=.5"], "", NOT_REFUSED),
        (&["gzip;q="], "", NOT_REFUSED),
        (&["gzip;"], "", NOT_REFUSED),
        (&["gzip br"], "", NOT_REFUSED),
        (&[",,gzip,,"], "gzip", NOT_REFUSED),
        (&["gzipped, xgzip, brotli, zst"], "", NOT_REFUSED),
        (&["identity;q=zero, gzip;q=0.1"], "gzip", NOT_REFUSED),
    ];
    for (lines, expect, refused) in cases {
        let request = request(lines);
        let found = acceptable(&request, &Coding::ALL);
        let found: Vec<_> = found.into_iter().map(Coding::token).collect();
        assert_eq!(found.join(" "), *expect, "{lines:?}");
        assert_eq!(identity_refused(&request), *refused, "{lines:?}");
    }
}

#[test]
fn c5_4_only_what_is_offered_is_chosen_and_in_its_order() {
    use Coding::{Brotli, Gzip, Zstd};
    let cases: &[(&'static str, &[Coding], &[Coding])] = &[
        ("gzip, br, zstd", &[], &[]),
        ("gzip, br, zstd", &[Gzip], &[Gzip]),
        ("gzip, br, zstd", &[Gzip, Zstd, Brotli], &[Gzip, Zstd, Brotli]),
        ("gzip;q=0.5, br, zstd", &[Gzip, Zstd, Brotli], &[Zstd, Brotli, Gzip]),
        ("br", &[Gzip, Zstd], &[]),
        ("*", &[Zstd, Gzip], &[Zstd, Gzip]),
    ];
    for (line, offered, expect) in cases {
        assert_eq!(&acceptable(&request(&[line]), offered)[..], *expect, "{line} {offered:?}");
    }
}

#[test]
fn each_coding_has_its_names() {
    let cases = [
        (Coding::Brotli, "br", "br", "-br"),
        (Coding::Zstd, "zstd", "zst", "-zstd"),
        (Coding::Gzip, "gzip", "gz", "-gzip"),
    ];
    for (coding, token, extension, suffix) in cases {
        assert_eq!(coding.token(), token);
        assert_eq!(coding.extension(), extension);
        assert_eq!(coding.etag_suffix(), suffix);
        assert_eq!(Coding::named(token.as_bytes()), Some(coding));
    }
}
