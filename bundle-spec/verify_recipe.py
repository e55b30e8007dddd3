"""Recipes of gzip layers: judged by SPEC.md section 18 with every bound, and run for the producers that are written down here.

`go-1-6` is written anew, as a second reading of what Go's compress/flate does at level 6; `zlib-1-6` and `zlib-1-9` are Python's own zlib,
where that is a stock one and gives the known answer. A stream is run whole and its pieces are not looked at: where the digest is the one that
was signed, the file is proven, and where it is not, nothing is.
"""

import functools
import hashlib
import zlib

KIB, MIB = 1 << 10, 1 << 20
INTEGER_MAX = 2**53 - 1
#: Of each producer whether it makes framed blocks, and whether a stream of it may have several pieces.
PRODUCERS = {"go-1-1": (False, False), "go-1-6": (False, True), "go-1-9": (False, True), "zlib-1-6": (False, True),
             "zlib-1-9": (False, True), "pigz-1-6": (True, False), "pigz-1-9": (True, False), "klauspost-2-5": (False, False),
             "klauspost-2-6": (False, False), "pgzip-2-5": (True, False), "pgzip-1-5": (True, False)}
FEATURES = tuple(f"gzip-{producer}" for producer in PRODUCERS)
RECIPE = MIB
#: What is rebuilt without being asked to.
QUICK = 4 * MIB


class Fault(Exception):
    """What is wrong with a recipe."""


class Work(Exception):
    """Starts alone that are more work than a blob may take."""


class Numbers:
    """Bytes of a recipe, and LEB128 numbers of them."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        piece = self.data[self.at:self.at + count]
        if len(piece) != count:
            raise Fault("an operation that is cut")
        self.at += count
        return piece

    def number(self):
        value, shift = 0, 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            if byte == 0 and shift:
                raise Fault("a number that is longer than it need be")
            if byte < 128:
                if value > INTEGER_MAX:
                    raise Fault("a number above 2^53 - 1")
                return value
            shift += 7
            if shift > 49:
                raise Fault("a number above 2^53 - 1")


def operations(data, producer):
    """The operations of a recipe, each judged by M-152: ("raw", bytes), ("stream", plain, bytes, starts),
    ("framed", block, plain, bytes, starts)."""
    framed, many = PRODUCERS[producer]
    numbers, found = Numbers(data), []
    while numbers.at < len(data):
        kind = numbers.take(1)[0]
        if kind == 0:
            size = numbers.number()
            if not 1 <= size <= 65_536:
                raise Fault("raw bytes of another number than 1 to 65,536")
            found.append(("raw", numbers.take(size)))
        elif kind == 1:
            count = numbers.number()
            if framed or count == 0 or (count > 1 and not many):
                raise Fault("a stream, or so many pieces, that the producer does not make")
            plain = bits = 0
            for _ in range(count):
                piece = numbers.number(), numbers.number()
                bounds(*piece)
                plain, bits = plain + piece[0], bits + piece[1]
            if bits % 8:
                raise Fault("a stream that does not end on a byte")
            found.append(("stream", plain, bits // 8, count))
        elif kind == 2:
            block, plain, size = numbers.number(), numbers.number(), numbers.number()
            if not framed or not 65_536 <= block <= MIB:
                raise Fault("a framed operation, or blocks, that the producer does not make")
            bounds(plain, size * 8)
            blocks = plain // block + 1 if producer.startswith("pgzip") else -(-plain // block)
            found.append(("framed", block, plain, size, blocks))
        else:
            raise Fault(f"an operation {kind}")
    return found


def bounds(plain, bits):
    if plain == 0:
        raise Fault("a piece without plain bytes")
    if bits > plain * 10 + 65_536:
        raise Fault("more bits than any producer makes of so few plain bytes")


def judge(data, producer, plain_size, size):
    """M-152: the operations of a recipe of a blob, without their starts. Raises Fault and Work."""
    found = operations(data, producer)
    starts = sum(operation[-1] for operation in found if operation[0] != "raw")
    found = [operation if operation[0] == "raw" else operation[:-1] for operation in found]
    plain = sum(operation[-2] for operation in found if operation[0] != "raw")
    made = sum(len(operation[1]) if operation[0] == "raw" else operation[-1] for operation in found)
    if plain != plain_size or made != size:
        raise Fault("operations that do not add up to the sizes of the blob")
    if starts * 65_536 > 4_096 * plain_size + (1 << 22):  # M-155: searches come on top of that
        raise Work
    return found


@functools.cache
def makes(producer):
    """What makes a whole stream of a producer of some plain; None where nothing here does."""
    if producer == "go-1-6":
        return go_1_6
    if producer in ("zlib-1-6", "zlib-1-9"):
        level = int(producer[-1])

        def deflate(plain):
            made = zlib.compressobj(level, zlib.DEFLATED, -15, 8)
            return made.compress(plain) + made.flush()
        return deflate if stock(producer, deflate) else None
    return None


#: The answers that the real programs gave for `sample`.
ANSWERS = {"zlib-1-6": "2ffa61f92b958b32fb94e9e2d3c8c455eedc934f627588102c589a9c78f06cd8",
           "zlib-1-9": "e9a83393090818c4646e46423beb8eca1f98e39d7eaef9e3903d450d85c4b0bd"}


def stock(producer, deflate):
    """Whether the zlib of this Python is a stock one, as far as its version and the known answer tell."""
    parts = zlib.ZLIB_RUNTIME_VERSION.split(".")
    plain = all(part.isdigit() for part in parts) and (1, 2) <= tuple(map(int, parts[:2])) <= (1, 3)
    return plain and hashlib.sha256(deflate(sample())).hexdigest() == ANSWERS[producer]


def sample(size=300_000):
    """The words of the known answers, by the rule that `producer_vectors.py` has too."""
    state, plain = 1, bytearray()

    def below(bound):
        nonlocal state
        state = (state * 6_364_136_223_846_793_005 + 1_442_695_040_888_963_407) & (1 << 64) - 1
        return (state >> 33) % bound
    while len(plain) < size:
        number = below(512) * below(512) // 512
        letters = 2 + number * 7 % 8
        plain.extend(97 + (number * 31 + letter * (number + 17)) % 26 for letter in range(letters))
        plain.append(10 if below(11) == 0 else 32)
    return bytes(plain[:size])


def rebuild(found, producer, plain):
    """The digest of what the operations make of a plain; None where that cannot be said here."""
    make = makes(producer)
    if make is None:
        return None
    state, at = hashlib.sha256(), 0
    for operation in found:
        if operation[0] == "raw":
            state.update(operation[1])
        else:
            state.update(make(plain[at:at + operation[1]]))
            at += operation[1]
    return "sha256:" + state.hexdigest()


# --- go-1-6: Go's compress/flate at level 6 ------------------------------------------------------------------------

LAZY, NICE, CHAIN, HALF, TOKENS = 16, 128, 128, 32_768, 16_384
LENGTHS = [(3 + n, 0) for n in range(8)] + [(11 + (n << bits) + base, bits) for bits, base in ((1, 0), (2, 8), (3, 24), (4, 56), (5, 120))
                                            for n in range(4)]
LENGTHS[27:] = [(227, 5), (258, 0)]
DISTANCES = [(1 + n, 0) for n in range(4)] + [((2 + n << bits) + 1, bits) for bits in range(1, 14) for n in range(2)]
LENGTH_CODE = [max(code for code, (least, _) in enumerate(LENGTHS) if least <= length) for length in range(3, 259)]
ORDER = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)
FIXED = [8] * 144 + [9] * 112 + [7] * 24 + [8] * 8


def distance_code(distance):
    if distance <= 4:
        return distance - 1
    high = (distance - 1).bit_length() - 2
    return 2 * high + 2 + ((distance - 1) >> high & 1)


class Bits:
    def __init__(self):
        self.out, self.value, self.count = bytearray(), 0, 0

    def put(self, value, width):
        self.value |= value << self.count
        self.count += width
        while self.count >= 8:
            self.out.append(self.value & 255)
            self.value >>= 8
            self.count -= 8

    def align(self):
        if self.count:
            self.put(0, 8 - self.count)


def code_lengths(counts, limit):
    """The lengths of the best code of at most `limit` bits, ties taken as Go does: a package before a leaf of its weight."""
    leaves = sorted((count, symbol) for symbol, count in enumerate(counts) if count)
    lengths = [0] * len(counts)
    if len(leaves) <= 2:
        for _, symbol in leaves:
            lengths[symbol] = 1
        return lengths
    limit, below, kinds = min(limit, len(leaves) - 1), [], []
    for _ in range(limit):
        pairs = [below[at] + below[at + 1] for at in range(0, len(below) - 1, 2)]
        level, kind, leaf, pair = [], [], 0, 0
        while len(level) < 2 * len(leaves) - 2 and (leaf < len(leaves) or pair < len(pairs)):
            is_leaf = leaf < len(leaves) and (pair >= len(pairs) or leaves[leaf][0] < pairs[pair])
            level.append(leaves[leaf][0] if is_leaf else pairs[pair])
            leaf, pair = leaf + is_leaf, pair + (not is_leaf)
            kind.append(is_leaf)
        below = level
        kinds.append(kind)
    taken = 2 * len(leaves) - 2
    for kind in reversed(kinds):
        count = sum(kind[:taken])
        for _, symbol in leaves[:count]:
            lengths[symbol] += 1
        taken = 2 * (taken - count)
    return lengths


def codes(lengths):
    """The codes that lengths make, their bits as they are written."""
    made, code = [0] * len(lengths), 0
    for width in range(1, 16):
        code <<= 1
        for symbol, length in enumerate(lengths):
            if length == width:
                made[symbol] = int(f"{code:0{width}b}"[::-1], 2)
                code += 1
    return list(zip(made, lengths))


def runs_of(lengths):
    """The lengths of both codes as one list of (symbol, extra bits)."""
    found, at = [], 0
    while at < len(lengths):
        value, count = lengths[at], 1
        while at + count < len(lengths) and lengths[at + count] == value:
            count += 1
        at += count
        if value:
            found.append((value, 0))
            count -= 1
            while count >= 3:
                found.append((16, min(count, 6) - 3))
                count -= min(count, 6)
        else:
            while count >= 11:
                found.append((18, min(count, 138) - 11))
                count -= min(count, 138)
            if count >= 3:
                found.append((17, count - 3))
                count = 0
        found += [(value, 0)] * count
    return found


def trimmed(counts):
    while counts and not counts[-1]:
        counts = counts[:-1]
    return counts


def write_block(bits, tokens, plain):
    """One block: stored, with fixed codes or with its own, by Go's estimates. `plain` is None where it may not be stored."""
    literals, distances = [0] * 286, [0] * 30
    literals[256] = 1
    for length, value in tokens:
        if length:
            literals[257 + LENGTH_CODE[length - 3]] += 1
            distances[distance_code(value)] += 1
        else:
            literals[value] += 1
    storable = plain is not None and len(plain) <= 65_535
    extra = 0
    if storable:  # only then is it asked for
        extra = sum(count * LENGTHS[code][1] for code, count in enumerate(literals[257:]))
        extra += sum(count * DISTANCES[code][1] for code, count in enumerate(distances))
    literals, distances = trimmed(literals), trimmed(distances) or [1]

    def size(counts, lengths):
        return sum(count * length for count, length in zip(counts, lengths))
    literal, distance = code_lengths(literals, 15), code_lengths(distances, 15)
    runs = runs_of(literal + distance)
    heads = [sum(1 for symbol, _ in runs if symbol == n) for n in range(19)]
    head = code_lengths(heads, 7)
    used = 19
    while used > 4 and not heads[ORDER[used - 1]]:
        used -= 1
    fixed = 3 + size(literals, FIXED) + 5 * sum(distances) + extra
    own = 3 + 5 + 5 + 4 + 3 * used + size(heads, head) + 2 * heads[16] + 3 * heads[17] + 7 * heads[18]
    own += size(literals, literal) + size(distances, distance) + extra
    if storable and 8 * (len(plain) + 5) < min(fixed, own):
        bits.put(0, 3)
        bits.align()
        bits.put(len(plain), 16)
        bits.put(len(plain) ^ 0xffff, 16)
        bits.out += plain
        return
    if own < fixed:
        bits.put(4, 3)
        for value, width in ((len(literals) - 257, 5), (len(distances) - 1, 5), (used - 4, 4)):
            bits.put(value, width)
        for symbol in ORDER[:used]:
            bits.put(head[symbol], 3)
        made = codes(head)
        for symbol, value in runs:
            bits.put(*made[symbol])
            bits.put(value, {16: 2, 17: 3, 18: 7}.get(symbol, 0))
    else:
        bits.put(2, 3)
        literal, distance = FIXED, [5] * 30
    literal, distance = codes(literal), codes(distance)
    for length, value in tokens:
        if not length:
            bits.put(*literal[value])
            continue
        code = LENGTH_CODE[length - 3]
        bits.put(*literal[257 + code])
        bits.put(length - LENGTHS[code][0], LENGTHS[code][1])
        code = distance_code(value)
        bits.put(*distance[code])
        bits.put(value - DISTANCES[code][0], DISTANCES[code][1])
    bits.put(*literal[256])


def go_1_6(plain):
    """One raw stream of a whole plain: lazy matching over chains of hashes of four bytes, in a window that moves by half."""
    bits, tokens, heads, before = Bits(), [], {}, [-1] * HALF
    base, block, at, pending = 0, 0, 0, False
    length, distance, end = 3, 0, len(plain)

    def insert(place):
        key = (int.from_bytes(plain[place:place + 4], "big") * 0x1e35_a7bd & 0xffff_ffff) >> 15
        found = heads.get(key, -1)
        before[place % HALF], heads[key] = found, place
        return found

    def search(candidate):
        most = min(end - at, 258)
        nice, lowest, best, away = min(NICE, most), at - HALF, 3, 0
        wanted = int.from_bytes(plain[at:at + most], "little")
        for _ in range(CHAIN):
            if plain[candidate + best] == plain[at + best]:
                differ = int.from_bytes(plain[candidate:candidate + most], "little") ^ wanted
                found = ((differ & -differ).bit_length() - 1) // 8 if differ else most
                if found > best and (found > 4 or at - candidate <= 4_096):
                    best, away = found, at - candidate
                    if found >= nice:
                        break
            if candidate == lowest:
                break
            candidate = before[candidate % HALF]
            if candidate < max(lowest, base):
                break
        return best, away

    def ended(place):
        nonlocal tokens, block
        if len(tokens) == TOKENS:
            write_block(bits, tokens, plain[block:place] if block >= base else None)
            tokens, block = [], place

    while at < end:
        # The window moves where the plain that is in it does not reach far enough, and there is more.
        while at + 262 > base + 2 * HALF and end > base + 2 * HALF:
            base += HALF
        first = insert(at) if at + 4 <= end else -1
        length_before, distance_before, length, distance = length, distance, 3, 0
        if first >= max(at - HALF, base) and end - at > length_before and length_before < LAZY:
            length, distance = search(first)
        if length_before >= 4 and length <= length_before:
            tokens.append((length_before, distance_before))
            for place in range(at + 1, at + length_before - 1):
                if place + 4 <= end:
                    insert(place)
            at, pending, length = at + length_before - 1, False, 3
            ended(at)
        else:
            if pending:
                tokens.append((0, plain[at - 1]))
                ended(at)
            at, pending = at + 1, True
    if pending:
        tokens.append((0, plain[at - 1]))
    if tokens:
        write_block(bits, tokens, plain[block:at] if block >= base else None)
    bits.put(1, 3)  # an empty stored block is the last
    bits.align()
    bits.put(0, 16)
    bits.put(0xffff, 16)
    return bytes(bits.out)
