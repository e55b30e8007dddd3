//! An age in one byte: exact to 12.5 %, from minutes up to centuries.

/// v = minutes + 8, k = ⌊log2 v⌋ − 3, byte = min(255, 8k + (v ≫ k & 7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Age(u8);

impl Age {
    /// Returns the byte that stands for an age.
    pub fn of_minutes(minutes: u64) -> Self {
        let v = minutes.saturating_add(8);
        let k = v.ilog2().saturating_sub(3);
        let byte = u64::from(k).saturating_mul(8).saturating_add(v.wrapping_shr(k) & 7);
        Self(u8::try_from(byte).unwrap_or(u8::MAX))
    }

    /// Returns the age between two times in seconds since 1970; none where the later one is earlier.
    pub fn between(earlier: i64, later: i64) -> Self {
        let seconds = later.saturating_sub(earlier);
        Self::of_minutes(u64::try_from(seconds).unwrap_or(0).checked_div(60).unwrap_or(0))
    }

    /// Reads a byte.
    pub fn from_byte(byte: u8) -> Self {
        Self(byte)
    }

    /// Returns the byte.
    pub fn to_byte(self) -> u8 {
        self.0
    }

    /// Returns the least age in minutes that the byte stands for.
    pub fn least_minutes(self) -> u64 {
        let (k, low) = (u32::from(self.0 >> 3), u64::from(self.0 & 7));
        (8 | low).wrapping_shl(k).saturating_sub(8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_stands_for_an_age_and_every_age_for_the_byte_below_it() {
        let mut before = None;
        for byte in 0..=u8::MAX {
            let age = Age::from_byte(byte);
            let least = age.least_minutes();
            assert_eq!(Age::of_minutes(least), age, "{byte}");
            assert!(before.is_none_or(|before| before < least), "{byte}");
            if let Some(under) = least.checked_sub(1) {
                assert_eq!(Age::of_minutes(under).to_byte(), byte - 1);
            }
            before = Some(least);
        }
        assert_eq!(Age::of_minutes(0).to_byte(), 0);
        assert_eq!(Age::of_minutes(u64::MAX), Age::from_byte(255));
        assert_eq!(Age::between(600, 0).to_byte(), 0);
        assert_eq!(Age::between(0, 600).least_minutes(), 10);
    }
}
