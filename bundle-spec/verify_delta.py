"""Delta scripts: judged by SPEC.md section 18 with every bound, and run over the plains of the bases."""

import verify_recipe

KIB, MIB = 1 << 10, 1 << 20
BASES, MENTIONS, PLAINS = 8, 1_000_000, 1 << 37
RECORD = 4 * MIB
RANGES, RANGE_BYTES = 16_384, 4 * MIB
SCRIPT = MIB
HEAD = 512
Fault = verify_recipe.Fault


class TooMuch(Exception):
    """More in front of a record than may stand there."""


class NoHead(Exception):
    """What is taken for the head of a tar member is none."""


def signed(value):
    return value >> 1 if value % 2 == 0 else -(value + 1 >> 1)


def inside(base, offset, length, sizes):
    if base >= len(sizes):
        raise Fault("a base that its line does not name")
    if offset < 0 or offset + length > sizes[base]:
        raise Fault("bytes behind the end of a base, or before its begin")


def judge(data, plain, sizes):
    """M-158: the literal bytes of a group, the ranges in front of each record of them, and the operations: ("literal", n),
    ("copy", base, offset, n), ("head", base, offset, seconds, bytes)."""
    numbers = verify_recipe.Numbers(data)
    literals = numbers.number()
    if literals > plain:
        raise Fault("more literal bytes than its group has plain ones")
    prefixes, end = [], 0
    for _ in range(-(-literals // RECORD)):
        count, ranges = numbers.number(), []
        if count > RANGES:
            raise TooMuch(f"{count} ranges")
        for _ in range(count):
            base, offset = numbers.number(), end + signed(numbers.number())
            length = numbers.number()
            if length == 0:
                raise Fault("a range without a byte")
            inside(base, offset, length, sizes)
            ranges.append((base, offset, length))
            end = offset + length
            if sum(size for _, _, size in ranges) > RANGE_BYTES:
                raise TooMuch("ranges of more than 4 MiB")
        prefixes.append(ranges)
    found, used, made = [], 0, 0
    ends, seconds, current = [0] * BASES, 0, 0
    while numbers.at < len(data):
        word = numbers.number()
        kind, count = word & 3, word >> 2
        if kind == 3:
            if count >= BASES:
                raise Fault("a base above the seventh")
            current = count
            continue
        if kind == 0:
            operation, length = ("literal", count), count
            used, ends[current] = used + count, ends[current] + count
        else:
            offset = ends[current] + signed(numbers.number())
            if kind == 1:
                operation, length = ("copy", current, offset, count), count
            else:
                seconds += signed(numbers.number())
                operation, length = ("head", current, offset, seconds, signed(count)), HEAD
            inside(current, offset, length, sizes)
            ends[current] = offset + length
        if length == 0:
            raise Fault("an operation of no byte")
        made += length
        if made > plain:
            raise Fault("operations that make more than its group has")
        found.append(operation)
    if used != literals or made != plain:
        raise Fault("operations that take other literals, or make fewer bytes, than they must")
    return literals, prefixes, found


def retold(block, seconds, more):
    """M-159: a tar head with so many seconds and bytes more."""
    def field(at, digits, ends):
        text, end = block[at:at + digits], block[at + digits:at + digits + len(ends[0])]
        if end not in ends or text.strip(b"01234567"):
            raise NoHead
        return int(text, 8)

    def checksum(data):
        return sum(data[:148]) + 8 * 32 + sum(data[156:])

    size, time = field(124, 11, (b"\0", b" ")), field(136, 11, (b"\0", b" "))
    if field(148, 6, (b"\0 ",)) != checksum(block):
        raise NoHead
    size, time = size + more, time + seconds
    if not (0 <= size < 1 << 33 and 0 <= time < 1 << 33):
        raise NoHead
    told = bytearray(block)
    told[124:135], told[136:147] = b"%011o" % size, b"%011o" % time
    told[148:154] = b"%06o" % checksum(told)
    return bytes(told)


def apply(operations, literals, bases):
    """What the operations make, part by part; a base is read by `read(offset, count)`."""
    at = 0
    for kind, *operands in operations:
        if kind == "literal":
            yield literals[at:at + operands[0]]
            at += operands[0]
            continue
        base, offset = operands[:2]
        if kind == "head":
            yield retold(bases[base].read(offset, HEAD), *operands[2:])
            continue
        left = operands[2]
        while left:
            part = bases[base].read(offset, min(left, MIB))
            yield part
            offset, left = offset + len(part), left - len(part)
