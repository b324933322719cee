//! Numbers that look random and follow from a seed (SplitMix64), the same on
//! every machine and in every release.

/// A stream of numbers.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `least` to `most`.
    pub fn within(&mut self, least: u32, most: u32) -> u32 {
        let span = u64::from(most.saturating_sub(least)).saturating_add(1);
        let offset = u32::try_from(self.draw() % span).unwrap_or_default();
        least.saturating_add(offset)
    }

    /// A number from -1 to 1, more often near 0.
    pub fn around_zero(&mut self) -> f32 {
        let sum: u32 = (0..4).map(|_| self.within(0, 1000)).sum();
        let sum = u16::try_from(sum).unwrap_or_default();
        f32::from(sum) / 2000.0 - 1.0
    }

    /// Puts a list into another order.
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            let most = u32::try_from(last).unwrap_or_default();
            let other = usize::try_from(self.within(0, most)).unwrap_or_default();
            list.swap(last, other);
        }
    }
}
