//! The emulators that a bundle needs, tried on this machine before the first of its chunks is read (SPEC M-157).

use std::collections::BTreeSet;

use super::index::Index;
use crate::domain::{Class, Error, Result, Step};
use crate::panics::{self, caught};
use crate::producer::{Producer, answers};

/// Tries every producer that an index names.
///
/// # Errors
///
/// `E-INTERNAL emulator` at X10.
pub(super) fn check_emulators(index: &Index) -> Result<()> {
    // One that ends in a panic gives no answer.
    check(index, &|producer| {
        let tried = || {
            panics::point("emulator");
            answers(producer)
        };
        caught("emulator", tried).unwrap_or(false)
    })
}

fn check(index: &Index, answers: &dyn Fn(Producer) -> bool) -> Result<()> {
    let named: BTreeSet<Producer> = index
        .encodings
        .iter()
        .filter_map(|encoding| encoding.producer())
        .collect();
    match named.into_iter().find(|producer| !answers(*producer)) {
        None => Ok(()),
        Some(producer) => Err(Error::new(
            Class::Internal,
            "emulator",
            format!("{} makes on this machine what it never made", producer.as_str()),
        )
        .expected("its known answer")
        .remedy(
            "import it on another machine, or ask the vendor for a bundle made with --encodings none; and report it",
        )
        .at(Step::X10)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Digest, Hash};
    use crate::encoding::{Encoding, Gzip};

    #[test]
    fn an_emulator_that_fails_is_told_and_others_are_not_asked() {
        let gzip = |producer| {
            Encoding::Gzip(Gzip {
                producer,
                plain_size: 1,
                plain_digest: Digest(Hash([0; 32])),
            })
        };
        let index = Index {
            encodings: vec![Encoding::Plain, gzip(Producer::Go1Level9), gzip(Producer::Pigz1Level6)],
            ..Index::default()
        };
        check(&index, &|producer| producer != Producer::Go1Level6).unwrap();
        let error = check(&index, &|producer| producer != Producer::Pigz1Level6).unwrap_err();
        let found = (error.class(), error.code(), error.step());
        assert_eq!(found, (Class::Internal, "emulator", Some(Step::X10)));
        assert!(error.found().contains("pigz-1-6"));
    }
}
