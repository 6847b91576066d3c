//! Signatures hold against the public key, and say what was signed.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

use super::*;

/// The pieces of a signed request: header, payload, signature, and what was signed.
fn pieces(signed: &Value) -> (Value, Vec<u8>, Vec<u8>, String) {
    let piece = |key: &str| signed[key].as_str().unwrap();
    let decode = |key: &str| BASE64URL_NOPAD.decode(piece(key).as_bytes()).unwrap();
    let header = serde_json::from_slice(&decode("protected")).unwrap();
    let input = format!("{}.{}", piece("protected"), piece("payload"));
    (header, decode("payload"), decode("signature"), input)
}

#[test]
fn a_signature_holds_against_the_public_key() {
    let key = AccountKey::from_pem(AccountKey::generate().as_bytes()).unwrap();
    let signed = key.sign(json!({"nonce": "n", "url": "https://ca.example/"}), b"{}");
    let (header, payload, signature, input) = pieces(&signed);
    assert_eq!(header, json!({"alg": "ES256", "nonce": "n", "url": "https://ca.example/"}));
    assert_eq!(payload, b"{}");
    let coordinate =
        |name: &str| BASE64URL_NOPAD.decode(key.jwk()[name].as_str().unwrap().as_bytes()).unwrap();
    let point = [&[UNCOMPRESSED][..], &coordinate("x"), &coordinate("y")].concat();
    let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
    public.verify(input.as_bytes(), &signature).unwrap();
    public.verify(b"something else", &signature).unwrap_err();
}

/// The key of RFC 7515 appendix A.3, and its thumbprint by RFC 7638.
#[test]
fn a_thumbprint_is_that_of_rfc_7638() {
    let pem = "-----BEGIN PRIVATE KEY-----\n\
               MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjpsQnnGQmL+YBIff\n\
               H1136cspYG6+0iY7X1fCE9+E9LKhRANCAAR/zc4ncPbEXUGDy+5v20t7WAczNXvp\n\
               7xO6z248e9FURcfxRM0bvZt+hyzf7bnuufSzaV1uqQskrYpGIyiFiOWt\n\
               -----END PRIVATE KEY-----\n";
    let key = AccountKey::from_pem(pem.as_bytes()).unwrap();
    assert_eq!(key.jwk()["x"], "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU");
    assert_eq!(key.authorization("t"), "t.oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U");
    assert!(AccountKey::from_pem(b"no key").is_none());
}

#[test]
fn an_account_elsewhere_is_bound_by_its_key() {
    let signed = bind(b"secret", "kid-1", "https://ca.example/new", b"payload");
    let (header, payload, signature, input) = pieces(&signed);
    let expected = json!({"alg": "HS256", "kid": "kid-1", "url": "https://ca.example/new"});
    assert_eq!((header, &payload[..]), (expected, &b"payload"[..]));
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"secret");
    hmac::verify(&key, input.as_bytes(), &signature).unwrap();
}
