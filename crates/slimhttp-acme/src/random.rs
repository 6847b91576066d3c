//! Chance, for what is not to happen everywhere at the same moment.

use std::time::Duration;

/// A number from 0 up to 1, which it never is.
#[allow(clippy::cast_precision_loss, reason = "53 bits fit exactly")]
pub(crate) fn fraction() -> f64 {
    let mut bytes = [0; 8];
    // Without chance everything is just less spread.
    aws_lc_rs::rand::fill(&mut bytes).unwrap_or_default();
    (u64::from_le_bytes(bytes) >> 11) as f64 / (1_u64 << 53) as f64
}

/// A part of `length`.
pub(crate) fn within(length: Duration) -> Duration {
    length.mul_f64(fraction())
}
