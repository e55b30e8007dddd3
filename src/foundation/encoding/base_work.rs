//! What opening the bases of a bundle takes, by its index alone (SPEC M-162).

use crate::domain::{Class, Error, Result, limits};

/// Bytes that are inflated to copy from them, each base once, and bytes of plain that are made over bases.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BaseWork {
    /// Plains of different bases that are gzip files.
    pub inflated: u64,
    /// Plains of blobs with bases.
    pub made: u64,
}

impl BaseWork {
    /// What may be inflated at most.
    fn most(self) -> u64 {
        let share = self.made.saturating_mul(limits::BASE_WORK_FOR_A_BYTE);
        share.saturating_add(limits::BASE_WORK)
    }

    /// Bounds it for whoever reads a bundle.
    ///
    /// # Errors
    ///
    /// `E-LIMIT base-work`.
    pub fn check(self) -> Result<()> {
        if self.inflated <= self.most() {
            return Ok(());
        }
        Err(Error::new(
            Class::Limit,
            "base-work",
            format!(
                "the bases of the bundle inflate to {} bytes, for layers of {} bytes of plain",
                self.inflated, self.made
            ),
        )
        .expected(format!("at most {}", self.most()))
        .remedy("ask the vendor for a bundle made with --encodings recipes"))
    }

    /// Whether it is at most half of what a reader allows: what a writer keeps to.
    pub fn is_easy(self) -> bool {
        self.inflated <= self.most() / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_inflated_is_bounded_by_what_is_made_of_it() {
        let work = |inflated, made| BaseWork { inflated, made };
        let most = (16 << 30) + 64 * 1000;
        work(most, 1000).check().unwrap();
        let error = work(most + 1, 1000).check().unwrap_err();
        assert_eq!((error.class(), error.code()), (Class::Limit, "base-work"));
        assert!(work(most / 2, 1000).is_easy() && !work(most / 2 + 1, 1000).is_easy());
        assert!(work(u64::MAX, u64::MAX).check().is_ok(), "sums do not wrap");
    }
}
