//! Random salts for the parts of records, drawn from the system in large pieces.

use osel_core::trail::{SALT_BYTES, Salt};

/// How many bytes are drawn at once: one call to the system for some hundred parts.
const POOL_BYTES: usize = 4096;

/// A supply of salts.
#[derive(Debug)]
pub struct Salts {
    pool: Box<[u8; POOL_BYTES]>,
    used: usize,
}

impl Default for Salts {
    fn default() -> Self {
        Self { pool: Box::new([0; POOL_BYTES]), used: POOL_BYTES }
    }
}

impl Salts {
    /// The next salt.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn draw(&mut self) -> Result<Salt, getrandom::Error> {
        if self.used + SALT_BYTES > POOL_BYTES {
            getrandom::fill(&mut self.pool[..])?;
            self.used = 0;
        }
        let mut salt = Salt::default();
        salt.copy_from_slice(&self.pool[self.used..self.used + SALT_BYTES]);
        // A salt that was given out stays nowhere but with its part.
        self.pool[self.used..self.used + SALT_BYTES].fill(0);
        self.used += SALT_BYTES;
        Ok(salt)
    }
}
