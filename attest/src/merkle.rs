//! The Merkle tree of RFC 6962, section 2.1 (the same tree as RFC 9162, section 2.1).
//!
//! Leaves and nodes are hashed with different first bytes, so a node is never taken for a leaf.
//! Indexes and sizes are `u64` and count leaves from 0.

use crate::digest::Digest;

/// The hash of a leaf: SHA-256(0x00 || leaf).
#[must_use]
pub fn leaf_hash(leaf: &[u8]) -> Digest {
    Digest::of_parts(&[&[0x00], leaf])
}

/// The hash of an inner node: SHA-256(0x01 || left || right).
#[must_use]
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    Digest::of_parts(&[&[0x01], left.as_bytes(), right.as_bytes()])
}

/// The root over leaf hashes; of no leaves it is the SHA-256 of nothing.
#[must_use]
pub fn root(leaves: &[Digest]) -> Digest {
    let mut frontier = Frontier::default();
    for leaf in leaves {
        frontier.append(*leaf);
    }
    frontier.root()
}

/// The right edge of a growing tree: enough to append leaves and to know the root.
///
/// Holds one hash for each bit set in the size, the largest subtree first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Digest>,
}

impl Frontier {
    /// Takes up a tree of `size` leaves whose complete subtrees have the roots `peaks`, the
    /// largest first. `None` unless there is one for each bit set in `size`.
    #[must_use]
    pub fn from_parts(size: u64, peaks: Vec<Digest>) -> Option<Self> {
        (u64::from(size.count_ones()) == peaks.len() as u64).then_some(Self { size, peaks })
    }

    /// How many leaves the tree has.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the complete subtrees, the largest first.
    #[must_use]
    pub fn peaks(&self) -> &[Digest] {
        &self.peaks
    }

    /// Appends a leaf by its hash.
    pub fn append(&mut self, leaf: Digest) {
        let mut node = leaf;
        // Each trailing one bit of the old size is a subtree as large as `node`.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                node = node_hash(&left, &node);
            }
        }
        self.peaks.push(node);
        self.size = self.size.saturating_add(1);
    }

    /// The root of the tree.
    #[must_use]
    pub fn root(&self) -> Digest {
        let mut peaks = self.peaks.iter().rev();
        let Some(last) = peaks.next() else {
            return Digest::of(&[]);
        };
        peaks.fold(*last, |right, left| node_hash(left, &right))
    }
}

/// The audit path of leaf `index` in the tree over `leaves`, the lowest sibling first.
/// `None` when there is no such leaf.
#[must_use]
pub fn inclusion_proof(leaves: &[Digest], index: u64) -> Option<Vec<Digest>> {
    let mut index = usize::try_from(index)
        .ok()
        .filter(|index| *index < leaves.len())?;
    let mut part = leaves;
    let mut path = Vec::new();
    while part.len() > 1 {
        let (left, right) = part.split_at(split(part.len()));
        if index < left.len() {
            path.push(root(right));
            part = left;
        } else {
            path.push(root(left));
            index -= left.len();
            part = right;
        }
    }
    path.reverse();
    Some(path)
}

/// Whether `proof` leads from the hash of leaf `index` to the root of a tree of `size` leaves
/// (RFC 9162, section 2.1.3.2).
#[must_use]
pub fn includes(leaf: &Digest, index: u64, size: u64, proof: &[Digest], root: &Digest) -> bool {
    if index >= size {
        return false;
    }
    let (mut at, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            hash = node_hash(sibling, &hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// The proof that the tree over `leaves` extends the one over its first `old` leaves.
/// `None` when `old` is 0 or more than there are.
#[must_use]
pub fn consistency_proof(leaves: &[Digest], old: u64) -> Option<Vec<Digest>> {
    let mut old = usize::try_from(old)
        .ok()
        .filter(|old| (1..=leaves.len()).contains(old))?;
    let mut part = leaves;
    let mut path = Vec::new();
    // Whether the old tree is all of `part` as a subtree of its own, known to its holder.
    let mut known = true;
    while old != part.len() {
        let (left, right) = part.split_at(split(part.len()));
        if old <= left.len() {
            path.push(root(right));
            part = left;
        } else {
            path.push(root(left));
            old -= left.len();
            part = right;
            known = false;
        }
    }
    if !known {
        path.push(root(part));
    }
    path.reverse();
    Some(path)
}

/// Whether `proof` shows that the tree of `new_size` leaves with `new_root` extends the one of
/// `old_size` leaves with `old_root` (RFC 9162, section 2.1.4.2). The empty tree is extended by
/// every tree, with an empty proof.
#[must_use]
pub fn extends(
    old_size: u64,
    old_root: &Digest,
    new_size: u64,
    new_root: &Digest,
    proof: &[Digest],
) -> bool {
    if old_size > new_size {
        return false;
    }
    if old_size == new_size {
        return proof.is_empty() && old_root == new_root;
    }
    if old_size == 0 {
        return proof.is_empty() && *old_root == Digest::of(&[]);
    }
    let mut path = proof.iter();
    let (mut at, mut last) = (old_size - 1, new_size - 1);
    while at & 1 == 1 {
        at >>= 1;
        last >>= 1;
    }
    // A complete subtree is known to the verifier: it is the old root itself.
    let first = if old_size.is_power_of_two() {
        Some(old_root)
    } else {
        path.next()
    };
    let Some(first) = first else { return false };
    let (mut old, mut new) = (*first, *first);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            old = node_hash(sibling, &old);
            new = node_hash(sibling, &new);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            new = node_hash(&new, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && old == *old_root && new == *new_root
}

/// The largest power of two below `len`, which is at least 2.
fn split(len: usize) -> usize {
    1 << (len - 1).ilog2()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The leaves and roots of the reference implementation's test data
    /// (certificate-transparency `merkletree/merkle_tree_test.cc`, also in RFC 6962's examples).
    const LEAVES: [&str; 8] = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ];
    const ROOTS: [&str; 8] = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    fn hashes(count: usize) -> Vec<Digest> {
        LEAVES[..count]
            .iter()
            .map(|leaf| leaf_hash(&hex::decode(leaf).unwrap()))
            .collect()
    }

    fn many(count: u8) -> Vec<Digest> {
        (0..count).map(|leaf| leaf_hash(&[leaf])).collect()
    }

    #[test]
    fn the_reference_roots() {
        assert_eq!(
            root(&[]).to_string(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        for (at, expected) in ROOTS.iter().enumerate() {
            assert_eq!(&root(&hashes(at + 1)).to_string(), expected);
        }
    }

    #[test]
    fn the_reference_paths() {
        let leaves = hashes(8);
        let path: Vec<String> = inclusion_proof(&leaves, 5)
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            path,
            [
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ]
        );
        let proof: Vec<String> = consistency_proof(&leaves, 6)
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            proof,
            [
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ]
        );
    }

    #[test]
    fn every_inclusion_proof_holds_and_no_other() {
        for size in 1..=33u8 {
            let leaves = many(size);
            let top = root(&leaves);
            for index in 0..size {
                let proof = inclusion_proof(&leaves, index.into()).unwrap();
                let leaf = leaves[usize::from(index)];
                let holds = |at: u8, size: u8, proof: &[Digest]| {
                    includes(&leaf, at.into(), size.into(), proof, &top)
                };
                assert!(holds(index, size, &proof));
                assert!(!holds(index.wrapping_add(1), size, &proof));
                assert!(!holds(index, index, &proof));
                let longer = [&proof[..], &[Digest::ZERO]].concat();
                assert!(!holds(index, size, &longer));
                if let Some((_, shorter)) = proof.split_last() {
                    assert!(!holds(index, size, shorter));
                }
                for at in 0..proof.len() {
                    let mut other = proof.clone();
                    other[at] = Digest::ZERO;
                    assert!(!holds(index, size, &other));
                }
            }
            assert_eq!(inclusion_proof(&leaves, size.into()), None);
        }
    }

    #[test]
    fn every_consistency_proof_holds_and_no_other() {
        for new in 1..=33u8 {
            let leaves = many(new);
            let new_root = root(&leaves);
            for old in 1..=new {
                let old_root = root(&leaves[..usize::from(old)]);
                let proof = consistency_proof(&leaves, old.into()).unwrap();
                let holds = |old_root: &Digest, proof: &[Digest]| {
                    extends(old.into(), old_root, new.into(), &new_root, proof)
                };
                assert!(holds(&old_root, &proof));
                assert!(!holds(&Digest::ZERO, &proof));
                assert!(!holds(&old_root, &[&proof[..], &[Digest::ZERO]].concat()));
                for at in 0..proof.len() {
                    let mut other = proof.clone();
                    other[at] = Digest::ZERO;
                    assert!(!holds(&old_root, &other));
                }
            }
            assert_eq!(consistency_proof(&leaves, 0), None);
            assert_eq!(consistency_proof(&leaves, u64::from(new) + 1), None);
        }
    }

    #[test]
    fn a_frontier_is_taken_up_where_it_was_left() {
        let leaves = many(21);
        let mut frontier = Frontier::default();
        for (at, leaf) in leaves.iter().enumerate() {
            let again = Frontier::from_parts(frontier.size(), frontier.peaks().to_vec()).unwrap();
            assert_eq!(again, frontier);
            frontier.append(*leaf);
            assert_eq!(frontier.root(), root(&leaves[..=at]));
        }
        assert_eq!(Frontier::from_parts(3, vec![Digest::ZERO]), None);
    }
}
