//! A small generator of our own (SplitMix64), so that a seed repeats all choices.

pub struct Chance(u64);

impl Chance {
    /// The choices of schedule `number` of a campaign; the same wherever and beside whatever it is run.
    pub fn of(seed: u64, number: u64) -> Self {
        let mut chance = Self(seed ^ number.wrapping_mul(0xd134_2543_de82_ef95));
        chance.next();
        chance
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 on, less than `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).expect("it is small")
    }

    /// True once in so many times.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of these.
    pub fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    /// So many different ones of these, in order.
    pub fn some<T: Copy>(&mut self, count: usize, of: &[T]) -> Vec<T> {
        let mut left: Vec<usize> = (0..of.len()).collect();
        let mut taken: Vec<usize> =
            (0..count.min(of.len())).map(|_| left.remove(self.below(left.len()))).collect();
        taken.sort_unstable();
        taken.into_iter().map(|at| of[at]).collect()
    }
}
