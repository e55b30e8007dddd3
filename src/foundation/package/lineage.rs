//! Lineage: which lives of the state folder told the numbers of a stream (M-82, M-83).

use serde::{Deserialize, Serialize};

use super::coverage::Numbers;
use crate::crypto::canonical::integer;
use crate::domain::{Class, Error, InstanceId, Result, limits};

/// An instance of the stream, and the first number of each kind that is its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineageEntry {
    /// Its first row of the stream's log.
    #[serde(with = "integer")]
    pub audit: u64,
    /// The instance.
    pub instance: InstanceId,
    /// Its first receipt.
    #[serde(with = "integer")]
    pub receipts: u64,
    /// Its first record.
    #[serde(with = "integer")]
    pub records: u64,
}

impl LineageEntry {
    /// Returns where it begins.
    pub fn begins(&self) -> Numbers {
        Numbers {
            audit: self.audit,
            receipts: self.receipts,
            records: self.records,
        }
    }
}

/// Checks the lineage of a package: oldest first, from 1, never back, ending with who made the package.
///
/// One that is as long as it may be need not go back to 1: instances before it may be left out where everything of theirs was
/// acknowledged, `next` being the numbers behind that. So a state folder never runs out of lives.
///
/// # Errors
///
/// `E-FORMAT lineage`; `E-LIMIT lineage`.
pub(super) fn check_lineage(
    lineage: &[LineageEntry],
    instance: &InstanceId,
    firsts: &Numbers,
    next: &Numbers,
) -> Result<()> {
    if lineage.len() > limits::LINEAGE {
        return Err(Error::new(
            Class::Limit,
            "lineage",
            format!("the lineage has {} instances", lineage.len()),
        )
        .expected(format!("at most {}", limits::LINEAGE)));
    }
    let wrong = |found: &str| Err(Error::new(Class::Format, "lineage", found));
    let (Some(oldest), Some(newest)) = (lineage.first(), lineage.last()) else {
        return wrong("the lineage is empty");
    };
    let least = if lineage.len() < limits::LINEAGE {
        &Numbers::all(1)
    } else {
        next
    };
    if !oldest.begins().at_most(least) || !Numbers::all(1).at_most(&oldest.begins()) {
        return wrong("the oldest instance of the lineage begins neither at 1 nor in what is acknowledged");
    }
    if newest.instance != *instance {
        return wrong("the lineage does not end with the instance that made the package");
    }
    if !lineage.is_sorted_by(|older, newer| older.begins().at_most(&newer.begins())) {
        return wrong("an instance of the lineage begins below the one before it");
    }
    let mut instances: Vec<_> = lineage.iter().map(|entry| &entry.instance).collect();
    instances.sort_unstable();
    if !instances.is_sorted_by(|a, b| a < b) {
        return wrong("the lineage repeats an instance");
    }
    // They never go back, so the newest one stands for all.
    if !newest.begins().at_most(firsts) {
        return wrong("an instance of the lineage begins above the package's first numbers");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(instance: u8, begins: [u64; 3]) -> LineageEntry {
        LineageEntry {
            audit: begins[0],
            instance: format!("{instance:032x}").parse().unwrap(),
            receipts: begins[1],
            records: begins[2],
        }
    }

    #[test]
    fn a_lineage_begins_at_one_goes_up_and_ends_with_the_maker() {
        let firsts = Numbers {
            audit: 9,
            receipts: 4,
            records: 100,
        };
        let check = |lineage: &[LineageEntry]| {
            let maker = entry(2, [1; 3]).instance;
            let next = Numbers {
                audit: 5,
                receipts: 3,
                records: 60,
            };
            check_lineage(lineage, &maker, &firsts, &next).map_err(|error| (error.class(), error.code()))
        };
        let good = [entry(1, [1; 3]), entry(2, [9, 4, 100])];
        assert_eq!(check(&good), Ok(()));
        assert_eq!(check(&[entry(2, [1; 3])]), Ok(()));
        let wrong = Err((Class::Format, "lineage"));
        for bad in [
            vec![],
            vec![entry(2, [1, 1, 2])],
            vec![entry(2, [1; 3]), entry(1, [1; 3])],
            vec![entry(1, [1; 3]), entry(3, [5, 4, 9]), entry(2, [5, 3, 9])],
            vec![entry(2, [1; 3]), entry(2, [1; 3])],
            vec![entry(1, [1; 3]), entry(2, [10, 4, 100])],
            vec![entry(1, [1; 3]), entry(2, [9, 4, 101])],
        ] {
            assert_eq!(check(&bad), wrong, "{bad:?}");
        }
        let many: Vec<_> = (0..=limits::LINEAGE)
            .map(|n| LineageEntry {
                instance: format!("{n:032x}").parse().unwrap(),
                ..entry(0, [1; 3])
            })
            .collect();
        assert_eq!(check(&many), Err((Class::Limit, "lineage")));
        // One that is full may have left out what was acknowledged, and nothing else.
        let full = |begins| {
            let mut full: Vec<_> = many.iter().skip(3).cloned().collect();
            full.push(entry(2, [9, 4, 100]));
            full.insert(
                0,
                LineageEntry {
                    instance: many[0].instance.clone(),
                    ..entry(0, begins)
                },
            );
            full.iter_mut()
                .skip(1)
                .take(limits::LINEAGE - 2)
                .for_each(|one| (one.audit, one.receipts, one.records) = (6, 3, 60));
            assert_eq!(full.len(), limits::LINEAGE);
            full
        };
        assert_eq!(check(&full([1; 3])), Ok(()));
        assert_eq!(check(&full([5, 3, 60])), Ok(()));
        assert_eq!(check(&full([6, 3, 60])), wrong);
        assert_eq!(check(&full([5, 3, 0])), wrong);
        assert_eq!(check(&full([5, 3, 60])[1..]), wrong);
    }
}
