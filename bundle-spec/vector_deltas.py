"""Vectors of layers that are copied from others in part (SPEC section 18): good ones, and one mistake each."""

import tarfile

import verify
import verify_delta
import verify_recipe
from make_vectors import Content, Recipe, digest, noise, simple
from vector_encodings import frame, record
from vector_recipes import HEADER, number, raw, recipe_record, stream, trailer

MIB = verify.MIB


def fill(vectors):
    good(vectors)
    bad_lines(vectors)
    bad_scripts(vectors)
    bad_results(vectors)


def zigzag(value):
    return value * 2 if value >= 0 else -value * 2 - 1


class Script:
    """A script under way: numbers are told against the operation before."""

    def __init__(self, literals=0, ranges=()):
        self.body, self.ends, self.seconds, self.current = b"", [0] * 8, 0, 0
        self.first, end = number(literals), 0
        for record_ranges in ranges:
            self.first += number(len(record_ranges))
            for base, offset, length in record_ranges:
                self.first += number(base) + number(zigzag(offset - end)) + number(length)
                end = offset + length

    def base(self, base):
        if base != self.current:
            self.body, self.current = self.body + number(base << 2 | 3), base
        return self

    def literal(self, count):
        self.body += number(count << 2)
        self.ends[self.current] += count
        return self

    def copy(self, offset, count, base=0):
        self.base(base)
        self.body += number(count << 2 | 1) + number(zigzag(offset - self.ends[base]))
        self.ends[base] = offset + count
        return self

    def head(self, offset, seconds, more, base=0):
        self.base(base)
        self.body += number(zigzag(more) << 2 | 2) + number(zigzag(offset - self.ends[base])) + number(zigzag(seconds - self.seconds))
        self.ends[base], self.seconds = offset + 512, seconds
        return self

    def bytes(self):
        return self.first + self.body


def told(script):
    """A record of a script: a frame where that is smaller."""
    return recipe_record(script.bytes() if isinstance(script, Script) else script)


def member(name, data, time):
    info = tarfile.TarInfo(name)
    info.size, info.mtime = len(data), time
    return info.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % 512)


SAME, CHANGED = noise("same", 3000), noise("changed", 2000)
OLD = member("etc/same", SAME, 1_700_000_000) + member("usr/bin/changed", CHANGED, 1_700_000_000) + bytes(1024)
#: One file with another end, all of them an hour later.
NEW_DATA = CHANGED[:1500] + noise("new", 200) + CHANGED[1500:]
NEW = member("etc/same", SAME, 1_700_003_600) + member("usr/bin/changed", NEW_DATA, 1_700_003_600) + bytes(1024)
AT = 512 + 3072  # where the second head stands
LITERALS = NEW[AT + 512 + 1500:]
#: What stands in front of them while they are decoded: the end of the file that changed.
RANGE = (AT + 512 + 1500, 500)


def script_of_new(ranges=True, base=0):
    script = Script(len(LITERALS), [[(base, *RANGE)] if ranges else []])
    return script.head(0, 3600, 0, base).copy(512, 3072, base).head(AT, 3600, 200, base).copy(AT + 512, 1500, base).literal(len(LITERALS))


def form_of_new():
    return told(script_of_new()) + literals_of_new()


def literals_of_new():
    return literal(LITERALS, OLD[RANGE[0]:RANGE[0] + RANGE[1]])


def literal(data, prefix=b""):
    made = frame(data, prefix)
    return record(made) if len(made) < len(data) else record(data, raw=True)


class Delta:
    """A release with a layer that is copied from others, and the release before it that brought them."""

    def __init__(self, layer, form, bases, held=(), line=None, plains=None, carried=(), requires=("delta-1", "encoding-1")):
        content = Content()
        layers = [*carried, *held, layer, noise("beside", 300)]
        content.tag(content.manifest(layers), "2.0")
        for one in held:
            del content.blobs[digest(one)]
        content.travel = {digest(layer): form}
        content.encodings = {digest(layer): {"bases": [digest(base) for base in bases], **(line or {"form": "plain"})}}
        needs = [base for base in bases if base not in carried] + [one for one in held if one not in bases]
        content.needs = {digest(one): len(one) for one in needs}
        content.plains = {digest(base): size for base, size in (plains or {}).items()}
        self.before = Recipe(simple(tuple(dict.fromkeys(needs)) or None), version="1.9", sequence=6)
        self.recipe = Recipe(content, requires=sorted(requires), reader="0.2.0")
        self.recipe.twin = "delta-one-base"
        self.layer = layer

    def good(self, vectors, name, says, **more):
        vectors.good(name, self.recipe, says, make=False, base=self.base(), **more)

    def bad(self, vectors, name, says, code, kind="E-FORMAT", step="X11", **more):
        vectors.bad(name, self.recipe, says, kind, code, step, base=self.base(), **more)

    def base(self):
        return self.before.build() if self.recipe.content.needs else None


def one_base():
    return Delta(NEW, form_of_new(), [OLD])


def gzip_file(plain):
    made = verify_recipe.go_1_6(plain)
    return HEADER + made + trailer(plain), raw(HEADER) + stream((len(plain), 8 * len(made))) + raw(trailer(plain))


def gzipped(**changes):
    """A gzip layer that is copied from what is compressed in another one."""
    old, _ = gzip_file(OLD)
    new, recipe = gzip_file(NEW)
    line = {"form": "gzip", "plain_digest": digest(NEW), "plain_size": len(NEW), "producer": "go-1-6", **changes.pop("line", {})}
    return Delta(new, recipe_record(recipe) + form_of_new(), [old], line=line, plains={old: len(OLD), **changes.pop("plains", {})},
                 requires=("delta-1", "encoding-1", "gzip-go-1-6"))


def shared():
    """A release whose layers are copied from one gzip layer, from another one, and from the first again; and the release before it."""
    other = noise("other", 4000)
    (first, _), (second, _) = gzip_file(OLD), gzip_file(other)
    content, plains = Content(), {first: OLD, second: other}
    for number, base in enumerate((first, second, first)):
        end = noise(f"end-{number}", 90)
        layer = plains[base] + end
        content.travel[digest(layer)] = told(Script(90, [[]]).copy(0, len(plains[base])).literal(90)) + record(end, raw=True)
        content.encodings[digest(layer)] = {"bases": [digest(base)], "form": "plain"}
        content.blobs[digest(layer)] = layer
    content.tag(content.manifest([content.blobs[name] for name in content.encodings]), "2.0")
    content.needs = {digest(base): len(base) for base in plains}
    content.plains = {digest(base): len(plain) for base, plain in plains.items()}
    recipe = Recipe(content, requires=["delta-1", "encoding-1"], reader="0.2.0")
    recipe.twin = "delta-one-base"
    return recipe, Recipe(simple((first, second)), version="1.9", sequence=6)


def good(vectors):
    one_base().good(vectors, "delta-one-base", "a layer of an older one: heads told anew, copies, and literals over a range; no manifest refers to the base")
    other = noise("other", 4000)
    layer = OLD + other + noise("end", 90)
    script = Script(90, [[]]).copy(0, len(OLD)).copy(0, 4000, 1).literal(90)
    Delta(layer, told(script) + record(noise("end", 90), raw=True), [OLD, other], held=(other,)).good(
        vectors, "delta-two-bases", "two bases, one of them a layer of the release too")
    Delta(OLD * 3, told(Script().copy(0, len(OLD)).copy(0, len(OLD)).copy(0, len(OLD))), [OLD]).good(
        vectors, "delta-copies-only", "a group without literals")
    carried = noise("carried", 5000)
    Delta(carried + noise("tail", 50), told(Script(50, [[]]).copy(0, 5000).literal(50)) + record(noise("tail", 50), raw=True), [carried],
          carried=(carried,)).good(vectors, "delta-carried", "a base that the bundle carries")
    gzipped().good(vectors, "delta-gzip", "a gzip layer of the plain of another one")
    recipe, before = shared()
    vectors.good("delta-gzip-shared", recipe, "three layers of the plains of two gzip layers, one of which is named before and behind the other", make=False,
                 base=before.build())
    long = bytes(66 * MIB)
    layer = long[:65 * MIB] + noise("long", 40)
    forms = told(Script().copy(0, 64 * MIB)) + told(Script(40, [[]]).copy(64 * MIB, MIB).literal(40)) + record(noise("long", 40), raw=True)
    Delta(layer, forms, [long]).good(vectors, "delta-two-groups", "a plain of two groups, each with a script of its own")
    words, more = noise("words", 6000), bytes(4 * MIB - 6000)
    literals = words + more + words
    layer = OLD + literals
    script = Script(len(literals), [[], []]).copy(0, len(OLD)).literal(len(literals))
    form = told(script) + literal(literals[:4 * MIB]) + literal(literals[4 * MIB:], literals[:4 * MIB])
    Delta(layer, form, [OLD]).good(vectors, "delta-literal-prefix", "a second record that stands on the literals before it")


def bad_lines(vectors):
    def bad(name, says, code, change, kind="E-FORMAT", make=one_base):
        delta = make()
        layer = digest(delta.layer)

        def lines(found):
            return [change(dict(entry)) if entry.get("digest") == layer and entry["kind"] == "blob" else entry for entry in found]
        delta.recipe.on("lines", lines)
        delta.bad(vectors, f"enc-{name}", says, code, kind, "X9a")

    def bases(*names):
        return lambda entry: {**entry, "encoding": {**entry["encoding"], "bases": list(names)}}
    bad("bases-none", "bases, and none", "bases", bases(), "E-LIMIT")
    bad("bases-nine", "nine bases", "bases", bases(*(digest(b"%d" % one) for one in range(9))), "E-LIMIT")
    bad("bases-twice", "a base twice", "bases", bases(digest(OLD), digest(OLD)), "E-LIMIT")
    bad("bases-words", "bases that are no digests", "encoding", bases("old"))
    bad("bases-member", "bases that are no list", "encoding", lambda entry: {**entry, "encoding": {"bases": digest(OLD), "form": "plain"}})
    bad("base-unknown", "a base that no line has", "base", bases(digest(b"nowhere")))
    bad("base-early", "a config as base", "base", bases(digest(OLD), digest(b"{}")))
    bad("base-behind", "a base that stands behind its blob", "base", bases(digest(OLD), digest(noise("beside", 300))))
    bad("base-itself", "a blob that is its own base", "base", bases(digest(OLD), digest(NEW)))

    def needs(name, says, code, kind="E-FORMAT", make=one_base, **members):
        delta = make()
        delta.recipe.on("lines", lambda found: [{**entry, **members} if entry["kind"] == "need" else entry for entry in found])
        delta.bad(vectors, f"enc-{name}", says, code, kind, "X9a")
    needs("bases-plain-size", "a base of more than 128 GiB", "plain-size", "E-LIMIT", size=(1 << 37) + 1)
    needs("base-plain-proportion", "more plain in a base than deflate can hold", "plain-size", "E-LIMIT", make=gzipped, plain_size=1032 * 10_000)
    needs("need-plain-size-null", "a plain size that is null", "non-canonical", make=gzipped, plain_size=None)
    bad("plain-size-fraction", "a plain size that is no integer", "grammar",
        lambda entry: {**entry, "encoding": {**entry["encoding"], "plain_size": 1.0}}, make=gzipped)
    many = [noise(f"base-{number}", 3000) for number in range(7)]
    needs("base-work", "bases that inflate to more than 16 GiB, for a layer of some kilobytes", "base-work", "E-LIMIT",
          make=lambda: Delta(NEW, form_of_new(), [OLD, *many], plains={base: 1 for base in [OLD, *many]}),
          size=2_100_000, plain_size=1032 * 2_100_000)
    lying = one_base()
    lying.recipe.on("lines", lambda found: [{**entry, "size": MIB} if entry["kind"] == "need" else entry for entry in found])
    lying.bad(vectors, "delta-need-size", "a need that states another size than its blob has", "needs", "E-DEPENDENCY", "X10")
    vain = one_base()
    vain.recipe.on("lines", lambda found: [{**entry, "encoding": {"form": "plain"}} if "encoding" in entry else entry for entry in found])
    vain.bad(vectors, "delta-required-in-vain", "a feature that nothing uses", "requires", step="X9a")
    alone = one_base()
    alone.recipe.content.needs[digest(b"alone")] = 5
    alone.bad(vectors, "delta-need-of-nobody", "a needed blob that is nobody's base and that no manifest refers to", "unreachable", "E-CONTENT", "X13")


def bad_scripts(vectors):
    def bad(name, script, says, code="script", kind="E-FORMAT", rest=None, base=OLD):
        rest = record(noise("end", 90), raw=True) if rest is None else rest
        Delta(OLD + noise("end", 90), told(script) + rest, [base]).bad(vectors, f"script-{name}", says, code, kind)

    def start(literals=90, ranges=((),)):
        return Script(literals, ranges)
    whole = start().copy(0, len(OLD)).literal(90)
    bad("cut", whole.bytes()[:-1], "an operation that is cut")
    bad("number", whole.bytes()[:-2] + b"\xe8\x82\0", "a number that is longer than it need be")
    bad("literal-0", start().literal(0).copy(0, len(OLD)).literal(90), "literals, and none")
    bad("copy-0", start().copy(0, 0).copy(0, len(OLD)).literal(90), "a copy of no byte")
    bad("base-8", start().bytes() + number(8 << 2 | 3) + whole.body, "a ninth base")
    bad("base-unnamed", start().copy(0, len(OLD) - 1).copy(5, 1, 1).literal(90), "a base that the line does not name")
    bad("outside", start().copy(1, len(OLD)).literal(90), "a copy that ends behind its base")
    bad("before", start().bytes() + number(9 << 2 | 1) + number(zigzag(-1)) + whole.body, "a copy that begins before its base")
    bad("head-outside", start().copy(0, len(OLD) - 512).head(len(OLD) - 511, 0, 0).literal(90), "a head that ends behind its base")
    bad("range-outside", start(90, [[(0, 9, len(OLD))]]).copy(0, len(OLD)).literal(90), "a range that ends behind its base")
    bad("range-empty", start(90, [[(0, 9, 0)]]).copy(0, len(OLD)).literal(90), "a range without a byte")
    bad("range-base", start(90, [[(1, 9, 9)]]).copy(0, len(OLD)).literal(90), "a range of a base that the line does not name")
    bad("literals-unused", start().copy(0, len(OLD)).literal(80).copy(0, 10), "literals that no operation takes")
    bad("literals-missing", start().copy(0, len(OLD) - 10).literal(100), "more literals than there are")
    bad("plain-short", start().copy(0, len(OLD) - 1).literal(90), "fewer bytes than the group has")
    bad("plain-long", start().copy(0, len(OLD)).literal(90).copy(0, 1), "more bytes than the group has")
    bad("all-literals", Script(len(OLD) + 91, [[]]).literal(len(OLD) + 91), "more literals than the group has bytes")
    bad("ranges", number(90) + number(verify_delta.RANGES + 1) + b"\0\0\1" * (verify_delta.RANGES + 1), "too many ranges in front of a record",
        "ranges", "E-LIMIT")
    bad("range-bytes", start(90, [[(0, 0, 2 * MIB), (0, 0, 2 * MIB + 1)]]).copy(0, len(OLD)).literal(90), "too long ranges in front of a record",
        "ranges", "E-LIMIT", base=bytes(3 * MIB))
    bad("alone", whole, "a script and no literals", "travel", rest=b"")
    bad("rest", whole, "a record behind the last group", "travel", rest=record(noise("end", 90), raw=True) + record(b"x", raw=True))
    bad("literal-short", whole, "a record of fewer literals", "travel", rest=record(noise("end", 89), raw=True))

    def bad_form(name, form, says, code, kind="E-FORMAT"):
        Delta(OLD + noise("end", 90), form, [OLD]).bad(vectors, f"script-{name}", says, code, kind)
    bad_form("size-frame", record(frame(bytes(verify_delta.SCRIPT + 1))), "a script above 1 MiB", "script-size", "E-LIMIT")
    bad_form("size-zero", record(b"\x28\xb5\x2f\xfd\x20\0\1\0\0"), "a script without a byte", "script-size", "E-LIMIT")
    bad_form("not-smaller", record(b"\x28\xb5\x2f\xfd\x20\1\x09\0\0x"), "a frame that is not smaller than its script", "travel")


def bad_results(vectors):
    def bad(name, delta, says, code, **more):
        delta.bad(vectors, name, says, code, "E-INTEGRITY", **more)
    rest = record(noise("end", 90), raw=True)
    script = Script(90, [[]]).head(512, 0, 0).copy(512, len(OLD) - 512).literal(90)
    bad("script-head", Delta(OLD + noise("end", 90), told(script) + rest, [OLD]), "a head where a file's bytes stand", "script-head")
    script = Script(90, [[]]).head(0, -1_700_000_001, 0).copy(512, len(OLD) - 512).literal(90)
    bad("script-head-before", Delta(OLD + noise("end", 90), told(script) + rest, [OLD]), "a head of a time before 1970", "script-head")
    script = Script(90, [[]]).copy(0, len(OLD)).literal(90)
    bad("delta-content-digest", Delta(OLD + noise("end", 90), told(script) + record(noise("other", 90), raw=True), [OLD]),
        "other literals than those of the blob", "content-digest")
    bad("delta-plain-digest", gzipped(line={"plain_digest": digest(b"other")}), "a plain that is not the one of the line", "plain-digest")
    old, _ = gzip_file(OLD)
    bad("delta-base-plain", gzipped(plains={old: len(OLD) + 1}), "a base with less plain than its line states", "base-plain")
    bad("delta-base-more", gzipped(plains={old: len(OLD) - 1}), "a base with more plain than its line states", "base-plain")
    new, recipe = gzip_file(NEW)
    line = {"form": "gzip", "plain_digest": digest(NEW), "plain_size": len(NEW), "producer": "go-1-6"}
    bad("delta-base-no-gzip", Delta(new, recipe_record(recipe) + form_of_new(), [OLD], line=line, plains={OLD: len(OLD)},
                                    requires=("delta-1", "encoding-1", "gzip-go-1-6")), "a base that is no gzip file", "base-plain")
    wrong = told(script_of_new(ranges=False)) + literals_of_new()
    bad("delta-wrong-prefix", Delta(NEW, wrong, [OLD]), "a frame over a range that its script does not list", "frame")
