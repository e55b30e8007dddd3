"""The vectors of secrets (SPEC.md, section 11): what deployments say of them, and the outer form of what is sealed to a site.

Nothing here is encrypted: no verifier opens a sealed document, so any bytes in its form do.
"""

import base64
import copy

import verify
from make_vectors import Recipe, noise
from vector_desired import DEPLOYMENTS, REVISIONS, Scene, uuid


def key(label):
    return base64.b64encode(noise(label, 32)).rstrip(b"=")


OWN = b"-> X25519 " + key("share") + b"\n" + key("wrapped") + b"\n"
END = b"--- " + key("code") + b"\n"


def sealed(stanzas=OWN, end=END, plain=1024, version=b"age-encryption.org/v1\n", payload=None):
    """A file in the form of age, with so many bytes of plain text."""
    chunks = -(-plain // (64 * verify.KIB))
    return version + stanzas + end + noise("sealed", 16 + plain + 16 * chunks if payload is None else payload)


def use(name, source="sealed", per_target=False, **members):
    return {"name": name, "per_target": per_target, "source": source, **members}


USES = [use("API_KEY"), use("COOKIE_KEY", "generate", alphabet="!9AZaz~", length=8), use("SMTP_PASSWORD", "ask", True)]


class SecretScene(Scene):
    """A deployment with secrets of every source, one document that is sealed."""

    def __init__(self, uses=None, documents=None):
        super().__init__()
        docker, kubernetes = self.state["targets"]
        docker["site"] = kubernetes["site"]  # another site has nothing to open
        self.uses = copy.deepcopy(USES if uses is None else uses)
        self.documents |= {("secrets", data) for data in (documents or [sealed()])}
        self.requires = ["secrets-1"]

    def recipe(self):
        if self.uses is not False:
            self.state["targets"][0]["deployments"][0]["secrets"] = self.uses
        made = super().recipe()
        made.head["requires"] = self.requires
        made.twin = "secrets"
        return made

    def second(self, target, **members):
        """Another deployment of a target, with one secret."""
        one = copy.deepcopy(self.state["targets"][target]["deployments"][0])
        one.pop("secrets", None)
        one.update(id=uuid(DEPLOYMENTS, 8 + target), revision=uuid(REVISIONS, 8 + target), secrets=[use(**members)])
        self.state["targets"][target]["deployments"].append(one)
        return self


def good(vectors):
    """Documents that a reader must accept."""
    scene = SecretScene(documents=[sealed(), sealed(plain=64 * verify.KIB), sealed(plain=65 * verify.KIB)])
    scene.second(0, name="API_KEY").second(1, name="SMTP_PASSWORD", source="ask", per_target=True)
    vectors.good("secrets", scene.recipe(), "a deployment with secrets of every source, three sites with sealed ones")
    grease = b"-> x-grease a {b\n" + b"A" * 64 + b"\nAA\n-> short\n\n"
    vectors.good("secrets-grease", SecretScene(documents=[sealed(grease + OWN + b"-> ssh-ed25519 x\nAAAA\n" * 4)]).recipe(),
                 "stanzas of other types around that of the recipient")
    none = SecretScene()
    none.documents = {entry for entry in none.documents if entry[0] != "secrets"}
    none.uses = [use("COOKIE_KEY", "generate")]
    vectors.good("secrets-of-the-site", none.recipe(), "a secret that the site makes, nothing sealed")


def bad(vectors):
    """One mistake each."""
    def case(name, says, scene, code="desired-state", kind="E-CONTENT", step="X13", hook=None):
        made = scene.recipe()
        if hook:
            made.on(*hook)
        vectors.bad(name, made, says, kind, code, step)

    def uses(name, says, uses):
        case(f"secret-uses-{name}", says, SecretScene(uses))

    uses("empty", "an empty list of secrets", [])
    uses("order", "secrets out of order", USES[::-1])
    uses("twice", "a secret twice", [USES[0], USES[0]])
    for name, says, members in (
            ("alphabet-short", "an alphabet of one character", {"alphabet": "a"}),
            ("alphabet-order", "an alphabet out of order", {"alphabet": "ba"}),
            ("alphabet-repeated", "an alphabet with a character twice", {"alphabet": "aa"}),
            ("alphabet-space", "an alphabet with a space", {"alphabet": " a"}),
            ("alphabet-accent", "an alphabet with another letter", {"alphabet": "aé"}),
            ("length-short", "values of seven characters", {"length": 7}),
            ("length-long", "values of 1,025 characters", {"length": 1025})):
        uses(name, says, [use("A", "generate", **members)])
    uses("length-asked", "a length for what a person enters", [use("A", "ask", length=32)])
    uses("alphabet-sealed", "an alphabet for what is sealed", [use("A", alphabet="ab")])
    for name, says, uses_of in (
            ("name", "a name in lower case", [use("api_key")]), ("source", "a source that nobody knows", [use("A", "escrow")]),
            ("value", "a value in clear", [use("A", value="aHVudGVyMg==")])):
        case(f"secret-uses-{name}", says, SecretScene(uses_of), "grammar", "E-FORMAT")
    case("secret-agreement-source", "a secret of the site with two sources", SecretScene().second(1, name="API_KEY", source="ask"))
    case("secret-agreement-length", "a secret of one target with two lengths", SecretScene([use("A", "generate", True)]).second(
        0, name="A", source="generate", per_target=True, length=40))

    case("secret-requires-nothing", "sealed secrets without the feature", _requires([]), "requires", "E-FORMAT", "X5")
    case("secret-requires-twice", "the feature twice", _requires(["secrets-1", "secrets-1"]), "requires", "E-FORMAT", "X5")
    left = _requires([])
    left.documents = {entry for entry in left.documents if entry[0] != "secrets"}
    case("secret-requires-use", "a deployment with secrets without the feature", left, "requires", "E-FORMAT")
    surplus = _requires(["secrets-1"], False)
    surplus.documents = {entry for entry in surplus.documents if entry[0] != "secrets"}
    case("secret-requires-surplus", "the feature without secrets", surplus, "requires")

    def many(head):
        zero = {"size": 1088, "type": "secrets"}
        head["documents"] = sorted(
            [entry for entry in head["documents"] if entry["type"] != "secrets"]
            + [{**zero, "digest": f"sha256:{number:064x}"} for number in range(257)], key=lambda entry: (entry["type"], entry["digest"]))
    case("sealed-257", "257 documents of sealed secrets", SecretScene(), "secrets", "E-LIMIT", "X5", ("head", many))

    def larger(head):
        for entry in head["documents"]:
            entry["size"] = verify.MIB + 1 if entry["type"] == "secrets" else entry["size"]
    case("sealed-size", "a document of more than 1 MiB", SecretScene(), "document-size", "E-LIMIT", "X5", ("head", larger))

    grease = b"-> x\n\n"
    for name, says, data in (
            ("clear", "secrets in clear", b'{"secrets":[{"name":"API_KEY","value":"aHVudGVyMg=="}]}'),
            ("empty", "nothing", b""),
            ("version", "another version of age", sealed(version=b"age-encryption.org/v2\n")),
            ("armored", "an age file in ASCII armor", b"-----BEGIN AGE ENCRYPTED FILE-----\n" + base64.encodebytes(sealed())),
            ("no-stanza", "no recipient", sealed(b"")),
            ("grease-only", "a recipient of another type alone", sealed(grease)),
            ("two", "two X25519 stanzas", sealed(OWN * 2)),
            ("scrypt", "a passphrase beside the key", sealed(b"-> scrypt " + key("salt")[:22] + b" 18\n" + key("w") + b"\n" + OWN)),
            ("nine", "nine stanzas", sealed(grease * 8 + OWN)),
            ("long-header", "a header of more than 4,096 bytes", sealed(b"-> x " + b"y" * 4096 + b"\n\n" + OWN)),
            ("argument", "an X25519 stanza with an argument too many", sealed(OWN.replace(b"X25519 ", b"X25519 x "))),
            ("share-short", "a share of 31 bytes", sealed(OWN.replace(key("share"), key("share")[:42]))),
            ("share-bits", "spare bits in a share", sealed(OWN.replace(key("share"), b"A" * 42 + b"B"))),
            ("body-short", "a body of 31 bytes", sealed(OWN.replace(key("wrapped"), key("wrapped")[:42]))),
            ("body-padding", "a body with padding", sealed(OWN.replace(key("wrapped"), key("wrapped") + b"="))),
            ("double-space", "an argument without a byte", sealed(OWN.replace(b"X25519 ", b"X25519  "))),
            ("code-short", "a code of 31 bytes", sealed(end=b"--- " + key("code")[:42] + b"\n")),
            ("no-payload", "nothing behind the header", sealed(payload=0)),
            ("no-text", "a payload without text", sealed(payload=32)),
            ("cut", "a payload that is cut", sealed(payload=16 + 1024 + 15)),
            ("not-padded", "a text that is not padded", sealed(plain=1000)),
            ("cut-chunk", "a last chunk without text", sealed(payload=16 + 64 * verify.KIB + 16 + 16))):
        case(f"sealed-{name}", f"a document of sealed secrets that is {says}", SecretScene(documents=[data]), "secrets")


def _requires(features, uses=None):
    scene = SecretScene(uses)
    scene.requires = features
    return scene
