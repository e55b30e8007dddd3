//! X7: is the number newer than everything imported from its scope?

use crate::bundle::Head;
use crate::crypto::RootDocument;
use crate::db::site::release::Mark;
use crate::domain::{Class, Error, Hash, Result, Step, limits};

/// What the number of a bundle means here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::appliance::import) enum Sequence {
    /// Newer than everything imported.
    New,
    /// A release that is here: the last one imported, or an earlier one that is retained.
    Already,
}

/// X7: is it newer than everything imported from this scope? One that `is_here` is what it was when it was newer: taking from its bundle
/// what is damaged lowers nothing.
pub(in crate::appliance::import) fn check_sequence(
    head: &Head,
    digest: Hash,
    mark: Option<Mark>,
    root: &RootDocument,
    is_here: bool,
) -> Result<Sequence> {
    let counter = head.counter();
    let named = root.epoch(&head.product, &head.channel);
    let refuse = |class, code, found: String, expected: String, remedy: &str| {
        Err(Error::new(class, code, found)
            .expected(expected)
            .remedy(remedy)
            .at(Step::X7))
    };
    // The first import counts from number 0 of the epoch that the root names.
    let (epoch, sequence) = mark.map_or((named, 0), |mark| (mark.counter.epoch, mark.counter.sequence));
    if let Some(mark) = mark
        && mark.counter == counter
    {
        if mark.head == digest {
            return Ok(Sequence::Already);
        }
        return refuse(
            Class::Equivocation,
            "same-number",
            format!(
                "release {counter} of {} was imported before with other content ({})",
                head.scope(),
                mark.head
            ),
            "one content for one number".into(),
            "keep both media and ask the vendor: two different releases were signed under one number",
        );
    }
    if is_here {
        return Ok(Sequence::Already);
    }
    if counter.epoch < epoch || counter.epoch < named || (counter.epoch == epoch && counter.sequence <= sequence) {
        return refuse(
            Class::Rollback,
            "older",
            format!("the bundle holds release {counter} of {}", head.scope()),
            format!("a number above {sequence} in epoch {}", epoch.max(named)),
            "use the newest bundle; an earlier release that `airlock release list` shows is brought back with `airlock release activate RELEASE`, and one that was let go is signed again by the vendor, under a higher number",
        );
    }
    if counter.epoch > named {
        return refuse(
            Class::Rollback,
            "epoch",
            format!("the bundle holds release {counter} of {}", head.scope()),
            format!("epoch {named}, which the vendor's root names"),
            "ask the vendor for a bundle under a root that names the new epoch",
        );
    }
    let base = if counter.epoch == epoch { sequence } else { 0 };
    if counter.sequence.saturating_sub(base) > limits::SEQUENCE_JUMP {
        return refuse(
            Class::Rollback,
            "fast-forward",
            format!("the number jumps from {base} to {}", counter.sequence),
            format!("a step of at most {}", limits::SEQUENCE_JUMP),
            "ask the vendor: such a jump would lock out every later release",
        );
    }
    Ok(Sequence::New)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::appliance::import::policy::fixtures::{head, root};
    use crate::domain::Counter;

    fn mark(epoch: u64, sequence: u64) -> Mark {
        Mark {
            counter: Counter { epoch, sequence },
            head: Hash([9; 32]),
        }
    }

    /// What becomes of a number: `new`, `already`, or class and code.
    fn judge(head: &Head, same_content: bool, mark: Option<Mark>, named: u64) -> String {
        let digest = Hash([if same_content { 9 } else { 8 }; 32]);
        match check_sequence(head, digest, mark, &root(named), false) {
            Ok(Sequence::New) => "new".into(),
            Ok(Sequence::Already) => "already".into(),
            Err(error) => {
                assert_eq!(error.step(), Some(Step::X7));
                format!("{} {}", error.class(), error.code())
            }
        }
    }

    #[test]
    fn numbers_follow_the_table() {
        const JUMP: u64 = limits::SEQUENCE_JUMP;
        const MAX: u64 = limits::JSON_INTEGER_MAX;
        let older = "E-ROLLBACK older";
        let far = "E-ROLLBACK fast-forward";
        // Mark, epoch that the root names, number of the bundle, whether it is the marked one, result.
        let table = [
            (Some((0, 5)), 0, (0, 6), false, "new"),
            (Some((0, 5)), 0, (0, 5 + JUMP), false, "new"),
            (Some((0, 5)), 0, (0, 6 + JUMP), false, far),
            (Some((0, 5)), 0, (0, MAX), false, far),
            (Some((0, 5)), 0, (0, 5), true, "already"),
            (Some((0, 5)), 0, (0, 5), false, "E-EQUIVOCATION same-number"),
            (Some((0, 5)), 0, (0, 4), false, older),
            (Some((0, 5)), 0, (0, 4), true, older),
            (Some((0, 5)), 0, (0, 0), false, older),
            (Some((0, MAX)), 0, (0, MAX), true, "already"),
            // Another epoch counts only when the root names it, and then from its beginning.
            (Some((0, 5)), 0, (1, 1), false, "E-ROLLBACK epoch"),
            (Some((0, 5)), 0, (1, 6), false, "E-ROLLBACK epoch"),
            (Some((0, MAX)), 1, (1, 1), false, "new"),
            (Some((0, 5)), 1, (1, JUMP), false, "new"),
            (Some((0, 5)), 1, (1, JUMP + 1), false, far),
            (Some((0, 5)), 1, (2, 1), false, "E-ROLLBACK epoch"),
            (Some((0, 5)), 3, (3, 1), false, "new"),
            // The old epoch is over once the root names a new one; what was imported stays what it is.
            (Some((0, 5)), 1, (0, 6), false, older),
            (Some((0, 5)), 1, (0, 5), true, "already"),
            (Some((1, 5)), 1, (0, 900), false, older),
            (Some((1, 5)), 0, (1, 6), false, "E-ROLLBACK epoch"),
            (Some((1, 5)), 0, (0, 6), false, older),
            // A first import begins at the epoch that the root names, and the largest step holds for it too.
            (None, 0, (0, 1), false, "new"),
            (None, 0, (0, JUMP), false, "new"),
            (None, 0, (0, JUMP + 1), false, far),
            (None, 0, (0, 0), false, older),
            (None, 0, (1, 1), false, "E-ROLLBACK epoch"),
            (None, 2, (2, 1), false, "new"),
            (None, 2, (0, 1), false, older),
        ];
        for (held, named, (epoch, sequence), same, expected) in table {
            let held = held.map(|(epoch, sequence)| mark(epoch, sequence));
            let head = head(epoch, sequence);
            assert_eq!(
                judge(&head, same, held, named),
                expected,
                "{held:?} {named} {epoch}/{sequence}"
            );
        }
    }

    #[test]
    fn what_is_here_is_already_here_whatever_its_number() {
        let one = Hash([7; 32]);
        for (held, number) in [((0, 5), (0, 3)), ((0, 5), (0, 5)), ((1, 1), (0, 9))] {
            let head = head(number.0, number.1);
            let held = Some(mark(held.0, held.1));
            let here = check_sequence(&head, one, held, &root(1), true);
            if held.is_some_and(|mark| mark.counter == head.counter()) {
                assert_eq!(
                    here.unwrap_err().class(),
                    Class::Equivocation,
                    "one number, one content"
                );
            } else {
                assert_eq!(here.unwrap(), Sequence::Already);
                assert_eq!(
                    check_sequence(&head, one, held, &root(1), false).unwrap_err().class(),
                    Class::Rollback
                );
            }
        }
    }

    #[test]
    fn an_epoch_is_named_for_one_scope() {
        let mut other = head(1, 1);
        other.channel = "edge".parse().unwrap();
        assert_eq!(judge(&other, false, None, 1), "E-ROLLBACK epoch");
        other.epoch = 0;
        assert_eq!(judge(&other, false, None, 1), "new");
    }

    proptest! {
        // The seed of a failure is printed; no folder shall appear for it in the repository.
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

        /// What is accepted is above the mark, in the epoch that the root names, and not far ahead; so marks never fall, and no
        /// chain of accepted numbers can lock later ones out in one step.
        #[test]
        fn what_is_new_moves_the_mark_forward(
            held in proptest::option::of((0..4_u64, prop_oneof![0..5_u64, any::<u64>()])),
            named in 0..4_u64,
            epoch in 0..4_u64,
            near in 0..5_u64,
            step in prop_oneof![0..5_u64, 0..3 * limits::SEQUENCE_JUMP, any::<u64>()],
            same in any::<bool>(),
        ) {
            let base = held.map_or(0, |(_, sequence)| sequence).saturating_sub(near);
            let sequence = base.saturating_add(step);
            let held = held.map(|(epoch, sequence)| mark(epoch, sequence));
            let counter = Counter { epoch, sequence };
            let verdict = judge(&head(epoch, sequence), same, held, named);
            let start = match held {
                Some(held) if held.counter.epoch == epoch => held.counter.sequence,
                _ => 0,
            };
            // Number 0 of an epoch that begins is above everything before; without a mark, 0 is where counting starts.
            let above = held.map_or(sequence > 0, |held| counter > held.counter);
            let good = above && epoch == named && sequence - start <= limits::SEQUENCE_JUMP;
            prop_assert_eq!(verdict == "new", good, "{:?} {} {} {}", held, named, counter, verdict);
            let again = held.is_some_and(|held| held.counter == counter);
            prop_assert_eq!(verdict == "already", again && same);
            prop_assert_eq!(verdict.starts_with("E-EQUIVOCATION"), again && !same);
        }
    }
}
