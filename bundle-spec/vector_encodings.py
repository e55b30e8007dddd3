"""Vectors of blobs that travel encoded (SPEC section 18): good ones, and one mistake each. Gzip layers: vector_recipes.py."""

import subprocess
import tempfile

import verify
from make_vectors import Recipe, digest, noise, simple

MIB = verify.MIB
RAW = 1 << 31
#: A text that becomes small, and is larger than a chunk of 1 MiB.
LONG = b"all work and no play " * 60_000
SHORT = b"and no play all work " * 4_000


def fill(vectors):
    good(vectors)
    bad_lines(vectors)
    bad_travel(vectors)


def frame(plain, prefix=b"", level=12):
    """One record's frame, made by the command."""
    with tempfile.NamedTemporaryFile() as file, tempfile.NamedTemporaryFile() as before:
        file.write(plain)
        file.flush()
        before.write(prefix)
        before.flush()
        patch = [f"--patch-from={before.name}"] if prefix else []
        return subprocess.run(["zstd", f"-{level}", "--no-check", "-cq", *patch, file.name], stdout=subprocess.PIPE, check=True).stdout


def record(body, raw=False):
    return (len(body) | (RAW if raw else 0)).to_bytes(4, "little") + body


def travel(plain, level=12):
    """The travel form of a blob, each of whose records becomes smaller."""
    out = b""
    for at in range(0, len(plain), 4 * MIB):
        group = at - at % (64 * MIB)
        out += record(frame(plain[at:at + 4 * MIB], plain[max(group, at - 8 * MIB):at], level))
    return out


def encoded(forms, layers=None):
    """A bundle of layers of which some travel in the form given."""
    content = simple(tuple(layers or forms))
    content.travel = {digest(layer): form for layer, form in forms.items()}
    made = Recipe(content, requires=["encoding-1"], reader="0.2.0")
    made.twin = "enc-chained"
    return made


def chained():
    return encoded({SHORT: travel(SHORT), LONG: travel(LONG)}, (noise("enc", 300), SHORT, LONG, noise("enc-2", 200)))


def spanning():
    """A travel form of more than a chunk, the head of whose second record lies across the border of two."""
    plain = bytes(4 * MIB + 5000)
    body = b"\x28\xb5\x2f\xfd\xa0" + (4 * MIB).to_bytes(4, "little")
    left, most = 4 * MIB, MIB - 2 - 4  # of the body, so that two bytes of the next head lie before the border
    while most - len(body) > 200_000:
        body, left = body + (131_072 << 3).to_bytes(3, "little") + bytes(131_072), left - 131_072
    runs = -(-(left - (most - len(body))) // 131_072) + 1  # of four bytes each
    size = most - len(body) - 3 - 4 * runs
    body, left = body + (min(size, 131_072) << 3).to_bytes(3, "little") + bytes(min(size, 131_072)), left - min(size, 131_072)
    if size > 131_072:
        rest = size - 131_072 - 3
        body, left = body + (rest << 3).to_bytes(3, "little") + bytes(rest), left - rest
    while runs:
        count = min(left - (runs - 1), 131_072)
        body, left, runs = body + (count << 3 | 1 << 1 | (runs == 1)).to_bytes(3, "little") + b"\0", left - count, runs - 1
    assert len(body) == most and left == 0, (len(body), most, left)
    return encoded({plain: record(body) + record(bytes(5000), raw=True)}, (plain, noise("enc", 300)))


def good(vectors):
    vectors.good("enc-chained", chained(), "two encoded blobs in one chunk with their neighbours, one restored to more than a chunk", make=False)
    two = noise("first", 3000) + bytes(4 * MIB) + noise("first", 3000)
    vectors.good("enc-two-records", encoded({two: travel(two)}), "a second record that stands on the first", make=False)
    far = noise("far", 5000) + bytes(12 * MIB - 10_000) + noise("far", 5000)
    vectors.good("enc-last-byte-of-prefix", encoded({far: travel(far, 19)}), "a third record that reaches the first byte of its prefix of 8 MiB", make=False)
    vectors.good("enc-head-across-chunks", spanning(), "a travel form of two chunks, a record's head across their border", make=False)
    raw = bytes(4 * MIB) + noise("raw", 200)
    form = record(frame(raw[:4 * MIB])) + record(raw[4 * MIB:], raw=True)
    vectors.good("enc-raw", encoded({raw: form}), "a record of plain bytes", make=False)


def bad_lines(vectors):
    def bad(name, change, says, code, kind="E-FORMAT", of=SHORT, make=chained):
        def lines(found):
            return [change(dict(entry)) if entry.get("digest") == digest(of) and entry["kind"] == "blob" else entry for entry in found]
        vectors.bad(f"enc-{name}", make().on("lines", lines), says, kind, code, "X9a")

    def without(member):
        return lambda entry: {name: value for name, value in entry.items() if name != member}

    def says_it_is(**members):
        return lambda entry: {**entry, "encoding": members}

    bad("alone", without("travel_size"), "an encoding without a travel size", "encoding")
    bad("travel-alone", without("encoding"), "a travel size without an encoding", "encoding")
    bad("unknown-member", says_it_is(form="plain", level=12), "a member that no form has", "encoding")
    bad("unknown-form", says_it_is(form="brotli"), "a form that is not known", "encoding")
    bad("not-an-object", lambda entry: {**entry, "encoding": "plain"}, "an encoding that is a word", "encoding")
    bad("gzip-producer", says_it_is(form="gzip", plain_digest=digest(b""), plain_size=9, producer="go-0-6"),
        "a producer that is not known", "encoding")
    bad("early", lambda entry: {**entry, "encoding": {"form": "plain"}, "travel_size": 1}, "an encoded config", "encoding", of=b"{}")
    bad("travel-size-0", lambda entry: {**entry, "travel_size": 0}, "a travel form without a byte", "travel-size")
    bad("travel-size-whole", lambda entry: {**entry, "travel_size": entry["size"]}, "a travel form as large as its blob", "travel-size")
    bad("bases-not-required", says_it_is(form="plain", bases=[digest(b"base")]), "bases that the head does not require", "requires")
    bad("plain-size", lambda entry: {**entry, "size": (1 << 36) + 1}, "a plain of more than 64 GiB", "plain-size", "E-LIMIT")
    vectors.bad("enc-not-required", chained().on("head", lambda document: {**document, "requires": []}),
                "an encoded blob that the head does not speak of", "E-FORMAT", "requires", "X9a")
    vain = simple()
    made = Recipe(vain, requires=["encoding-1"], reader="0.2.0")
    made.twin = "one-image"
    vectors.bad("enc-required-in-vain", made, "a feature that nothing uses", "E-FORMAT", "requires", "X9a")
    needs = chained()
    needs.content.needs = {digest(b"needed"): 9}
    vectors.bad("enc-need-plain-size", needs.on("lines", lambda found: [
        {**entry, "plain_size": 40} if entry["kind"] == "need" else entry for entry in found]),
        "a plain size of what is nobody's base", "E-FORMAT", "base", "X9a")

    def squeezed(number, plain, made):
        return ("zstd", frame(plain)) if number == 1 else made
    vectors.bad("enc-chunk-codec", spanning().on("chunk", squeezed), "a piece that is compressed once more", "E-FORMAT", "chunk-codec", "X9a")


def bad_travel(vectors):
    plain = noise("first", 3000) + bytes(4 * MIB) + noise("first", 3000)
    form = travel(plain)
    first = form[:4 + int.from_bytes(form[:4], "little")]
    last = form[len(first):]

    def bad(name, made, says, code="travel", kind="E-FORMAT", of=None):
        vectors.bad(f"enc-{name}", encoded({of or plain: made}), says, kind, code, "X11")

    bad("record-zero", b"\0\0\0\0" + form, "a record without a body")
    bad("record-too-large", (4 * MIB + 1).to_bytes(4, "little") + form[4:], "a record above 4 MiB")
    bad("record-raw-short", record(noise("x", 500), raw=True) + last, "too few plain bytes in a record")
    two = bytes(4 * MIB) + b"x"
    bad("record-not-smaller", record(frame(two[:4 * MIB])) + record(frame(b"x")), "a frame that is not smaller than its plain", of=two)
    bad("rest", form + b"\0", "a byte behind the last record")
    bad("record-more", form + record(b"x", raw=True), "a record too many")
    bad("record-cut", form[:-1], "a record that ends too early")
    bad("record-missing", first, "a record too few")
    # The descriptor's flag of the size stays: one byte for a window of 2 MiB comes before it.
    bad("frame-no-segment", first + record(last[4:8] + bytes([last[8] & ~0x20]) + b"\x58" + last[9:]), "a frame that is no single segment",
        "non-canonical-frame")
    bad("frame-dictionary", first + record(last[4:8] + bytes([last[8] | 1]) + b"\7" + last[9:]), "a dictionary id", "non-canonical-frame")
    bad("frame-trailing", first + record(last[4:] + b"x"), "a byte behind a frame", "non-canonical-frame")
    bad("frame-cut", first + record(last[4:-1]), "a frame that ends too early", "frame", "E-INTEGRITY")
    other = bytearray(plain)
    other[5] ^= 1
    bad("other-content", travel(bytes(other)), "a good travel form of another blob", "content-digest", "E-INTEGRITY")
    # What its frames refer to is not the plain before them.
    other = noise("second", 3000) + plain[3000:]
    bad("wrong-prefix", travel(other)[:4 + int.from_bytes(travel(other)[:4], "little")] + last, "a frame over another prefix",
        "content-digest", "E-INTEGRITY")
