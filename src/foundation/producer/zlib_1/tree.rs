//! Codes as zlib makes them: a heap in which equal weights are ordered by depth, and lengths above the limit are mended afterwards.

use crate::producer::format::{DISTANCES, LENGTH_SYMBOLS, LITERALS, assign};

/// Places of a heap: every leaf and every inner node of the largest tree.
const HEAP: usize = 2 * LITERALS + 1;

/// One kind of code.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    pub(super) symbols: usize,
    pub(super) limit: u8,
    pub(super) extra: fn(usize) -> u8,
    /// Lengths of the fixed code, if there is one.
    pub(super) fixed: Option<fn(usize) -> u8>,
}

/// A code with the counts that it is made from.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) counts: [u32; HEAP],
    pub(super) lengths: [u8; LITERALS + 2],
    pub(super) codes: [u16; LITERALS + 2],
    /// The last symbol that is used.
    pub(super) last: usize,
    /// Bits of all symbols with their extra bits, in this code and in the fixed one.
    pub(super) size: i64,
    pub(super) fixed_size: i64,
}

impl Tree {
    pub(super) fn new() -> Self {
        Self {
            counts: [0; HEAP],
            lengths: [0; LITERALS + 2],
            codes: [0; LITERALS + 2],
            last: 0,
            size: 0,
            fixed_size: 0,
        }
    }
}

/// Makes codes; holds what that needs.
#[derive(Debug)]
pub(super) struct Maker {
    heap: [u16; HEAP],
    /// Nodes in the heap, from place 1 on.
    size: usize,
    /// Nodes that left the heap stand from here on, the root first.
    sorted: usize,
    depths: [u8; HEAP],
    parents: [u16; HEAP],
    lengths: [u8; HEAP],
}

impl Maker {
    pub(super) fn new() -> Self {
        Self {
            heap: [0; HEAP],
            size: 0,
            sorted: HEAP,
            depths: [0; HEAP],
            parents: [0; HEAP],
            lengths: [0; HEAP],
        }
    }

    fn add(&mut self, node: usize) {
        self.size += 1;
        self.heap[self.size] = number(node);
        self.depths[node] = 0;
    }

    fn lighter(&self, counts: &[u32; HEAP], a: u16, b: u16) -> bool {
        let (a, b) = (usize::from(a), usize::from(b));
        counts[a] < counts[b] || counts[a] == counts[b] && self.depths[a] <= self.depths[b]
    }

    fn sink(&mut self, counts: &[u32; HEAP], mut place: usize) {
        let node = self.heap[place];
        loop {
            let mut child = 2 * place;
            if child > self.size {
                break;
            }
            if child < self.size && self.lighter(counts, self.heap[child + 1], self.heap[child]) {
                child += 1;
            }
            if self.lighter(counts, node, self.heap[child]) {
                break;
            }
            self.heap[place] = self.heap[child];
            place = child;
        }
        self.heap[place] = node;
    }

    fn leave(&mut self, node: u16) {
        self.sorted -= 1;
        self.heap[self.sorted] = node;
    }

    /// Makes the code of the tree's counts, and its sizes.
    pub(super) fn make(&mut self, tree: &mut Tree, kind: &Kind) {
        (self.size, self.sorted) = (0, HEAP);
        (tree.size, tree.fixed_size) = (0, 0);
        let mut last = None;
        tree.lengths.fill(0);
        for symbol in 0..kind.symbols {
            if tree.counts[symbol] > 0 {
                self.add(symbol);
                last = Some(symbol);
            }
        }
        // A code has two symbols at least; those that are added cost nothing.
        while self.size < 2 {
            let symbol = match last {
                Some(last) if last < 2 => last + 1,
                _ => 0,
            };
            if last.is_none_or(|last| last < 2) {
                last = Some(symbol);
            }
            tree.counts[symbol] = 1;
            self.add(symbol);
            tree.size -= 1;
            tree.fixed_size -= kind.fixed.map_or(0, |fixed| i64::from(fixed(symbol)));
        }
        tree.last = last.unwrap_or(0);
        for place in (1..=self.size / 2).rev() {
            self.sink(&tree.counts, place);
        }
        let mut node = kind.symbols;
        while self.size >= 2 {
            let first = self.heap[1];
            self.heap[1] = self.heap[self.size];
            self.size -= 1;
            self.sink(&tree.counts, 1);
            let second = self.heap[1];
            self.leave(first);
            self.leave(second);
            let (a, b) = (usize::from(first), usize::from(second));
            tree.counts[node] = tree.counts[a] + tree.counts[b];
            self.depths[node] = self.depths[a].max(self.depths[b]) + 1;
            self.parents[a] = number(node);
            self.parents[b] = number(node);
            self.heap[1] = number(node);
            node += 1;
            self.sink(&tree.counts, 1);
        }
        let root = self.heap[1];
        self.leave(root);
        self.lengths(tree, kind);
        assign(&tree.lengths[..=tree.last], &mut tree.codes);
    }

    fn lengths(&mut self, tree: &mut Tree, kind: &Kind) {
        let mut counts = [0_i32; 16];
        let mut above = 0;
        self.lengths[usize::from(self.heap[self.sorted])] = 0;
        for place in self.sorted + 1..HEAP {
            let node = usize::from(self.heap[place]);
            let mut length = self.lengths[usize::from(self.parents[node])] + 1;
            if length > kind.limit {
                length = kind.limit;
                above += 1;
            }
            self.lengths[node] = length;
            if node >= kind.symbols {
                continue;
            }
            counts[usize::from(length)] += 1;
            tree.lengths[node] = length;
            let extra = i64::from((kind.extra)(node));
            let count = i64::from(tree.counts[node]);
            tree.size += count * (i64::from(length) + extra);
            if let Some(fixed) = kind.fixed {
                tree.fixed_size += count * (i64::from(fixed(node)) + extra);
            }
        }
        if above <= 0 {
            return;
        }
        let limit = usize::from(kind.limit);
        while above > 0 {
            let mut length = limit - 1;
            while counts[length] == 0 {
                length -= 1;
            }
            counts[length] -= 1;
            counts[length + 1] += 2;
            counts[limit] -= 1;
            above -= 2;
        }
        // The lightest symbols get the longest codes.
        let mut place = HEAP;
        for length in (1..=kind.limit).rev() {
            let mut left = counts[usize::from(length)];
            while left > 0 {
                place -= 1;
                let node = usize::from(self.heap[place]);
                if node >= kind.symbols {
                    continue;
                }
                let longer = i64::from(length) - i64::from(tree.lengths[node]);
                tree.size += longer * i64::from(tree.counts[node]);
                tree.lengths[node] = length;
                left -= 1;
            }
        }
    }
}

fn number(node: usize) -> u16 {
    u16::try_from(node).unwrap_or(u16::MAX)
}

const _: () = assert!(DISTANCES < LITERALS && LENGTH_SYMBOLS < LITERALS);
