"""The vectors, good and bad: what each is, and how it must be judged (see make_vectors.py).

Names begin with the case of the attack catalogue that they belong to.
"""

import base64
import json

import vector_desired
import vector_deltas
import vector_encodings
import vector_recipes
import vector_secrets
import vector_proportion
import verify
from make_vectors import (CONFIG, DOCKER, INDEX, LAYER, MANIFEST, OTHER_SITE, REPOSITORY, SITE, Content, Recipe, canonical,
                          chain_file, descriptor, digest, envelope, key, noise, root, rule, simple)


def fill(vectors):
    """Add every vector."""
    good(vectors)
    vector_desired.good(vectors)
    vector_secrets.good(vectors)
    vector_proportion.good(vectors)
    bad_container(vectors)
    bad_trust(vectors)
    bad_head(vectors)
    bad_acknowledgement(vectors)
    bad_index(vectors)
    bad_chunks(vectors)
    bad_content(vectors)
    bad_site(vectors)
    vector_desired.bad(vectors)
    vector_secrets.bad(vectors)
    vector_proportion.bad(vectors)
    vector_encodings.fill(vectors)
    vector_recipes.fill(vectors)
    vector_deltas.fill(vectors)
    volumes(vectors)
    repairs(vectors)


# --- Good ---------------------------------------------------------------------------------------------------------

def good(vectors):
    vectors.good("one-image", Recipe(), "one image, one layer that does not compress")
    compressed = simple((b"all work and no play " * 200, noise("second", 300)))
    vectors.good("compressed", Recipe(compressed), "a chunk that zstd makes smaller")
    vectors.good("one-chunk-compressed", Recipe(simple((PLAIN,))), "early blobs as they are, one layer compressed")
    vectors.good("empty", Recipe(Content()), "no content at all: no chunk, one format line that says so")
    notes = Content()
    notes.documents.append(("notes", notes.blob("Release 1.0: nothing but words — and an umlaut: ü\n".encode())))
    vectors.good("notes-only", Recipe(notes), "a document and nothing else")
    vectors.good("acknowledgement", acknowledged(), "for one site, with the vendor's acknowledgement of its packages", site=SITE)
    vectors.good("platforms", Recipe(platforms()), "an index with one platform left out, and a tag for its child")
    vectors.good("referrers", Recipe(referrers()), "a signature artifact with subject, the tag-schema index, and a cosign tag")
    large = Content()
    large.tag(large.manifest((bytes(verify.MIB * 5 // 2), noise("a", 600), noise("b", 600), b"")), "large")
    vectors.good("cut", Recipe(large), "a layer of two and a half chunks, two small ones in one chunk, one without a byte")
    docker = Content()
    data = docker.manifest((noise("docker", 256),), media_type=DOCKER + "v2+json",
                           layer_type="application/vnd.docker.image.rootfs.diff.tar.gzip")
    docker.tag(docker.document({"schemaVersion": 2, "manifests": [
        descriptor(data, DOCKER + "v2+json", platform={"os": "linux", "architecture": "amd64"})]}, DOCKER + "list.v2+json"), "d")
    vectors.good("docker-types", Recipe(docker), "Docker schema 2 manifest and list")
    untyped = Content()
    untyped.tag(untyped.manifest((noise("u", 99),), stated=False), "untyped")
    vectors.good("no-media-type", Recipe(untyped), "a manifest that does not state its media type")
    vectors.good("plain-file", Recipe(plain_file()), "a plain file, under the name of its own domain, product and channel",
                 make=False)
    free = Content()
    free.tag(free.manifest((noise("free", 99),), artifactType="application/vnd.example", annotations={"Layers": "1", "digest": "x"}, later={
        "of": [1.5, -0.0, 1e99, None, True, "\U0001f600"]}, subject=None), "free")
    vectors.good("j18-free-members", Recipe(free), "members that nobody names, of any type; annotations of any name; null for a member left out")
    null = Content()
    null.blob(b"{}")
    null.tag(null.document({"schemaVersion": 2, "config": descriptor(b"{}", CONFIG), "layers": None}, MANIFEST), "null")
    vectors.good("j18-layers-null", Recipe(null), "null for the layers of a manifest, which is an empty list")
    vectors.good("j06-missing-subject", missing_subject(), "a signature of what is gone, which the vendor says may be gone")
    vectors.good("j07-nondistributable", nondistributable(), "layers from elsewhere and not to be distributed, which the vendor says are carried")
    vectors.good("k12-three-roots", rotated(), "pinned at root 1, made under root 3, two of three release keys")
    surplus = Recipe()
    surplus.signers, surplus.threshold = ["release", "stranger"], 1
    vectors.good("surplus-signature", surplus, "a second signature by a key that no role names is ignored")
    both = two_rules()
    both.signers, both.threshold = ["release", "release-2"], 2
    vectors.good("two-rules", both, "a role of two rules, both met")
    held = Recipe(root_version=2)
    held.links = [envelope(root(2), ["root", "stranger"])]
    vectors.good("k10-held-link-surplus", held, "a held link with a signature more than the held copy has", pins=[same_release_chain()])
    vectors.good("pin-ahead", Recipe(), "pinned at root 3; made under root 1, whose release key still holds",
                 pins=[same_release_chain()])
    vectors.good("two-pins", Recipe(), "two vendors are pinned", pins=[chain_file(rotated().first), chain_file(Recipe().first)])
    vectors.good("for-one-site", Recipe(audience=[SITE, OTHER_SITE]), "for two sites, judged as one of them, first import", site=SITE)
    newer = Recipe(sequence=8)
    vectors.good("k20-issued-48-hours-ahead", Recipe(issued_at="2026-12-03T00:00:00Z"), "issued 48 hours after the time of judgement",
                 at="2026-12-01T00:00:00Z")
    vectors.good("newer", newer, "newer than what the site has", site=SITE, mark="0:7:" + "ab" * 32)
    again = Recipe()
    again.build()
    needs = simple((noise("carried", 90), noise("held", 90)))
    name = digest(noise("held", 90))
    needs.needs[name] = 90
    vectors.good("needs", Recipe(needs), "a layer that the site must already hold", make=False)
    vectors.good("payload-order", Recipe(simple((noise("x", 70), noise("y", 70)))).on(
        "order", lambda order: (order[0][::-1], order[1][::-1])), "another payload order inside the two parts", make=False)
    vectors.good("approval-ignored", Recipe().on("approvals", lambda _: canonical({"approvals": [
        key("stranger").signature("application/vnd.airlock.site-approval.v1+json", b"{}")]})),
        "an approval by a key that no site role names", make=False)
    vectors.good("already", again, "exactly what the site has", verdict="already", site=SITE, mark=f"0:7:{again.head_digest}")


def plain_file():
    content = Content()
    domain = digest(base64.b64decode(Recipe().first["payload"]))[7:]
    content.blob(b"{}")
    layer = {**descriptor(content.blob(b"how to"), "text/plain"), "annotations": {
        "internal.airlock.file.mode": "0644", "org.opencontainers.image.title": "manual.txt"}}
    manifest = content.document({"schemaVersion": 2, "artifactType": "application/vnd.airlock.file.v1", "layers": [layer],
                                 "config": descriptor(b"{}", "application/vnd.oci.empty.v1+json")}, MANIFEST)
    content.tag(manifest, "latest", f"files.airlock.internal/{domain}/acme-web/stable/manual.txt")
    return content


def platforms():
    content = Content()
    amd = content.manifest((noise("amd", 500),))
    arm = Content().manifest((noise("arm", 500),), config=b'{"architecture":"arm64"}')
    index = content.document({"schemaVersion": 2, "manifests": [
        descriptor(amd, MANIFEST, platform={"os": "linux", "architecture": "amd64"}),
        descriptor(arm, MANIFEST, platform={"os": "linux", "architecture": "arm64", "variant": "v8"})]}, INDEX)
    content.tag(index, "2.0")
    content.tag(amd, "2.0-amd64")
    content.absent[digest(arm)] = "linux/arm64/v8"
    return content


def referrers():
    content = simple()
    image = content.tags[0]
    subject = {"mediaType": MANIFEST, "digest": image["digest"], "size": image["size"]}
    artifact = content.manifest((b"a signature",), config=b"{}", artifactType="application/vnd.example.signature",
                                subject=subject, annotations={"org.example.signer": "nobody"})
    content.tag(artifact, None)
    fallback = content.document({"schemaVersion": 2, "manifests": [descriptor(artifact, MANIFEST)]}, INDEX)
    content.tag(fallback, image["digest"].replace(":", "-"))
    content.tag(artifact, image["digest"].replace(":", "-") + ".sig")
    return content


def missing_subject():
    content = simple()
    gone = {"mediaType": MANIFEST, "digest": digest(b"gone"), "size": 4}
    content.tag(content.manifest((b"a signature",), artifactType="application/vnd.example.signature", subject=gone), "signature")
    return Recipe(content, requires=["missing-subjects-1"])


def nondistributable(**config):
    content = Content()
    content.blob(b"{}")
    layers = [descriptor(content.blob(noise("elsewhere", 90)), LAYER, urls=["https://example.com/x"]),
              descriptor(content.blob(noise("foreign", 90)), "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")]
    content.tag(content.document({"schemaVersion": 2, "config": descriptor(b"{}", CONFIG, **config), "layers": layers}, MANIFEST), "1.0")
    return Recipe(content, requires=["nondistributable-layers-1"])


def rotated():
    recipe = Recipe(root_version=3)
    old, new = [rule(["root-a", "root-b", "root-c"], 2)], [rule(["root-b", "root-c", "root-d"], 2)]
    release = [rule(["release-1", "release-2", "release-3"], 2)]
    recipe.first = envelope(root(1, root=old), ["root-a", "root-b"])
    recipe.links = [envelope(root(2, root=new), ["root-b", "root-c"]),
                    envelope(root(3, root=new, release=release), ["root-c", "root-d"])]
    recipe.signers, recipe.threshold = ["release-1", "release-3"], 2
    return recipe


def two_rules():
    recipe = Recipe()
    recipe.first = envelope(root(1, release=[rule(["release"]), rule(["release-2"])]), ["root"])
    return recipe


def same_release_chain():
    return chain_file(*[envelope(root(version), ["root"]) for version in (1, 2, 3)])


# --- Container: B01 to B09 ----------------------------------------------------------------------------------------

def bad_container(vectors):
    def bad(name, recipe, says, code, step, kind="E-FORMAT", **more):
        vectors.bad(name, recipe, says, kind, code, step, **more)

    whole = Recipe().build()
    offset = payload(whole)
    bad("b01-empty", b"", "no byte at all", "truncated", "X2")
    bad("b01-half-a-header", whole[:300], "300 bytes", "truncated", "X2")
    bad("b01-other-file", b"PK\x03\x04" + noise("zip", 2000), "another kind of file", "header", "X2")
    bad("b01-version-2", Recipe().on("first", lambda text: text.replace(b"bundle 1", b"bundle 2")),
        "version 2 of the format", "unsupported-version", "X2")
    bad("b01-status-package", Recipe().on("first", lambda text: text.replace(b"bundle", b"status")),
        "a status package", "wrong-type", "X2")
    bad("b01-other-words", Recipe().on("first", lambda text: text.replace(b"airlock", b"warlock")),
        "other words in the first line", "not-a-bundle", "X2")
    bad("b01-second-line", Recipe().on("first", lambda text: text.replace(b"1/1", b"one")), "a second line without numbers",
        "format-lines", "X2")
    bad("b02-cut-in-head", whole[:2600], "cut inside the first five entries", "truncated", "X2")
    bad("b02-cut-in-index", whole[:whole.index(b"05-index/") + 700], "cut inside the index", "truncated", "X9a", "E-INCOMPLETE")
    bad("b02-cut-in-chunk", whole[:offset + 600], "cut inside a chunk", "truncated", "X11", "E-INCOMPLETE")
    bad("b02-cut-in-end", whole[:-1], "the last byte is missing", "truncated", "X12", "E-INCOMPLETE")
    bad("b03-header", flip(whole, 156), "typeflag of the first header", "header", "X2")
    bad("b03-padding", flip(whole, 1000), "padding of entry 00", "padding", "X2")
    bad("b03-fill", flip(whole, offset - 5), "a byte in the fill", "fill", "X9a")
    bad("b03-end", flip(whole, len(whole) - 700), "a byte in the end blocks", "end", "X12")
    bad("b03-chunk", flip(whole, offset + 520), "a byte of a chunk", "stored-hash", "X11", "E-INTEGRITY")
    bad("b04-one-byte", whole + b"\0", "one more byte", "trailing-data", "X12")
    bad("b04-block", whole + bytes(512), "one more zero block", "trailing-data", "X12")
    bad("b04-twice", whole + whole, "a second bundle behind the first", "trailing-data", "X12")
    bad("b05-cap", whole[:512 + 512] + verify.tar_header("01-signatures.json", 256 * 1024 + 1) + whole[1536:],
        "entry 01 states more than its cap", "size", "X2", "E-LIMIT")
    for name, field in (("octal", b"0000000014x\0"), ("binary", b"\x80" + bytes(10) + b"\x05"), ("spaces", b"        144\0"),
                        ("negative", b"-0000000144\0")):
        def change(entries, field=field):
            entries[1][0] = patched(entries[1][0], 124, field)
        bad(f"b05-size-{name}", Recipe().on("entries", change), f"the size field of entry 01: {name}", "header", "X2")

    def rename(name, says, number, change, code="header", step="X11"):
        def spoil(entries):
            at = chunk_at(entries)
            entries[at + number][0] = patched(entries[at + number][0], *change)
        bad(name, Recipe().on("entries", spoil), says, code, step)

    rename("b06-traversal", "a name that leaves the folder", 0, (0, b"../../etc/x\0\0\0\0\0\0"))
    rename("b06-absolute", "an absolute name", 0, (0, b"/abs\0\0\0\0\0\0\0\0\0\0\0\0\0"))
    rename("b06-unterminated", "a name of 100 bytes", 0, (0, b"c" * 100))
    rename("b06-prefix", "the prefix field is used", 0, (345, b"chunks"))
    rename("b07-symlink", "a symbolic link", 0, (156, b"2/etc/shadow"))
    rename("b07-hard-link", "a hard link", 0, (156, b"1/etc/shadow"))
    rename("b08-device", "a character device", 0, (156, b"3"))
    rename("b08-pax", "a pax header's typeflag", 0, (156, b"x"))
    rename("b08-gnu-long-name", "a GNU long name's typeflag", 0, (156, b"L"))
    rename("b08-sparse", "a GNU sparse file's typeflag", 0, (156, b"S"))
    rename("b08-size", "another size than the index says", 0, (124, b"00000000001"))
    rename("b08-mode", "another mode", 0, (100, b"0004755"))
    rename("b08-time", "another time", 0, (136, b"00000000001"))

    def checksum(entries):
        at = chunk_at(entries)
        header = bytearray(entries[at][0])
        header[148:156] = b"777777\0 "
        entries[at][0] = bytes(header)
    bad("b08-checksum", Recipe().on("entries", checksum), "a wrong checksum before good content", "header", "X11")

    def two_chunks():
        return Recipe(simple((noise("one", 300),)))

    def order(change, says, name, step="X11", code="header"):
        bad(name, two_chunks().on("entries", change), says, code, step)

    def swap(a, b):
        def change(entries):
            entries[a], entries[b] = entries[b], entries[a]
        return change

    order(lambda entries: entries + [entries[-1]], "a chunk stands twice", "b09-duplicate", "X12", "end")
    order(lambda entries: entries[:-1], "the last chunk is missing", "b09-missing")
    order(lambda entries: entries[:-1] + [[verify.tar_header("extra", 0), b"", b""]] + entries[-1:],
          "an entry between two chunks", "b09-extra")
    order(swap(-1, -2), "two chunks change places", "b09-swapped")
    order(swap(1, 3), "signatures behind the head", "b09-signatures-late", "X2")
    order(swap(3, 4), "approvals before the head", "b09-approvals-early", "X2")
    order(lambda entries: entries[:1] + entries[2:], "no signatures entry", "b09-no-signatures", "X2")
    order(swap(5, 6), "the fill before the index", "b09-fill-early", "X9a")


def payload(bundle):
    """Where the first chunk stands, read from the head by its text."""
    at = bundle.index(b'"payload_offset":') + 17
    return int(bundle[at:bundle.index(b",", at)])


def flip(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]


def patched(header, at, data):
    """A header with other bytes and a good checksum."""
    header = bytearray(header)
    header[at:at + len(data)] = data
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def chunk_at(entries):
    return next(number for number, entry in enumerate(entries) if entry[0].startswith(b"chunks/"))


# --- Trust and signatures: K ---------------------------------------------------------------------------------------

def bad_trust(vectors):
    def signatures(name, change, says, code="below-threshold", recipe=None, kind="E-SIGNATURE", step="X4", **more):
        vectors.bad(name, (recipe or Recipe()).on("signatures", change), says, kind, code, step, **more)

    signatures("k01-none", lambda _: [], "no signature")
    foreign = Recipe()
    foreign.signers = ["stranger"]
    vectors.bad("k01-stranger", foreign, "signed by a key nobody trusts", "E-SIGNATURE", "below-threshold", "X4")
    twice = rotated()
    signatures("k02-same-twice", lambda made: [made[0], made[0]], "threshold two, the same signature twice", recipe=twice)
    vectors.bad("k02-one-rule-of-two", two_rules(), "a role of two rules, one met", "E-SIGNATURE", "below-threshold", "X4")
    signatures("base64-spare-bits", lambda made: canonical({"signatures": made}).replace(
        made[0]["sig"].encode(), spare_bits(made[0]["sig"])), "base64 with spare bits set", "grammar")
    vectors.bad("k01-and-b04", Recipe().on("signatures", lambda _: []).on("archive", lambda data: data + b"x"),
                "no signature, and bytes behind the end: the first refusal counts", "E-SIGNATURE", "below-threshold", "X4")
    vectors.bad("k04-status-key-type", wrong_type("status-head"), "signed for a status head", "E-SIGNATURE", "bad-signature", "X4")
    vectors.bad("j04-receipt", wrong_type("import-receipt"), "signed for a receipt", "E-SIGNATURE", "bad-signature", "X4")
    for role in ("root", "ack", "licence", "withdrawal"):
        recipe = Recipe()
        recipe.signers = [role]
        vectors.bad(f"k04-{role}-key", recipe, f"signed by the {role} key", "E-SIGNATURE", "below-threshold", "X4")
    other = key("stranger")
    signatures("k05-other-keys-signature",
               lambda made: [{**other_signature(made, other), "keyid": made[0]["keyid"]}],
               "the release key's id with another key's signature", "bad-signature")
    signatures("k05-keyid-upper-case", lambda made: [{**made[0], "keyid": made[0]["keyid"].upper()}],
               "a key id in upper case", "grammar")
    signatures("k06-s-plus-l", lambda made: [altered(made[0], plus_l)], "S + L instead of S", "bad-signature")
    signatures("k06-r-small-order", lambda made: [altered(made[0], lambda sig: bytes([1]) + bytes(31) + sig[32:])],
               "R is the identity", "bad-signature")
    signatures("k06-zero-signature", lambda made: [altered(made[0], lambda sig: bytes([1]) + bytes(63))],
               "R is the identity and S is 0", "bad-signature")
    signatures("k06-short", lambda made: [altered(made[0], lambda sig: sig[:63])], "a signature of 63 bytes", "bad-signature")
    signatures("k06-long", lambda made: [altered(made[0], lambda sig: sig + b"\0")], "a signature of 65 bytes", "bad-signature")
    signatures("k07-33", lambda made: [{"keyid": f"{n:064x}", "sig": "AAAA"} for n in range(33)],
               "33 signatures", "signatures", kind="E-LIMIT", step="X2")
    signatures("k07-5000", lambda made: [{"keyid": f"{n:064x}", "sig": made[0]["sig"]} for n in range(5000)],
               "5,000 signatures", "size", kind="E-LIMIT", step="X2")
    signatures("k07-long-keyid", lambda made: [{**made[0], "keyid": "a" * 65536}], "a key id of 64 KiB", "string-length",
               kind="E-LIMIT", step="X2")
    signatures("b03-signatures-space", lambda made: canonical({"signatures": made}).replace(b",", b", "),
               "entry 01 is not canonical", "non-canonical")

    def trust(name, recipe, says, code, step="X3", kind="E-TRUST", **more):
        vectors.bad(name, recipe, says, kind, code, step, **more)

    trust("b03-trust", Recipe().on("trust", lambda data: flip(data, 2)), "entry 02 does not parse", "grammar")
    trust("k17-unknown-domain", Recipe(), "the trust domain is not the pinned one", "unknown-domain",
          pins=[chain_file(envelope(root(1, root=[rule(["other-root"])]), ["other-root"]))])

    def chain(name, says, code, second, signers, kind="E-TRUST", **head):
        recipe = Recipe(**{"root_version": 2, **head})
        recipe.links = [envelope(second, signers)]
        trust(name, recipe, says, code, kind=kind)

    new = [rule(["root-new"])]
    chain("k02-two-ids-one-key", "one key under two ids", "key-id", alias(root(2)), ["root"])
    chain("k02-twice-in-role", "a key twice in a role", "role-keys", with_rule(root(2), keys=[key("release").id] * 2), ["root"])
    chain("k20-root-expires-first", "a root that expires before it was issued", "times", root(2, expires="2025-12-31T23:59:59Z"), ["root"])
    chain("k20-root-expires-at-once", "a root that expires when it was issued", "times", root(2, expires="2026-01-01T00:00:00Z"), ["root"])
    chain("k03-threshold-zero", "a threshold of 0", "threshold", with_rule(root(2), threshold=0), ["root"])
    chain("k03-threshold-high", "a threshold above the number of keys", "threshold", with_rule(root(2), threshold=2), ["root"])
    chain("k03-threshold-negative", "a negative threshold", "grammar", with_rule(root(2), threshold=-1), ["root"])
    chain("k03-role-missing", "no release role", "grammar", without_role(root(2)), ["root"])
    chain("k03-no-rule", "a role without rules", "role", {**root(2), "roles": {**root(2)["roles"], "ack": []}}, ["root"])
    chain("k03-no-keys", "a role with no keys", "threshold", with_rule(root(2), keys=[], threshold=0), ["root"])
    chain("k04-shared-key", "a key in two roles", "shared-key", shared(), ["root"])
    chain("k05-keyid", "a key id that does not follow from its bytes", "key-id", other_id(root(2)), ["root"])
    chain("k06-weak-key", "the identity point as release key", "weak-key", weak(root(2), bytes([1]) + bytes(31)), ["root"])
    chain("k06-not-a-point", "32 bytes that are no point", "weak-key", weak(root(2), bytes([2]) + bytes(31)), ["root"])
    chain("k06-31-bytes", "a key of 31 bytes", "grammar", weak(root(2), bytes([9] * 31)), ["root"])
    chain("k08-version-3", "root 3 stands where root 2 belongs", "version", root(3), ["root"])
    chain("k08-version-1", "root 1 stands where root 2 belongs", "version", root(1, expires="2031-01-01T00:00:00Z"), ["root"])
    chain("k09-only-new", "a link signed by new keys only", "below-threshold", root(2, root=new), ["root-new"])
    chain("k09-only-old", "a link signed by old keys only", "below-threshold", root(2, root=new), ["root"])
    chain("root-newer-reader", "a root that a newer airlock reads", "needs-newer-reader",
          {**root(2), "reader": "9.0.0", "scheme_of_tomorrow": True}, ["root"])
    shuffled = rotated()
    shuffled.links.reverse()
    trust("k08-shuffled", shuffled, "links out of order", "below-threshold")
    broken = rotated()
    broken.links[1] = envelope(json.loads(base64.b64decode(broken.links[1]["payload"])), ["root-d"])
    trust("k10-broken-link", broken, "root 2 is good, root 3 signed below its threshold", "below-threshold")
    unsigned_head = rotated().on("signatures", lambda _: [])
    trust("k10-links-then-unsigned", unsigned_head, "good new links, no signature over the head", "below-threshold", "X4", "E-SIGNATURE")
    stripped = rotated()
    stripped.links = []
    stripped.signers, stripped.threshold = ["release"], 1
    trust("k10-links-stripped", stripped, "the newest links are missing", "missing-link", "X5")
    held = Recipe()
    held.links = [envelope(root(2, expires="2031-01-01T00:00:00Z"), ["root"])]
    trust("k08-other-content", held, "root 2 with other content than the pinned one", "other-root", pins=[same_release_chain()])
    revoked = Recipe()
    revoked.signers = ["release"]
    pin = chain_file(envelope(root(1), ["root"]), envelope(root(2, release=[rule(["release-new"])]), ["root"]))
    trust("k11-revoked", revoked, "signed by a key that the pinned root 2 no longer names", "below-threshold", "X4", "E-SIGNATURE",
          pins=[pin])
    trust("domain-in-head", Recipe().on("head", lambda head: {**head, "domain": "ab" * 32}),
          "the head names another domain than entry 02", "domain", "X5")
    unsigned = Recipe()
    vectors.bad("k02-pin-unsigned", unsigned, "the pinned root 1 is not signed by itself", "E-TRUST", "below-threshold", None,
                pins=[chain_file(envelope(root(1), ["stranger"]))])
    bad_type = Recipe(root_version=2)
    bad_type.links = [envelope(root(2), ["root"], verify.BUNDLE_HEAD)]
    trust("k04-link-type", bad_type, "a root link with another payload type", "wrong-type")


def other_signature(made, other):
    return {"keyid": other.id, "sig": base64.b64encode(bytes(64)).decode()}


def altered(signature, change):
    return {**signature, "sig": base64.b64encode(change(base64.b64decode(signature["sig"]))).decode()}


def plus_l(sig):
    return sig[:32] + (int.from_bytes(sig[32:], "little") + verify.L).to_bytes(32, "little")


def spare_bits(text):
    """The same bytes, with the unused bits of the last character set."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    at = len(text.rstrip("=")) - 1
    return (text[:at] + alphabet[alphabet.index(text[at]) | 1] + text[at + 1:]).encode()


def wrong_type(name):
    def sign(made):
        payload = captured["head"]
        return [key("release").signature(f"application/vnd.airlock.{name}.v1+json", payload)]
    captured = {}
    return Recipe().on("head_bytes", lambda data: captured.update(head=data)).on("signatures", sign)


def with_rule(document, **change):
    roles = document["roles"]
    return {**document, "roles": {**roles, "release": [{**roles["release"][0], **change}]}}


def without_role(document):
    return {**document, "roles": {name: value for name, value in document["roles"].items() if name != "release"}}


def alias(document):
    keys = document["keys"] + [{**document["keys"][0], "id": "ff" * 32}]
    changed = {**document, "keys": sorted(keys, key=lambda entry: entry["id"])}
    return with_rule(changed, keys=sorted([*document["roles"]["release"][0]["keys"], "ff" * 32]))


def shared():
    return root(2, ack=[rule(["release"])])


def other_id(document):
    new = "ee" * 32
    old = document["roles"]["release"][0]["keys"][0]
    keys = [{**entry, "id": new} if entry["id"] == old else entry for entry in document["keys"]]
    return with_rule({**document, "keys": sorted(keys, key=lambda entry: entry["id"])}, keys=[new])


def weak(document, public):
    old = document["roles"]["release"][0]["keys"][0]
    new = verify.key_id(public)
    keys = [{**entry, "id": new, "public": public.hex()} if entry["id"] == old else entry for entry in document["keys"]]
    return with_rule({**document, "keys": sorted(keys, key=lambda entry: entry["id"])}, keys=[new])


# --- Head: J01 to J03 ----------------------------------------------------------------------------------------------

def bad_head(vectors):
    def head(name, change, says, code="grammar", step="X5", kind="E-FORMAT", stage="head", **more):
        vectors.bad(name, Recipe().on(stage, change), says, kind, code, step, **more)

    def raw(name, change, says, code="non-canonical"):
        head(name, change, says, code, stage="head_bytes")

    def member(name, value):
        return lambda document: {**document, name: value}

    raw("j01-duplicate-key", lambda data: data.replace(b'"sequence":7', b'"sequence":7,"sequence":7'), "a member twice", "grammar")
    raw("j01-escape", lambda data: data.replace(b'"stable"', b'"st\\u0061ble"'), "an escape that need not be")
    raw("j01-space", lambda data: data.replace(b'"epoch":0', b'"epoch": 0'), "a space")
    raw("j01-newline", lambda data: data + b"\n", "a trailing newline")
    raw("j01-bom", lambda data: b"\xef\xbb\xbf" + data, "a byte-order mark", "grammar")
    raw("j01-two-documents", lambda data: data + b"{}", "two documents", "grammar")
    raw("j01-order", lambda data: b'{"version":"1.0",' + data[1:].replace(b',"version":"1.0"', b"", 1), "keys out of order")
    raw("j01-array", lambda data: canonical({**json.loads(data), "builder": ["airlock", "0.1.0"]}), "an array instead of an object")
    head("j02-requires", lambda document: {**document, "requires": ["gzip-recipe"], "reader": "0.9.0", "novelty": 1},
         "a feature of a newer reader", "needs-newer-reader")
    head("j02-requires-one-known", lambda document: {**document, "requires": ["missing-subjects-1", "zstd-chunked"]},
         "a feature that is known and one that is not", "needs-newer-reader")
    head("j02-requires-order", lambda document: {**document, "requires": ["nondistributable-layers-1", "missing-subjects-1"]},
         "features out of order", "requires")
    head("j02-requires-twice", lambda document: {**document, "requires": ["missing-subjects-1", "missing-subjects-1"]},
         "a feature twice", "requires")
    head("j02-unknown", member("novelty", 1), "an unknown member")
    head("j02-missing", lambda document: {k: v for k, v in document.items() if k != "epoch"}, "a member is missing")
    for name, text in (("2-53", b"9007199254740992"), ("negative", b"-1"), ("float", b"7.0"), ("exponent", b"7e0"),
                       ("string", b'"7"'), ("null", b"null")):
        raw(f"j02-sequence-{name}", lambda data, text=text: data.replace(b'"sequence":7', b'"sequence":' + text),
            f"the sequence is {text.decode()}", "grammar")
    head("j02-deep", member("novelty", json.loads("[" * 12 + "]" * 12)), "nested 13 deep", "depth", kind="E-LIMIT")
    head("j02-long-string", member("version", "x" * 4097), "a string of 4,097 bytes", "string-length", kind="E-LIMIT")
    head("j02-leap-second", member("issued_at", "2026-01-01T00:00:60Z"), "a leap second")
    head("j02-year-10000", member("expires", "10000-01-01T00:00:00Z"), "the year 10000")
    head("j02-time-offset", member("issued_at", "2026-01-01T00:00:00+00:00"), "another form of a time")
    head("j02-control-character", member("version", "a\u007fb"), "a control character", "non-canonical")
    head("j02-times", member("issued_at", "2028-01-01T00:00:00Z"), "issued after it expires", "times")
    head("j02-chunk-bytes", member("chunk_bytes", 3 << 20), "chunk_bytes is no power of two", "chunk-bytes")
    head("j02-payload-offset", lambda document: {**document, "payload_offset": document["payload_offset"] + 512},
         "payload_offset is no multiple of 4,096", "payload-offset")
    head("j02-payload-offset-small", member("payload_offset", 4096), "the payload begins before the index ends", "payload-offset",
         step="X9a")
    head("j02-volumes", member("volumes", [1, 1]), "two volumes", "volumes")
    head("j02-root-version-0", member("root_version", 0), "root_version is 0", "payload-offset")
    head("j02-document-type", member("documents", [{"digest": digest(b""), "size": 0, "type": "licence"}]), "an unknown document type")
    head("j02-home-host", member("home_hosts", ["web"]), "a home host that is no host", "home-hosts")
    head("b05-home-hosts", member("home_hosts", [f"r{n:02}.example.com" for n in range(65)]), "65 home hosts", "home-hosts", kind="E-LIMIT")
    head("b05-chunks", lambda document: totals(document, chunks=10**7), "ten million chunks", "totals", kind="E-LIMIT")
    head("b10-ten-terabytes", lambda document: totals(document, content_bytes=2**53 - 1), "2^53-1 bytes of content", "totals",
         kind="E-LIMIT")
    head("b01-format-lines", lambda text: text.replace(b"1-", b"2-"), "line 2 does not say what the head says", "format-lines",
         stage="first")
    for name, value in (("missing", None), ("star", "*"), ("upper-case", [SITE.upper()]), ("prefix", [SITE[:16]]),
                        ("look-alike", ["О" + SITE[1:]]), ("twice", [SITE, SITE])):
        head(f"j03-audience-{name}",
             (lambda document: {k: v for k, v in document.items() if k != "audience"}) if value is None else member("audience", value),
             f"audience: {name}", "audience" if name == "twice" else "grammar")
    head("product-not-in-root", member("product", "other"), "a product that the root does not name", "product", "X6", "E-AUDIENCE")
    vectors.bad("b03-approvals", Recipe().on("approvals", lambda data: flip(data, 3)), "entry 04 does not parse", "E-POLICY", "grammar",
                "X9")
    vectors.bad("approvals-33", Recipe().on("approvals", lambda data: canonical({"approvals": [
        {"keyid": f"{n:064x}", "sig": ""} for n in range(33)]})), "33 approvals", "E-LIMIT", "signatures", "X2")


# --- Volumes ---------------------------------------------------------------------------------------------------------

def in_two(**head):
    """Two volumes: the early chunk and a layer, then a layer in two chunks."""
    content = Content()
    content.tag(content.manifest((noise("first", 500), bytes(verify.MIB * 3 // 2))), "two")
    return Recipe(content, **head).in_volumes(2, 2)


def volumes(vectors):
    one, two = in_two().volumes()
    recipe = in_two()
    vectors.add("sets/in-order", recipe, "two volumes, the first one first", {"verdict": "good"}, others=[two])
    vectors.add("sets/from-the-end", two, "two volumes, the second one first", {"verdict": "good"}, others=[one], pins=[chain_file(recipe.first)])
    other = in_two(sequence=8).volumes()[1]

    def bad(name, recipe, says, code="volumes", kind="E-FORMAT", step="X5", **more):
        if isinstance(recipe, Recipe):
            recipe.twin = "one-image"
        vectors.bad(name, recipe, says, kind, code, step, **more)

    bad("volumes-missing", in_two(), "the first of two volumes", kind="E-INCOMPLETE", step="X11")
    bad("volumes-alone", two, "the second of two volumes", kind="E-INCOMPLETE", step="X11")
    bad("volumes-unsaid", in_two().on("head", lambda head: {**head, "requires": []}), "two volumes, and readers need not know")
    bad("volumes-idle", Recipe(requires=["volumes-1"], reader="0.2.0"), "one volume, and readers must know several")
    bad("volumes-empty", in_two().on("head", lambda head: {**head, "volumes": [4, 0]}), "a volume of several without a chunk")
    bad("volumes-257", in_two().on("head", lambda head: {**head, "volumes": [1] * 257}), "257 volumes", kind="E-LIMIT")
    bad("volumes-lines", in_two().on("first", lambda text: text.replace(b"1/2", b"2/2")), "entry 00 says another volume", code="format-lines")
    damaged = bytearray(one)
    damaged[-1024 - 512 + 10] ^= 1
    bad("volumes-damaged", bytes(damaged), "a volume whose chunk is damaged", code="stored-hash", kind="E-INTEGRITY", step="X11")
    vectors.add("sets/other-set", one, "volumes of two bundles", {"verdict": "refused", "class": "E-FORMAT", "code": "volumes", "step": "X2"}, others=[other])
    vectors.add("sets/twice", one, "two files of one volume that differ", {"verdict": "refused", "class": "E-FORMAT", "code": "volumes", "step": "X5"},
                others=[bytes(damaged), two])


# --- Repair files ------------------------------------------------------------------------------------------------------

def in_four():
    """Four chunks: the early one, a layer in two chunks and a half."""
    content = Content()
    content.tag(content.manifest((bytes(verify.MIB * 5 // 2),)), "four")
    return Recipe(content)


def repairs(vectors):
    pins = [chain_file(in_four().first)]

    def add(name, said, *numbers, recipe=in_four, **expect):
        good = {"verdict": "good"}
        vectors.add(f"sets/repair-{name}", recipe().repair(said, *numbers), f"a repair file that says {said}",
                    {"verdict": "refused", **expect} if expect else good, pins=pins)

    add("one", "3-3", 3)
    add("ranges", "1-2,4-4", 1, 2, 4)
    add("none", "0-0")
    of_volumes = in_two().repair("2-2", 2)
    vectors.add("sets/repair-of-volumes", of_volumes, "a repair file of a bundle in volumes", {"verdict": "good"}, pins=[chain_file(in_two().first)])

    def bad(name, data, says, code, kind="E-FORMAT", step="X5", **more):
        vectors.bad(f"repair-{name}", data, says, kind, code, step, pins=pins, **more)

    for name, said in (("beyond", "3-5"), ("order", "3-3,1-1"), ("touching", "2-2,3-3"), ("overlap", "1-3,3-4"), ("turned", "3-2"),
                       ("zero", "0-1"), ("leading", "03-3"), ("empty", "0-0,1-1"), ("comma", "3-3,"), ("words", "3")):
        bad(name, in_four().repair(said, 3), f"entry 00 of a repair file says {said}", "format-lines")
    bad("letters", in_four().repair("3-x", 3), "entry 00 of a repair file says 3-x", "format-lines", step="X2")
    bad("other-chunk", in_four().repair("3-3", 2), "a repair file with another chunk than it says", "header", step="X11")
    bad("missing-chunk", in_four().repair("2-3", 2), "a repair file without a chunk that it says", "header", step="X11")
    bad("more-chunks", in_four().repair("3-3", 3, 4), "a repair file with a chunk that it does not say", "end", step="X12")
    damaged = bytearray(in_four().repair("3-3", 3))
    damaged[-1024 - 512] ^= 1
    bad("damaged", bytes(damaged), "a repair file whose chunk is damaged", "stored-hash", kind="E-INTEGRITY", step="X11")
    bad("not-here", in_four().repair("3-3", 3), "a repair file where its release is not", "release", kind="E-DEPENDENCY", step="X7", site=SITE)


# --- Acknowledgement ----------------------------------------------------------------------------------------------

def acknowledged(*more, **head):
    """A bundle for one site with one acknowledgement in it, and what else is given."""
    payload_type = "application/vnd.airlock.status-acknowledgement.v1+json"
    made = {"alarms": [], "audit": {"hash": "7a" * 32, "number": 3}, "domain": digest(base64.b64decode(envelope(root(), ["root"])["payload"]))[7:],
            "instance": "11112222333344445555666677778888", "issued_at": "2026-11-22T08:00:00Z", "number": 1,
            "packages": [{"head": "46" * 32, "number": 1}], "reader": "0.2.0", "receipts": 2, "records": 240, "requires": [], "site": SITE}
    content = simple()
    data = [canonical(envelope(made, ["ack"], payload_type)), *more]
    content.documents += sorted((("acknowledgement", content.blob(one)) for one in data), key=lambda pair: digest(pair[1]))
    recipe = Recipe(content, **{"audience": [SITE], **head})
    recipe.twin = "acknowledgement"
    return recipe


def bad_acknowledgement(vectors):
    def bad(name, recipe, says, code="acknowledgement", kind="E-FORMAT"):
        vectors.bad(name, recipe, says, kind, code, "X5", site=SITE)

    bad("acknowledgement-any", acknowledged(audience="any"), "an acknowledgement in a bundle for everybody")
    bad("acknowledgement-two-sites", acknowledged(audience=[SITE, OTHER_SITE]), "an acknowledgement in a bundle for two sites")
    bad("acknowledgement-nobody", acknowledged(audience=[]), "an acknowledgement in a bundle for nobody")
    bad("acknowledgement-twice", acknowledged(b"{}"), "two acknowledgements")
    bad("acknowledgement-large", acknowledged().on("head", lambda document: {**document, "documents": [
        {**document["documents"][0], "size": 65_537}]}), "an acknowledgement above 64 KiB", "document-size", "E-LIMIT")


def totals(document, **change):
    changed = {**document, "totals": {**document["totals"], **change}}
    return {**changed, "volumes": [changed["totals"]["chunks"]]}


# --- Index ---------------------------------------------------------------------------------------------------------

def bad_index(vectors):
    def index(name, change, says, code="grammar", kind="E-FORMAT", stage="lines", content=None, step="X9a"):
        vectors.bad(name, Recipe(content).on(stage, change), says, kind, code, step)

    def line(of, **change):
        def spoil(lines):
            at = next(number for number, entry in enumerate(lines) if entry["kind"] == of)
            lines[at] = {**lines[at], **change}
        return spoil

    whole = Recipe().build()
    vectors.bad("b03-index", flip(whole, whole.index(b'{"digest"', whole.index(b"05-index/")) + 3), "a byte of an index page",
                "E-INTEGRITY", "page-hash", "X9a")
    index("j08-md5", line("blob", digest="md5:d41d8cd98f00b204e9800998ecf8427e"), "a digest by md5")
    index("j08-traversal", line("blob", digest="sha256:../../x"), "a digest with a path")
    index("j08-upper-case", line("blob", digest="sha256:" + "AB" * 32), "a digest in upper case")
    index("j08-63", line("blob", digest="sha256:" + "a" * 63), "a digest of 63 digits")
    index("j08-empty", line("blob", digest="sha256:"), "a digest without digits")
    index("j08-size-2-53", line("blob", size=2**53), "a size of 2^53")
    index("index-kind", line("blob", kind="blub"), "a line of no known kind")
    index("index-null", line("tag", tag=None), "a tag that is null", "non-canonical")
    index("index-unknown-member", line("chunk", extra=1), "an unknown member in a chunk line")
    index("index-codec", line("chunk", codec="xz"), "an unknown codec")
    index("index-media-type", line("blob", media_type="text/plain"), "a media type that is no manifest's", "media-type")
    index("index-order", lambda lines: lines[1:] + lines[:1], "the tag line comes last", "index-order")
    index("index-twice", lambda lines: lines[:1] + lines, "a tag line twice", "index-order")
    index("index-no-newline", lambda pages: [pages[0][:-1]], "no line feed at the end", "index", stage="pages")
    index("index-empty-line", lambda pages: [pages[0] + b"\n"], "an empty line", stage="pages")
    index("index-pages", lambda pages: [pages[0].split(b"\n", 1)[0] + b"\n", pages[0].split(b"\n", 1)[1]],
          "a page that ends too early", "index", stage="pages")
    index("index-more-blobs", lambda lines: lines[:-2] + [lines[-3]] + lines[-2:], "more lines than the head states", "totals")
    index("index-fewer", lambda lines: lines[:-1], "a chunk line is missing", "totals")
    index("index-total-bytes", lambda document: totals(document, content_bytes=document["totals"]["content_bytes"] + 1),
          "a total that is not the sum", "totals", stage="head")
    vectors.bad("index-cut", Recipe(simple((PLAIN,))).on("lines", lambda lines: lines + [{**lines[-1], "codec": "zstd", "size": 5}]).on(
        "head", lambda document: totals(document, chunks=3)).on("first", lambda text: text.replace(b"1-2", b"1-3")),
        "more chunks than the blobs make", "E-FORMAT", "cut", "X9a")
    index("index-chunk-size", lambda lines: [{**entry, "size": entry["size"] - 1} if entry["kind"] == "chunk" else entry
                                             for entry in lines], "stored sizes that do not fit the plain ones", "chunk-size")
    vectors.bad("index-chunk-limit", Recipe().on("lines", line("chunk", size=(16 << 20) + 1)).on(
        "head", lambda document: totals(document, stored_bytes=1)), "a chunk above 16 MiB", "E-LIMIT", "chunk-size", "X9a")
    index("j06-repeated-digest", repeat_digest, "a digest in two lines", "repeated-digest", "E-CONTENT", step="X13")


def repeat_digest(lines):
    at = [number for number, entry in enumerate(lines) if entry["kind"] == "blob"]
    lines.insert(at[0], {"kind": "absent", "digest": lines[at[0]]["digest"], "platform": "linux/amd64"})


# --- Chunks: B10 to B13 --------------------------------------------------------------------------------------------

PLAIN = b"all work and no play " * 100


def bad_chunks(vectors):
    def frame(name, change, says, kind="E-FORMAT", code="non-canonical-frame"):
        def spoil(number, plain, made):
            return ("zstd", change(made[1], plain)) if number == 1 else made
        vectors.bad(name, Recipe(simple((PLAIN,))).on("chunk", spoil), says, kind, code, "X11")

    skippable = b"\x50\x2a\x4d\x18\x04\0\0\0\1\2\3\4"
    size = len(PLAIN)
    frame("b12-two-frames", lambda data, plain: data + data, "two frames")
    frame("b12-skippable-after", lambda data, plain: data + skippable, "a skippable frame behind")
    frame("b12-skippable-before", lambda data, plain: skippable + data, "a skippable frame in front")
    frame("b12-trailing", lambda data, plain: data + b"x", "a byte behind the frame")
    frame("b12-dictionary", lambda data, plain: data[:4] + bytes([data[4] | 1]) + b"\7" + data[5:], "a dictionary id")
    frame("b12-reserved-bit", lambda data, plain: data[:4] + bytes([data[4] | 8]) + data[5:], "the reserved bit")
    frame("b12-checksum-bit", lambda data, plain: data[:4] + bytes([data[4] | 4]) + data[5:] + b"abcd", "a checksum")
    frame("b12-legacy-magic", lambda data, plain: b"\x27" + data[1:], "the magic number of an older format")
    frame("b12-empty-frame", lambda data, plain: b"\x28\xb5\x2f\xfd\x20\0\1\0\0", "a frame without content")
    frame("b12-no-content-size", lambda data, plain: b"\x28\xb5\x2f\xfd\0\x58" + rle(plain), "no content size")
    frame("b12-other-content-size", lambda data, plain: single(size + 1) + rle(plain), "another content size")
    frame("b11-window-31", lambda data, plain: b"\x28\xb5\x2f\xfd\x80\xa8" + size.to_bytes(4, "little") + rle(plain),
          "a window of 2 GiB", "E-LIMIT", "window")
    frame("b11-window-ff", lambda data, plain: b"\x28\xb5\x2f\xfd\x80\xff" + size.to_bytes(4, "little") + rle(plain),
          "the largest window that can be written", "E-LIMIT", "window")
    frame("b11-single-segment", lambda data, plain: b"\x28\xb5\x2f\xfd\xe0" + (1 << 40).to_bytes(8, "little") + rle(plain),
          "a single segment of a terabyte", "E-LIMIT", "window")
    frame("b10-lying", lambda data, plain: single(size) + block(1, 128 << 10, last=False, byte=b"a") * 300 + block(1, 9, byte=b"a"),
          "a frame that holds more than it says", "E-INTEGRITY", "frame")
    frame("b10-short", lambda data, plain: single(size) + block(1, size - 1, byte=b"a"), "a frame that holds less than it says",
          "E-INTEGRITY", "frame")
    frame("b12-reserved-block", lambda data, plain: single(size) + block(3, 9), "a block of the reserved type", "E-INTEGRITY", "frame")
    frame("b12-cut-frame", lambda data, plain: data[:-1], "a frame that ends too early", "E-INTEGRITY", "frame")
    frame("b13-other-content", lambda data, plain: single(size) + block(1, size, byte=b"z"),
          "a good frame with other content, under a good hash", "E-INTEGRITY", "content-digest")

    def other(number, plain, made):
        return ("none", bytes(len(plain))) if number == 0 else made
    vectors.bad("b13-early", Recipe().on("chunk", other), "an early blob has other content", "E-INTEGRITY", "content-digest", "X11")
    vectors.bad("b13-order", Recipe(simple((noise("x", 300), noise("y", 300)))).on(
        "chunk", lambda number, plain, made: ("none", plain[300:] + plain[:300]) if number == 1 else made),
        "two blobs of a chunk have changed places", "E-INTEGRITY", "content-digest", "X11")
    vectors.bad("zero-length-digest", zero_digest(), "a blob without bytes under another digest", "E-INTEGRITY", "content-digest", "X11")


def single(size):
    """Frame header: single segment, content size in four bytes."""
    return b"\x28\xb5\x2f\xfd\xa0" + size.to_bytes(4, "little")


def block(kind, size, last=True, byte=b""):
    return (size << 3 | kind << 1 | last).to_bytes(3, "little") + byte


def rle(plain):
    return block(1, len(plain), byte=b"a")


def zero_digest():
    recipe = Recipe(simple((b"",)))
    wrong = digest(b"not empty")
    data = json.loads(json.dumps(Content().manifest((b"",)).decode()))
    content = Content()
    manifest = json.loads(data)
    manifest["layers"][0]["digest"] = wrong
    content.blob(b"{}")
    content.blobs[wrong] = b""
    content.tag(content.document(manifest, MANIFEST), "1.0")
    recipe.content = content
    return recipe


# --- Content: J05 to J09 -------------------------------------------------------------------------------------------

def bad_content(vectors):
    def bad(name, content, says, code, kind="E-CONTENT", hooks=()):
        recipe = Recipe(content)
        for stage, change in hooks:
            recipe.on(stage, change)
        vectors.bad(name, recipe, says, kind, code, "X13")

    def tagged(document, media_type=MANIFEST, **more):
        content = Content()
        content.blob(b"{}")
        content.blob(b"layer")
        content.tag(content.document(document, media_type, **more), "1.0")
        return content

    good = {"schemaVersion": 2, "config": descriptor(b"{}", CONFIG), "layers": [descriptor(b"layer", LAYER)]}
    bad("j05-both", tagged({**good, "manifests": []}), "both layers and manifests", "ambiguous")
    bad("j05-media-type", tagged({**good, "mediaType": DOCKER + "v2+json"}), "a manifest that says it is something else", "ambiguous")
    bad("j05-index-as-manifest", tagged({"schemaVersion": 2, "manifests": []}, stated=False), "an index presented as a manifest",
        "ambiguous", hooks=[("order", drop_unused)])
    bad("j05-schema-1", tagged({"schemaVersion": 1, "fsLayers": []}, stated=False), "schema 1", "ambiguous",
        hooks=[("order", drop_unused)])
    bad("j05-not-json", tagged(b"not json"), "a manifest that is no JSON", "manifest", hooks=[("order", drop_unused)])
    bad("j05-case", tagged({**good, "Layers": []}), "a member that differs by case only", "ambiguous")
    bad("j05-duplicate-member", tagged(canonical(good)[:-1] + b',"layers":[]}'), "a member twice", "manifest")

    bad("j06-unlisted", unlisted(), "a layer that is neither carried nor listed", "unlisted")
    extra = simple()
    extra.blob(b"nobody refers to this")
    bad("j06-unreachable", extra, "a blob that nothing refers to", "unreachable",
        hooks=[("order", lambda order: (order[0], order[1] + [digest(b"nobody refers to this")]))])
    absent_layer = unlisted()
    absent_layer.absent[digest(b"elsewhere")] = "linux/amd64"
    bad("j06-absent-layer", absent_layer, "absent is used for a layer", "not-carried")
    unused = simple()
    unused.absent[digest(b"elsewhere")] = "linux/amd64"
    bad("j06-absent-unused", unused, "an absent line that no index refers to", "unreachable")
    needless = simple()
    needless.needs[digest(b"elsewhere")] = 9
    bad("j06-need-unused", needless, "a need line that nothing refers to", "unreachable")
    config = tagged({**good, "config": descriptor(b"elsewhere", CONFIG)})
    config.needs[digest(b"elsewhere")] = 9
    bad("j06-need-config", config, "need is used for a config", "not-carried")
    platform = platforms()
    platform.absent = {name: "linux/amd64" for name in platform.absent}
    bad("j06-absent-platform", platform, "absent for another platform", "absent-platform")
    bad("j06-two-sizes", tagged({**good, "layers": good["layers"] + [{**good["layers"][0], "size": 6}]}), "one digest, two sizes", "size")
    bad("j06-nesting", nested(5), "documents nested five deep", "nesting", "E-LIMIT")
    bad("j06-manifest-size", tagged(canonical(good) + b" " * (4 << 20)), "a manifest above 4 MiB", "manifest-size", "E-LIMIT")
    many = {**good, "layers": good["layers"] * 10_001}
    bad("j06-descriptors", tagged(many), "10,001 layers", "descriptors", "E-LIMIT")
    bad("j06-early", simple(), "a layer among the early blobs", "early",
        hooks=[("order", lambda order: (order[0] + order[1], []))])
    bad("j07-urls", tagged({**good, "layers": [{**good["layers"][0], "urls": ["https://example.com/x"]}]}), "urls", "urls")
    bad("j07-foreign", tagged({**good, "layers": [
        {**good["layers"][0], "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"}]}),
        "a foreign layer", "nondistributable")
    bad("j07-nondistributable", tagged({**good, "layers": [
        {**good["layers"][0], "mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"}]}),
        "a non-distributable layer", "nondistributable")
    bad("j07-data", tagged({**good, "config": {**good["config"], "data": "e31="}}), "embedded data that is other content", "data")
    for name, text in (("md5", "md5:d41d8cd98f00b204e9800998ecf8427e"), ("upper", "sha256:" + "AB" * 32), ("short", "sha256:abcd")):
        bad(f"j08-descriptor-{name}", tagged({**good, "layers": [{**good["layers"][0], "digest": text}]}), f"a descriptor's digest: {name}",
            "digest")
    bad_types(bad, tagged, good)
    bad("j08-negative", tagged({**good, "layers": [{**good["layers"][0], "size": -5}]}), "a negative size", "manifest")

    def named(name, tag, repository, says, code="name"):
        content = Content()
        content.tag(content.manifest(), tag, repository)
        bad(name, content, says, code)

    named("j09-dots", "1.0", "../x", "a repository that leaves its place")
    named("j09-slashes", "1.0", "registry.example.com/a//b", "two slashes")
    named("j09-upper-case", "1.0", "registry.example.com/A", "upper case")
    named("j09-no-host", "1.0", "acme/web", "no host")
    named("j09-long", "1.0", "registry.example.com/" + "a" * 300, "a name of more than 255 bytes")
    named("j09-tag-slash", "a/b", REPOSITORY, "a tag with a slash")
    named("j09-tag-dot", ".a", REPOSITORY, "a tag that begins with a dot")
    named("j09-tag-long", "a" * 129, REPOSITORY, "a tag of 129 characters")
    named("j09-signature-of-nothing", "sha256-" + "ab" * 32 + ".sig", REPOSITORY, "a cosign tag of an image that is not there",
          "referrer-tag")
    named("j09-referrers-tag", "sha256-" + "ab" * 32, REPOSITORY, "a referrers tag that is no index", "referrer-tag")
    named("file-name-no-domain", "latest", "files.airlock.internal/acme-web/stable/manual", "a plain file without a domain in its name",
          "file-name")
    named("file-name-other-domain", "latest", f"files.airlock.internal/{'ab' * 32}/acme-web/stable/manual", "another vendor's plain file",
          "file-name")
    twice = simple()
    twice.tag(twice.manifest((noise("other", 50),)), "1.0")
    bad("j09-tag-twice", twice, "a tag for two digests", "tag-twice")
    target = simple()
    target.tags[0] = {**target.tags[0], "media_type": INDEX}
    bad("j09-target-type", target, "a name that states another type", "name-target")
    subject = Content()
    subject.tag(subject.manifest(subject={"mediaType": MANIFEST, "digest": digest(b"gone"), "size": 4}), "1.0")
    bad("j06-subject", subject, "a subject that is not carried", "unlisted")
    listed = Content()
    listed.tag(listed.manifest(subject={"mediaType": MANIFEST, "digest": digest(b"layer"), "size": 5}), "1.0")
    vectors.bad("j06-missing-subject-listed", twin_of("j06-missing-subject", Recipe(listed, requires=["missing-subjects-1"])),
                "a subject that may be gone and is carried as something else", "E-CONTENT", "subject", "X13")
    vectors.bad("requires-unused", twin_of("j06-missing-subject", Recipe(simple(), requires=["missing-subjects-1"])),
                "a feature that nothing needs", "E-CONTENT", "requires", "X13")
    vectors.bad("j07-config-urls", twin_of("j07-nondistributable", nondistributable(urls=["https://example.com/x"])),
                "a config from elsewhere where layers may be", "E-CONTENT", "urls", "X13")
    both = simple()
    manifest = both.blobs[both.tags[0]["digest"]]
    both.tag(both.document({**good, "layers": [descriptor(manifest, LAYER)]}, MANIFEST), "2.0")
    both.blob(b"{}")
    bad("j05-manifest-as-layer", both, "a manifest used as a layer", "ambiguous")


def bad_types(bad, tagged, good):
    """J18: what one parser reads and another does not, and members of another type than the specification's."""
    config, layer = good["config"], good["layers"][0]
    listed = [layer["mediaType"], layer["digest"], layer["size"], None, None, None, None, None]

    def text(name, says, more, code="manifest"):
        bad(f"j18-text-{name}", tagged(canonical(good)[:-1] + b',"x":' + more + b"}"), says, code)

    def kind(name, says, document):
        bad(f"j18-type-{name}", tagged(document, stated=False), says, "manifest")

    def of_layer(name, says, **members):
        kind(f"layer-{name}", says, {**good, "layers": [{**layer, **members}]})

    text("surrogate", "half of a surrogate pair", b'"\\ud800"')
    text("surrogates-swapped", "a surrogate pair the wrong way round", b'"\\udc00\\ud800"')
    text("surrogate-name", "half of a surrogate pair in a name", b'{"\\ud800":1}')
    text("exponent", "a number that 64 bits do not hold", b"1e400")
    text("digits", "a number of 310 digits", b"1" * 310)
    text("escaped-name-twice", "a name twice, once with an escape", b'{"ab":1,"\\u0061b":2}')
    text("deep", "arrays 128 deep", b"[" * 127 + b"]" * 127)
    text("below-annotations", "a member that differs by case only, below an annotation of an unknown member",
         b'{"annotations":{"y":{"Layers":1}}}', "ambiguous")
    for name, version in (("float", 2.0), ("string", "2"), ("array", [2]), ("negative", -2), ("true", True)):
        kind(f"schema-version-{name}", f"schemaVersion: {name}", {**good, "schemaVersion": version})
    kind("whole-array", "a manifest as array of its members", canonical([2, MANIFEST, None, config, [layer], None, None]))
    kind("config-array", "a config as array of its members", {**good, "config": listed})
    kind("layer-array", "a layer as array of its members", {**good, "layers": [listed]})
    kind("layer-null", "null for a layer", {**good, "layers": [None]})
    kind("layers-object", "layers as object", {**good, "layers": {"0": layer}})
    kind("layers-left-out", "no layers", {"schemaVersion": 2, "config": config})
    kind("media-type", "a number for the media type", {**good, "mediaType": 7})
    kind("artifact-type", "a number for the artifact type", {**good, "artifactType": 5})
    kind("annotations-array", "annotations as array", {**good, "annotations": []})
    kind("annotations-number", "an annotation that is a number", {**good, "annotations": {"a": 1}})
    kind("annotations-null", "an annotation that is null", {**good, "annotations": {"a": None}})
    kind("subject-empty", "a subject without members", {**good, "subject": {}})
    kind("subject-false", "false for a subject", {**good, "subject": False})
    of_layer("size-float", "5.0 bytes", size=5.0)
    of_layer("size-string", "a size in quotes", size="5")
    of_layer("size-2-53", "a size of 2^53", size=1 << 53)
    of_layer("size-2-64", "a size of 2^64", size=1 << 64)
    of_layer("size-null", "no size", size=None)
    of_layer("digest", "a number for the digest", digest=7)
    of_layer("media-type", "a number for the media type", mediaType=7)
    of_layer("urls-string", "urls as string", urls="")
    of_layer("urls-object", "urls as object", urls={})
    of_layer("data", "a number for the data", data=0)
    of_layer("artifact-type", "an array for the artifact type", artifactType=[])
    of_layer("annotations", "annotations as string", annotations="x")
    of_layer("platform-string", "a platform as string", platform="linux/amd64")
    of_layer("platform-array", "a platform as array of its members", platform=["amd64", "linux", None, None, None])
    of_layer("platform-no-architecture", "a platform without architecture", platform={"os": "linux"})
    of_layer("platform-os", "a number for the operating system", platform={"os": 1, "architecture": "amd64"})
    of_layer("platform-features", "features as string", platform={"os": "linux", "architecture": "amd64", "os.features": "x"})


def twin_of(name, recipe):
    recipe.twin = name
    return recipe


def drop_unused(order):
    return order[0][:1], []


def unlisted():
    content = Content()
    content.blob(b"{}")
    content.tag(content.document({"schemaVersion": 2, "config": descriptor(b"{}", CONFIG),
                                  "layers": [descriptor(b"elsewhere", LAYER)]}, MANIFEST), "1.0")
    return content


def nested(depth):
    content = Content()
    data = content.manifest()
    media_type = MANIFEST
    for _ in range(depth - 1):
        data = content.document({"schemaVersion": 2, "manifests": [descriptor(data, media_type)]}, INDEX)
        media_type = INDEX
    content.tag(data, "deep")
    return content


# --- What only a site judges ----------------------------------------------------------------------------------------

def bad_site(vectors):
    def site(name, recipe, says, kind, code, step, **more):
        vectors.bad(name, recipe, says, kind, code, step, **{"site": SITE, **more})

    other = "0:7:" + "ab" * 32
    site("j03-nobody", Recipe(audience=[]), "for nobody", "E-AUDIENCE", "site", "X6")
    site("j03-other-site", Recipe(audience=[OTHER_SITE]), "for another site", "E-AUDIENCE", "site", "X6")
    site("j03-appliance", Recipe(minimum_appliance="0.3.0"), "needs a newer appliance", "E-AUDIENCE", "appliance-version", "X6")
    site("k16-older", Recipe(sequence=6), "older than what the site has", "E-ROLLBACK", "older", "X7", mark=other)
    site("k15-equivocation", Recipe(), "the same number, other content", "E-EQUIVOCATION", "same-number", "X7", mark=other)
    site("k14-fast-forward", Recipe(sequence=1_000_008), "a jump of 1,000,001", "E-ROLLBACK", "fast-forward", "X7", mark=other)
    site("k14-first-fast-forward", Recipe(sequence=1_000_001), "a first import above 1,000,000", "E-ROLLBACK", "fast-forward", "X7")
    site("k14-epoch", Recipe(epoch=1), "an epoch that the root does not name", "E-ROLLBACK", "epoch", "X7", mark=other)
    passed = Recipe()
    passed.first = envelope({**root(), "epochs": [{"channel": "stable", "epoch": 1, "product": "acme-web"}]}, ["root"])
    site("k16-epoch-passed", passed, "an epoch that the root has left behind", "E-ROLLBACK", "older", "X7")
    vectors.bad("k20-issued-after-root", Recipe(issued_at="2031-01-01T00:00:00Z", expires="2032-01-01T00:00:00Z"),
                "issued after its root expires", "E-CLOCK", "issued-after-root", "X8")
    vectors.bad("k20-issued-49-hours-ahead", Recipe(issued_at="2026-12-03T01:00:00Z"), "issued 49 hours after the time of judgement",
                "E-CLOCK", "issued-ahead", "X8", at="2026-12-01T00:00:00Z")
    vectors.bad("k20-issued-9999", Recipe(issued_at="9999-01-01T00:00:00Z", expires="9999-06-01T00:00:00Z").with_root(
        root(expires="9999-12-31T00:00:00Z")), "issued in the year 9999", "E-CLOCK", "issued-ahead", "X8")
    vectors.bad("k13-expired", Recipe(), "past its expiry", "E-EXPIRED", "bundle", "X8", at="2027-01-01T00:00:00Z")
    vectors.bad("k13-expired-root", expired_root(), "the root has expired", "E-EXPIRED", "root", "X8", at="2026-07-01T00:00:00Z")


def expired_root():
    recipe = Recipe()
    recipe.first = envelope(root(1, expires="2026-07-01T00:00:00Z"), ["root"])
    return recipe
