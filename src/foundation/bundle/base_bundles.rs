//! Bundles that a person names to copy from: in which order they build on one another, and whose fault it is where one of them is not whole.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use super::index::Index;
use crate::domain::{Class, Digest, Error};

/// Returns the numbers of bundles in the order in which they build on one another, whatever order they come in: what layers of one are copied
/// from stands before it. Where nothing is copied they keep their order.
pub fn build_order<'i>(indexes: impl IntoIterator<Item = &'i Index>) -> Vec<usize> {
    let indexes: Vec<&Index> = indexes.into_iter().collect();
    let mut carriers: HashMap<Digest, Vec<usize>> = HashMap::new();
    let bases: Vec<BTreeSet<Digest>> = indexes.iter().map(|index| index.needed_bases()).collect();
    let all: BTreeSet<&Digest> = bases.iter().flatten().collect();
    for (number, index) in indexes.iter().enumerate() {
        for blob in index.blobs().iter().filter(|blob| all.contains(&blob.digest)) {
            carriers.entry(blob.digest).or_default().push(number);
        }
    }
    let stands_on = |number: usize| {
        let bases = bases.get(number).into_iter().flatten();
        let carriers = bases.filter_map(|base| carriers.get(base)).flatten();
        carriers.filter(move |carrier| **carrier != number)
    };
    let (mut left, mut order): (Vec<usize>, Vec<usize>) = ((0..indexes.len()).collect(), Vec::new());
    while !left.is_empty() {
        let is_ready = |number: &usize| stands_on(*number).all(|carrier| order.contains(carrier));
        // Bundles that build on one another in a ring are none that anybody made of what was there: the first is as good as any.
        let next = left.iter().position(is_ready).unwrap_or(0);
        order.push(left.remove(next));
    }
    order
}

/// Tells a fault of a bundle that is named to copy from as its own: whoever reads it would mend the bundle that builds on it otherwise.
pub fn of_base(error: Error, path: &Path) -> Error {
    let is_of_content = matches!(
        error.class(),
        Class::Format | Class::Limit | Class::Signature | Class::Integrity | Class::Incomplete | Class::Content
    );
    let told = error.context(&format!("the base {}", path.display())).with_a_remedy();
    let Some(advice) = told.advice().filter(|_| is_of_content).map(ToOwned::to_owned) else {
        return told;
    };
    told.remedy(format!(
        "{advice}; this is about the base {}, and not about the bundle that is copied from it",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::bases::Place;
    use crate::bundle::index::{Blob, Need};
    use crate::domain::Hash;
    use crate::encoding::Encoding;

    fn digest(number: u8) -> Digest {
        Digest(Hash([number; 32]))
    }

    /// A bundle that carries a layer, copied from another one that it needs.
    fn bundle(carries: u8, needs: Option<u8>) -> Index {
        let need = |number| Need {
            digest: digest(number),
            size: 9,
            plain_size: None,
        };
        let mut index = Index {
            needs: needs.map(need).into_iter().collect(),
            blobs: vec![Blob::as_it_is(digest(carries), 9, None)],
            ..Index::default()
        };
        if needs.is_some() {
            index.encode(0, 3, Encoding::Plain, &[Place::Need(0)]);
        }
        index
    }

    #[test]
    fn bundles_stand_behind_those_that_they_are_copied_from() {
        let chain = [
            bundle(3, Some(2)),
            bundle(1, None),
            bundle(4, Some(3)),
            bundle(2, Some(1)),
        ];
        assert_eq!(build_order(&chain), [1, 3, 0, 2]);
        let apart = [bundle(3, Some(9)), bundle(1, None)];
        assert_eq!(build_order(&apart), [0, 1], "what nobody has changes nothing");
        let ring = [bundle(1, Some(2)), bundle(2, Some(1))];
        assert_eq!(build_order(&ring), [0, 1]);
    }

    #[test]
    fn a_fault_of_a_base_is_told_as_its_own() {
        let damaged =
            || Error::new(Class::Integrity, "stored-hash", "chunk 2 is other content").remedy("copy it again");
        let told = of_base(damaged(), Path::new("old.airlock"));
        assert_eq!(told.found(), "the base old.airlock: chunk 2 is other content");
        let advice =
            "copy it again; this is about the base old.airlock, and not about the bundle that is copied from it";
        assert_eq!(told.advice(), Some(advice));
        assert!(told.is_like(&damaged()));
        let full = Error::new(Class::Space, "no-space", "full").remedy("free space");
        assert_eq!(of_base(full, Path::new("old")).advice(), Some("free space"));
    }
}
