//! Where randomness comes from: the operating system in service, a seed in tests.
//!
//! INVARIANT: this file alone asks the operating system, and each request has a generator of its own,
//! so that no state is shared and a copied process repeats nothing after the request it was copied in.
//! INVARIANT: a generator wipes its state when it goes; what it made cannot be made again from memory.

use chacha20::ChaCha20Rng;
use keyward_types::{Entropy, Generator};
use rand_core::SeedableRng as _;
use std::sync::atomic::{AtomicU64, Ordering};
use zeroize::Zeroizing;

/// Generators seeded from the operating system: ChaCha20 under 32 fresh bytes for each request.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    /// # Panics
    /// When the operating system has no randomness to give. Nothing may go on then.
    fn generator(&self) -> Box<dyn Generator> {
        let mut seed = Zeroizing::new([0; 32]);
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the door through which randomness comes in"
        )]
        let filled = getrandom::fill(seed.as_mut_slice());
        #[expect(
            clippy::expect_used,
            reason = "INVARIANT: no key, nonce or token is ever made without randomness"
        )]
        filled.expect("the operating system's generator answers");
        Box::new(ChaCha20Rng::from_seed(*seed))
    }
}

/// Generators that replay: the n-th one handed out depends on the seed and n alone.
///
/// For tests and simulations; whoever knows the seed knows every key.
#[derive(Debug)]
pub struct SeededEntropy {
    seed: [u8; 32],
    handed_out: AtomicU64,
}

impl SeededEntropy {
    pub const fn new(seed: [u8; 32]) -> Self {
        Self { seed, handed_out: AtomicU64::new(0) }
    }

    /// A seed from a number that a test can print.
    pub fn from_number(number: u64) -> Self {
        let mut seed = [0; 32];
        for (to, from) in seed.iter_mut().zip(number.to_be_bytes()) {
            *to = from;
        }
        Self::new(seed)
    }
}

impl Entropy for SeededEntropy {
    fn generator(&self) -> Box<dyn Generator> {
        let mut generator = ChaCha20Rng::from_seed(self.seed);
        generator.set_stream(self.handed_out.fetch_add(1, Ordering::Relaxed));
        Box::new(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::Rng as _;

    fn draw(entropy: &dyn Entropy) -> [u8; 32] {
        let mut bytes = [0; 32];
        entropy.generator().fill_bytes(&mut bytes);
        bytes
    }

    #[test]
    fn a_seed_replays_and_its_generators_differ() {
        let (a, b) = (SeededEntropy::from_number(7), SeededEntropy::from_number(7));
        let first: Vec<_> = (0..4).map(|_| draw(&a)).collect();
        let again: Vec<_> = (0..4).map(|_| draw(&b)).collect();
        assert_eq!(first, again);
        for (i, one) in first.iter().enumerate() {
            assert!(first.iter().skip(i + 1).all(|other| one != other));
        }
        assert_ne!(draw(&SeededEntropy::from_number(8)), first[0]);
    }

    #[test]
    fn the_system_never_repeats() {
        assert_ne!(draw(&SystemEntropy), draw(&SystemEntropy));
    }
}
