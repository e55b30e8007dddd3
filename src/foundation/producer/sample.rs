//! Plain made by a rule, for known answers and for vectors: the same bytes wherever the rule is followed
//! (`bundle-spec/producer_vectors.py` follows it too).

/// A kind of plain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sample {
    /// Nothing.
    Empty,
    /// Zeros.
    Zeros,
    /// What nothing compresses.
    Noise,
    /// Words.
    Text,
    /// Headers and words, as in a layer.
    Tar,
    /// Records as in a program.
    Binary,
    /// Matches from about as far away as any reaches.
    Far,
}

impl Sample {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Empty,
        Self::Zeros,
        Self::Noise,
        Self::Text,
        Self::Tar,
        Self::Binary,
        Self::Far,
    ];

    /// Its name in the vectors.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Zeros => "zeros",
            Self::Noise => "noise",
            Self::Text => "text",
            Self::Tar => "tar",
            Self::Binary => "binary",
            Self::Far => "far",
        }
    }

    /// The plain.
    pub fn plain(self) -> Vec<u8> {
        let mut rule = Rule { state: 1 };
        let mut plain = Vec::with_capacity(SIZE + 4_096);
        let size = match self {
            Self::Empty => 0,
            _ => SIZE,
        };
        match self {
            Self::Empty | Self::Zeros => plain.resize(size, 0),
            Self::Noise => plain.extend((0..size).map(|_| rule.byte())),
            Self::Text => rule.words(&mut plain, size),
            Self::Tar => {
                let mut number = 0;
                while plain.len() < size {
                    let body = usize::try_from(rule.below(9_000)).unwrap_or(0);
                    plain.extend_from_slice(format!("layer/file-{number:05}").as_bytes());
                    plain.resize(plain.len().next_multiple_of(512), 0);
                    let end = plain.len() + body;
                    rule.words(&mut plain, end);
                    plain.truncate(end);
                    plain.resize(plain.len().next_multiple_of(512), 0);
                    number += 1;
                }
            }
            Self::Binary => {
                let mut address: u32 = 0x0040_1000;
                while plain.len() < size {
                    address += 4 * (1 + rule.below(6));
                    plain.push(0x48 + rule.byte() % 8);
                    plain.extend_from_slice(&[0x8b, rule.byte() % 64]);
                    plain.extend_from_slice(&address.to_le_bytes());
                    plain.resize(plain.len() + usize::from(rule.byte() % 5), 0);
                }
            }
            Self::Far => {
                plain.extend((0..40_000).map(|_| rule.byte()));
                let mut turn = 0;
                while plain.len() < size {
                    let distance = [32_768, 32_767, 32_769, 32_506, 32_507, 32_505, 4_096, 4_097][turn % 8];
                    let from = plain.len() - distance;
                    let length = 3 + usize::from(rule.byte());
                    plain.extend_from_within(from..from + length);
                    let noise = rule.byte() % 9;
                    (0..noise).for_each(|_| plain.push(rule.byte()));
                    turn += 1;
                }
            }
        }
        plain.truncate(size);
        plain
    }
}

/// Bytes of a sample that is not empty.
const SIZE: usize = 300_000;

/// A linear congruence.
struct Rule {
    state: u64,
}

impl Rule {
    fn next(&mut self) -> u32 {
        self.state = self
            .state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        u32::try_from(self.state >> 33).unwrap_or(0)
    }

    fn below(&mut self, bound: u32) -> u32 {
        self.next() % bound
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[1]
    }

    /// Words until there are so many bytes: two letters to nine of a number that is more often small.
    fn words(&mut self, plain: &mut Vec<u8>, size: usize) {
        while plain.len() < size {
            let number = self.below(512) * self.below(512) / 512;
            let letters = 2 + number * 7 % 8;
            for letter in 0..letters {
                let place = (number * 31 + letter * (number + 17)) % 26;
                plain.push(b'a' + place.to_le_bytes()[0]);
            }
            plain.push(if self.below(11) == 0 { b'\n' } else { b' ' });
        }
    }
}
