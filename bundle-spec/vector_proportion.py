"""Vectors of what small documents can make of work and rows (J17): each bound exactly reached, and passed by one."""

import verify
from make_vectors import INDEX, MANIFEST, REPOSITORY, Content, Recipe, canonical, descriptor, digest, noise


def in_order(content, early, late):
    """A recipe in an order that is said, where finding it would take long."""
    return Recipe(content).on("order", lambda _: ([digest(data) for data in early], [digest(data) for data in late]))


def names(more):
    """270 repositories of 380 blobs each, one of 2 + `more`, in 652 lines: 100,000 + 4 × 652 pairs with 6 more."""
    content = Content()
    layers = [b"layer %d" % number for number in range(378)]
    whole = content.manifest(layers)
    part = content.manifest(layers[:more])
    for number in range(270):
        content.tag(whole, None, f"{REPOSITORY}/{number:03}")
    content.tag(part, None, f"{REPOSITORY}/part")
    return Recipe(content)


def edges(more):
    """What 100 repositories follow: an index, 201 manifests, and of each its config and 196 layers. And an empty index, if wanted."""
    content = Content()
    layers = [b"layer %d" % number for number in range(196)]
    manifests = [content.manifest(layers, x=number) for number in range(201)]
    top = content.document({"schemaVersion": 2, "manifests": [descriptor(data, MANIFEST) for data in manifests]}, INDEX)
    for number in range(100):
        content.tag(top, None, f"{REPOSITORY}/{number:03}")
    empty = [content.tag(content.document({"schemaVersion": 2, "manifests": []}, INDEX), None, f"{REPOSITORY}/more")] if more else []
    return in_order(content, [top, *manifests, b"{}", *empty], layers)


def annotations(size):
    """Five manifests about an image, with this many bytes of annotations and artifact types in all."""
    content = Content()
    subject = content.tag(content.manifest((noise("image", 100),)), "1.0")
    about = {"subject": descriptor(subject, MANIFEST)}
    left = size
    for number in range(5):
        part = min(left, 4 * verify.MIB - 2048) if number < 4 else left
        left -= part
        frame = len(canonical({"x": ""})) + len("application/x")
        content.tag(content.manifest((b"%d" % number,), artifactType="application/x", annotations={"x": "x" * (part - frame)}, **about),
                    f"about-{number}")
    return Recipe(content)


def repeated():
    """An index that holds one child 10,000 times, in an index that holds it 10,000 times, under 400 names."""
    content = Content()
    image = content.manifest((b"layer",))
    inner = content.document(canonical({"manifests": [descriptor(image, MANIFEST)] * 10_000, "schemaVersion": 2}), INDEX)
    outer = content.document(canonical({"manifests": [descriptor(inner, INDEX)] * 10_000, "schemaVersion": 2}), INDEX)
    for number in range(400):
        content.tag(outer, "latest", f"{REPOSITORY}/{number:03}")
    return in_order(content, (outer, inner, image, b"{}"), (b"layer",))


CASES = (
    ("names", names(6), names(7), "pairs of repository and content that its lines allow"),
    ("edges", edges(False), edges(True), "references that are followed, 4,000,000"),
    ("annotations", annotations(16 * verify.MIB), annotations(16 * verify.MIB + 1), "bytes of annotations, 16 MiB"),
)


def good(vectors):
    """Bundles that a reader must accept, and in little time."""
    for name, most, _, what in CASES:
        vectors.good(f"j17-{name}", most, f"as many {what}", make=False)
    vectors.good("j17-repeated", repeated(), "one image 10^8 times below each of 400 names", make=False)


def bad(vectors):
    """One more than a bound."""
    for name, _, more, what in CASES:
        more.twin = f"j17-{name}"
        vectors.bad(f"j17-{name}", more, f"one more than the {what}", "E-LIMIT", name, "X13")
