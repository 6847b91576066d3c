//! A table whose keys are addresses of what this process has allocated. No client chooses them, so
//! they need no hash that withstands one.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// What is known by an address.
pub(super) type ByAddress<T> = HashMap<usize, T, BuildHasherDefault<AddressHasher>>;

/// Hashes one address.
#[derive(Default)]
pub(super) struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn write_usize(&mut self, address: usize) {
        // Both ends of the hash are used, and the low bits of addresses are all alike.
        self.0 = (address as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32);
    }

    fn write(&mut self, _bytes: &[u8]) {
        unreachable!("addresses are the only keys")
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
