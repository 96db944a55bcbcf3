//! Chance from a seed: xoshiro256** seeded by SplitMix64, so that a run can be had again from one number.
//!
//! No crate for it on purpose: the sequence must never change under a seed that somebody wrote down.

/// A source of chance.
#[derive(Clone, Debug)]
pub struct Random {
    state: [u64; 4],
}

impl Random {
    /// The sequence of a seed.
    pub fn new(seed: u64) -> Self {
        let mut mix = seed;
        let state = std::array::from_fn(|_| split_mix(&mut mix));
        Self { state }
    }

    /// A sequence of its own for one part of a run, so that a change in one part leaves the others as they
    /// were.
    pub fn fork(&mut self, part: u64) -> Self {
        Self::new(self.bits() ^ part.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        let result = self.state[1].wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let shifted = self.state[1] << 17;
        self.state[2] ^= self.state[0];
        self.state[3] ^= self.state[1];
        self.state[1] ^= self.state[2];
        self.state[0] ^= self.state[3];
        self.state[2] ^= shifted;
        self.state[3] = self.state[3].rotate_left(45);
        result
    }

    /// A number less than `limit`; 0 where the limit is 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        // The high half of a 128-bit product: no division, and a bias far below what a simulation can see.
        ((u128::from(self.bits()) * u128::from(limit)) >> 64) as u64
    }

    /// A place in something of that length.
    pub fn index(&mut self, length: usize) -> usize {
        self.below(length as u64) as usize
    }

    /// A number from `low` to `high`, both possible.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// True in `percent` of a hundred cases.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of them; nothing where there is none.
    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        all.get(self.index(all.len()))
    }

    /// A number from 0 up to 1, without 1.
    pub fn fraction(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// An id as Neutron writes them (a UUID of version 4).
    pub fn uuid(&mut self) -> String {
        let mut id = String::with_capacity(36);
        self.write_uuid(&mut id);
        id
    }

    /// Appends an id as Neutron writes them.
    pub fn write_uuid(&mut self, to: &mut String) {
        let (high, low) = (self.bits(), self.bits());
        write_hex(to, high >> 32, 8);
        to.push('-');
        write_hex(to, (high >> 16) & 0xFFFF, 4);
        to.push('-');
        write_hex(to, (high & 0x0FFF) | 0x4000, 4);
        to.push('-');
        write_hex(to, ((low >> 48) & 0x3FFF) | 0x8000, 4);
        to.push('-');
        write_hex(to, low & 0xFFFF_FFFF_FFFF, 12);
    }

    /// An id as Keystone writes them (32 hexadecimal digits).
    pub fn hex32(&mut self) -> String {
        let mut id = String::with_capacity(32);
        self.write_hex32(&mut id);
        id
    }

    /// Appends an id as Keystone writes them.
    pub fn write_hex32(&mut self, to: &mut String) {
        let (high, low) = (self.bits(), self.bits());
        write_hex(to, high, 16);
        write_hex(to, low, 16);
    }

    /// Puts a list into another order.
    pub fn shuffle<T>(&mut self, all: &mut [T]) {
        for at in (1..all.len()).rev() {
            all.swap(at, self.index(at + 1));
        }
    }
}

/// Appends the lowest `digits` hexadecimal digits of a number.
pub fn write_hex(to: &mut String, number: u64, digits: u32) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for place in (0..digits).rev() {
        to.push(char::from(DIGITS[((number >> (place * 4)) & 0xF) as usize]));
    }
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_sequence() {
        // The reference implementation of SplitMix64 gives these for seed 0.
        let mut mix = 0;
        assert_eq!(split_mix(&mut mix), 0xE220_A839_7B1D_CDAF);
        assert_eq!(split_mix(&mut mix), 0x6E78_9E6A_A1B9_65F4);
        let sequence = |seed| {
            let mut random = Random::new(seed);
            (0..9).map(|_| random.bits()).collect::<Vec<_>>()
        };
        assert_eq!(sequence(7), sequence(7));
        assert_ne!(sequence(7), sequence(8));
    }

    #[test]
    fn numbers_stay_in_their_bounds_and_meet_them() {
        let mut random = Random::new(1);
        let drawn: std::collections::BTreeSet<u64> = (0..1000).map(|_| random.between(3, 7)).collect();
        assert_eq!(drawn.into_iter().collect::<Vec<_>>(), [3, 4, 5, 6, 7]);
        assert_eq!(random.below(0), 0);
        assert!(random.pick::<u8>(&[]).is_none());
        assert!((0..1000).all(|_| random.fraction() < 1.0));
    }

    #[test]
    fn ids_have_the_form_of_the_services() {
        let mut random = Random::new(2);
        for _ in 0..100 {
            let id = random.uuid();
            let parts: Vec<usize> = id.split('-').map(str::len).collect();
            assert_eq!(parts, [8, 4, 4, 4, 12], "{id}");
            assert!(id.as_bytes()[14] == b'4' && b"89ab".contains(&id.as_bytes()[19]), "{id}");
            assert_eq!(random.hex32().len(), 32);
        }
    }

    #[test]
    fn shuffling_keeps_everything() {
        let mut all: Vec<u32> = (0..50).collect();
        Random::new(3).shuffle(&mut all);
        assert_ne!(all, (0..50).collect::<Vec<_>>());
        all.sort_unstable();
        assert_eq!(all, (0..50).collect::<Vec<_>>());
    }
}
