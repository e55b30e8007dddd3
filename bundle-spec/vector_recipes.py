"""Vectors of gzip layers that travel with a recipe (SPEC section 18): good ones of every producer, and one mistake each."""

import base64
import json
import pathlib
import zlib

import producer_vectors
import verify
import verify_recipe
from make_vectors import Recipe, digest, noise, simple
from vector_encodings import frame, record

MIB = verify.MIB
STREAMS = json.loads((pathlib.Path(__file__).parent / "vectors" / "producers" / "vectors.json").read_text())["layers"]
PLAIN = producer_vectors.layer()
HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
BLOCK = producer_vectors.BLOCK
#: Those that verify.py makes again, but for zlib's where Python's zlib is another one.
KNOWN = ("go-1-6", "zlib-1-6", "zlib-1-9")


def fill(vectors):
    good(vectors)
    bad_lines(vectors)
    bad_recipes(vectors)
    bad_results(vectors)


def trailer(plain):
    return zlib.crc32(plain).to_bytes(4, "little") + len(plain).to_bytes(4, "little")


def number(value):
    out = b""
    while value >= 128:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def raw(data):
    return b"\0" + number(len(data)) + data


def stream(*pieces):
    return b"\1" + number(len(pieces)) + b"".join(number(plain) + number(bits) for plain, bits in pieces)


def framed(plain, size, block=BLOCK):
    return b"\2" + number(block) + number(plain) + number(size)


class Layer:
    """A gzip file of one member, what is compressed in it, and its recipe."""

    def __init__(self, producer):
        self.producer, self.plain, self.stream = producer, PLAIN, base64.b64decode(STREAMS[producer])
        self.file = HEADER + self.stream + trailer(PLAIN)
        is_framed = verify_recipe.PRODUCERS[producer][0]
        size = len(self.stream)
        self.body = framed(len(PLAIN), size) if is_framed else stream((len(PLAIN), 8 * size))
        self.recipe = raw(HEADER) + self.body + raw(trailer(PLAIN))

    def line(self, **changes):
        return {"form": "gzip", "plain_digest": digest(self.plain), "plain_size": len(self.plain), "producer": self.producer, **changes}


def plain_records(plain):
    return b"".join(record(frame(plain[at:at + 4 * MIB], plain[max(0, at - 8 * MIB):at])) for at in range(0, len(plain), 4 * MIB))


def recipe_record(recipe):
    """A record of a recipe: a frame where that is smaller."""
    made = frame(recipe, level=19)
    return record(made) if len(made) < len(recipe) else record(recipe, raw=True)


def bundle(layer, form=None, line=None, requires=None):
    form = recipe_record(layer.recipe) + plain_records(layer.plain) if form is None else form
    assert len(form) < len(layer.file), (layer.producer, len(form), len(layer.file))
    content = simple((noise("gzip", 300), layer.file, noise("gzip-2", 200)))
    content.travel = {digest(layer.file): form}
    content.encodings = {digest(layer.file): line or layer.line()}
    made = Recipe(content, requires=requires or ["encoding-1", f"gzip-{layer.producer}"], reader="0.2.0")
    made.twin = "gzip-go-1-6"
    return made


def with_recipe(recipe, layer=None):
    layer = layer or Layer("go-1-6")
    return bundle(layer, recipe_record(recipe) + plain_records(layer.plain))


def members():
    """Two members, one without content, and padding."""
    layer = Layer("go-1-6")
    layer.file += HEADER + b"\1\0\0\xff\xff" + trailer(b"") + HEADER + layer.stream + trailer(PLAIN) + bytes(40)
    between = trailer(PLAIN) + HEADER + b"\1\0\0\xff\xff" + trailer(b"") + HEADER
    layer.recipe = raw(HEADER) + layer.body + raw(between) + layer.body + raw(trailer(PLAIN) + bytes(40))
    layer.plain = PLAIN + PLAIN
    return layer


def pieces():
    """A stream cut at each of its borders."""
    layer = Layer("go-1-6")
    layer.plain = (noise("pieces", 12_000) + bytes(40_000)) * 2
    borders, whole = [], verify_recipe.write_block

    def watched(bits, tokens, plain):
        whole(bits, tokens, plain)
        made = sum(length or 1 for length, _ in tokens)
        borders.append((made, 8 * len(bits.out) + bits.count))
    verify_recipe.write_block = watched
    try:
        layer.stream = verify_recipe.go_1_6(layer.plain)
    finally:
        verify_recipe.write_block = whole
    layer.file = HEADER + layer.stream + trailer(layer.plain)
    found, before = [], 0
    for plain, bits in borders[:-1]:
        found.append((plain, bits - before))
        before = bits
    found.append((len(layer.plain) - sum(plain for plain, _ in found), 8 * len(layer.stream) - before))
    assert len(found) > 1
    layer.recipe = raw(HEADER) + stream(*found) + raw(trailer(layer.plain))
    return layer


def good(vectors):
    for producer in STREAMS:
        unproven = 0 if producer in KNOWN else 1
        vectors.good(f"gzip-{producer}", bundle(Layer(producer)), f"a gzip layer of {producer}", make=False, unproven=unproven)
    vectors.good("gzip-members", bundle(members()), "two members, one without content between them, and padding", make=False)
    vectors.good("gzip-pieces", bundle(pieces()), "a stream in pieces that begin at borders of blocks", make=False)
    layer = Layer("zlib-1-6")
    vectors.good("gzip-recipe-raw", bundle(layer, record(layer.recipe, raw=True) + plain_records(PLAIN)), "a recipe as its bytes", make=False)


def bad_lines(vectors):
    def bad(name, says, code, kind="E-FORMAT", requires=None, **changes):
        layer = Layer("go-1-6")
        line = {member: value for member, value in layer.line(**changes).items() if value is not None}
        vectors.bad(f"enc-gzip-{name}", bundle(layer, line=line, requires=requires), says, kind, code, "X9a")

    bad("lacks", "no size of the plain", "encoding", plain_size=None)
    bad("digest", "a plain digest that is none", "encoding", plain_digest="sha256:00")
    bad("not-required", "a producer that the head does not speak of", "requires", requires=["encoding-1"])
    bad("other-required", "another producer in the head", "requires", requires=["encoding-1", "gzip-go-1-9"])
    bad("required-in-vain", "a second producer in the head", "requires", requires=["encoding-1", "gzip-go-1-6", "gzip-pigz-1-6"])
    bad("plain-size", "a plain of more than 64 GiB", "plain-size", "E-LIMIT", plain_size=(1 << 36) + 1)
    bad("plain-proportion", "more plain than deflate can hold", "plain-size", "E-LIMIT", plain_size=1032 * len(Layer("go-1-6").file) + 1)
    bad("no-plain", "a plain without a byte", "plain-size", "E-LIMIT", plain_size=0)


def bad_recipes(vectors):
    layer = Layer("go-1-6")
    size, bits, plain = len(layer.stream), 8 * len(layer.stream), len(PLAIN)
    before, after = raw(HEADER), raw(trailer(PLAIN))

    def bad(name, recipe, says, code="recipe", kind="E-FORMAT", of=layer):
        vectors.bad(f"recipe-{name}", with_recipe(recipe, of), says, kind, code, "X11")

    bad("unknown-op", before + b"\3" + layer.body + after, "an operation that is none")
    bad("number", b"\0\x8a\0" + HEADER + layer.body + after, "a number that is longer than it need be")
    bad("number-large", before + b"\1\1" + b"\xff" * 7 + b"\x1f" + number(bits) + after, "a number above 2^53 - 1")
    bad("cut", layer.recipe[:-1], "an operation that is cut")
    bad("no-pieces", before + b"\1\0" + after, "a stream without a piece")
    bad("no-plain", before + stream((plain, bits - 8), (0, 8)) + after, "a piece without plain")
    bad("raw-empty", before + b"\0\0" + layer.body + after, "raw bytes, and none")
    bad("bits", before + stream((plain, bits - 1)) + after, "a stream that ends inside a byte")
    many = (1000, 10 * 1000 + 65_536 + 8)
    bad("many-bits", before + stream((plain - 1000, 8), many) + after, "more bits than any producer makes")
    bad("other-op", before + framed(plain, size) + after, "blocks of a producer that makes streams")
    pigz, pgzip = Layer("pigz-1-6"), Layer("pgzip-2-5")
    bad("stream-of-pigz", before + stream((plain, 8 * len(pigz.stream))) + after, "a stream of a producer that makes blocks", of=pigz)
    bad("block", before + framed(plain, len(pigz.stream), 65_535) + after, "blocks that are too small", of=pigz)
    fast = Layer("klauspost-2-5")
    half = 8 * len(fast.stream) // 2
    bad("second-piece", before + stream((plain - 9, half), (9, 8 * len(fast.stream) - half)) + after,
        "a second piece of a producer that makes one", of=fast)
    bad("plain-sum", before + stream((plain - 1, bits)) + after, "less plain than the line states")
    bad("size-sum", layer.recipe + raw(b"x"), "more bytes than the blob has")
    tiny = 70  # starts: 70 of 65,536 are more than 2^22 and 4,096 for each of 70 bytes
    few = Layer("go-1-6")
    few.plain, one = bytes(tiny), verify_recipe.go_1_6(b"\0")
    few.file = HEADER + one * tiny + bytes(400)
    works = raw(HEADER) + b"".join(stream((1, 8 * len(one))) for _ in range(tiny)) + raw(bytes(400))
    vectors.bad("recipe-work", bundle(few, recipe_record(works) + record(few.plain, raw=True), line=few.line()),
                "more starts than the plain allows", "E-LIMIT", "rebuild-work", "X11")
    rest = plain_records(PLAIN)
    large = bytes(verify_recipe.RECIPE + 1)

    def bad_form(name, form, says, code, kind="E-FORMAT"):
        vectors.bad(f"recipe-{name}", bundle(layer, form), says, kind, code, "X11")
    bad_form("size-frame", record(frame(large)) + rest, "a recipe above 1 MiB", "recipe-size", "E-LIMIT")
    bad_form("size-zero", record(b"\x28\xb5\x2f\xfd\x20\0\1\0\0") + rest, "a recipe without a byte", "recipe-size", "E-LIMIT")
    bad_form("not-smaller", record(b"\x28\xb5\x2f\xfd\x20\1\x09\0\0x") + rest, "a frame that is not smaller than its recipe", "travel")
    bad_form("frame", record(frame(layer.recipe * 2)[:5] + b"\xff" + bytes(9)) + rest, "a frame that does not decode", "frame", "E-INTEGRITY")
    bad_form("alone", recipe_record(layer.recipe), "a recipe and no plain", "travel")


def bad_results(vectors):
    layer, pgzip = Layer("go-1-6"), Layer("pgzip-2-5")
    size, bits, plain = len(layer.stream), 8 * len(layer.stream), len(PLAIN)
    before, after = raw(HEADER), raw(trailer(PLAIN))

    def bad(name, made, says, code, unproven=0):
        vectors.bad(name, made, says, "E-INTEGRITY", code, "X11", unproven=unproven)
    bad("recipe-other-bits", with_recipe(before + stream((plain, bits - 8)) + raw(b"x") + after), "a stream of fewer bits than its producer makes",
        "rebuild", unproven=1)
    fast = Layer("klauspost-2-5")
    bad("recipe-other-producer", bundle(fast, line=fast.line(producer="go-1-1"), requires=["encoding-1", "gzip-go-1-1"]),
        "the recipe of another producer", "rebuild", unproven=1)
    bad("recipe-framed-bytes", with_recipe(before + framed(plain, len(pgzip.stream) - 1) + raw(b"x") + after, pgzip),
        "blocks of fewer bytes than their producer makes", "rebuild", unproven=1)
    bad("gzip-content-digest", with_recipe(before + layer.body + raw(trailer(b"other"))), "another trailer", "content-digest", unproven=1)
    vectors.bad("gzip-plain-digest", bundle(layer, line=layer.line(plain_digest=digest(b"other"))), "a plain that is not the one of the line",
                "E-INTEGRITY", "plain-digest", "X11")
