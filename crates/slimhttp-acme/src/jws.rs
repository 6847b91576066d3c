//! The account's key, and requests signed with it (RFC 7515 in the flattened JSON form that RFC
//! 8555 section 6.2 demands).

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use aws_lc_rs::{digest, hmac};
use data_encoding::BASE64URL_NOPAD;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};

#[cfg(test)]
mod tests;

/// What an uncompressed point begins with (SEC 1 section 2.3.3).
const UNCOMPRESSED: u8 = 4;

/// The key of an account: ECDSA on P-256, which every authority takes.
pub(crate) struct AccountKey {
    pair: EcdsaKeyPair,
    jwk: Value,
    thumbprint: String,
}

impl AccountKey {
    /// A new key, as a PEM file.
    pub(crate) fn generate() -> String {
        rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)
            .expect("aws-lc-rs makes keys on P-256")
            .serialize_pem()
    }

    /// The key in a PEM file. `None`: there is none of that kind.
    pub(crate) fn from_pem(pem: &[u8]) -> Option<Self> {
        let key = PrivatePkcs8KeyDer::from_pem_slice(pem).ok()?;
        let key = key.secret_pkcs8_der();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key).ok()?;
        let point = pair.public_key().as_ref().strip_prefix(&[UNCOMPRESSED])?;
        let (x, y) = point.split_at_checked(32)?;
        let (x, y) = (BASE64URL_NOPAD.encode(x), BASE64URL_NOPAD.encode(y));
        // RFC 7638 section 3: these members alone, by their names, without a blank.
        let members = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        let thumbprint = digest::digest(&digest::SHA256, members.as_bytes());
        let thumbprint = BASE64URL_NOPAD.encode(thumbprint.as_ref());
        let jwk = json!({"crv": "P-256", "kty": "EC", "x": x, "y": y});
        Some(Self { pair, jwk, thumbprint })
    }

    /// The public key (RFC 7517).
    pub(crate) fn jwk(&self) -> &Value {
        &self.jwk
    }

    /// What proves control of a name to the authority (RFC 8555 section 8.1).
    pub(crate) fn authorization(&self, token: &str) -> String {
        format!("{token}.{}", self.thumbprint)
    }

    /// Signs `payload` under `header`, which is without `alg`.
    pub(crate) fn sign(&self, mut header: Value, payload: &[u8]) -> Value {
        header["alg"] = json!("ES256");
        signed(&header, payload, |input| {
            let signature = self.pair.sign(&SystemRandom::new(), input);
            signature.expect("a key that is whole signs").as_ref().to_vec()
        })
    }
}

/// Signs `payload` with the key of an account elsewhere (RFC 8555 section 7.3.4).
pub(crate) fn bind(key: &[u8], kid: &str, url: &str, payload: &[u8]) -> Value {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let header = json!({"alg": "HS256", "kid": kid, "url": url});
    signed(&header, payload, |input| hmac::sign(&key, input).as_ref().to_vec())
}

fn signed(header: &Value, payload: &[u8], sign: impl FnOnce(&[u8]) -> Vec<u8>) -> Value {
    let header = BASE64URL_NOPAD.encode(header.to_string().as_bytes());
    let payload = BASE64URL_NOPAD.encode(payload);
    let signature = sign(format!("{header}.{payload}").as_bytes());
    json!({
        "protected": header,
        "payload": payload,
        "signature": BASE64URL_NOPAD.encode(&signature),
    })
}
