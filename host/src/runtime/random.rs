//! What is random for a guest: derived from the run's seed, so that every attempt finds the same.
//!
//! ChaCha streams of the seed: 1 for `random`, 2 for `insecure`, 3 for `insecure-seed`. Each is set up when the guest
//! first asks: most guests ask for one of them at most.

use std::convert::Infallible;

use rand_chacha::rand_core::{Rng as _, SeedableRng as _, TryRng};
use rand_chacha::{ChaCha8Rng, ChaCha20Rng};

/// One stream of a run's seed.
pub(super) struct Stream {
    seed: [u8; 32],
    number: u64,
    begun: Option<Box<ChaCha20Rng>>,
}

impl Stream {
    /// Stream of `random`, for what must not be guessed.
    pub(super) fn secure(seed: [u8; 32]) -> Self {
        Self { seed, number: 1, begun: None }
    }

    /// Stream of `insecure`.
    pub(super) fn insecure(seed: [u8; 32]) -> Self {
        Self { seed, number: 2, begun: None }
    }

    fn rng(&mut self) -> &mut ChaCha20Rng {
        self.begun.get_or_insert_with(|| {
            let mut rng = ChaCha20Rng::from_seed(self.seed);
            rng.set_stream(self.number);
            Box::new(rng)
        })
    }
}

impl TryRng for Stream {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.rng().try_next_u32()
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.rng().try_next_u64()
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.rng().try_fill_bytes(bytes)
    }
}

/// Seeds the guest's hash maps. From a stream of its own: the secret seed never reaches a guest.
pub(super) fn insecure_seed(seed: [u8; 32]) -> (u64, u64) {
    let mut third = ChaCha8Rng::from_seed(seed);
    third.set_stream(3);
    let high = third.next_u64();
    (third.next_u64(), high)
}
