"""The vectors of the desired state (SPEC.md, section 11), good and bad.

Names begin with the case of the attack catalogue that they belong to; `desired-` where none fits.
"""

import base64
import copy

import verify
from make_vectors import ISSUED, Content, Recipe, canonical, digest, noise

HOST = "registry.airlock.internal"  # the placeholder
AUTOHEAL, DOCKER_AGENT = "registry.example.com/distr/autoheal", "registry.example.com/distr/docker-agent"
KUBERNETES_AGENT, CHART = "registry.example.com/distr/kubernetes-agent", "registry.example.com/acme/charts/erp"
PRESS = "registry.example.com/acme/press"
HELM_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"


def uuid(kind, number):
    """Readable, ascending by kind and number; of version 4, as a hub's."""
    return f"{kind:08x}-0000-4000-8000-{number:012x}"


AGENTS, TARGETS, DEPLOYMENTS, REVISIONS, REMOVED = 0xa, 0x7a, 0xde, 0x4e, 0x90


class Scene:
    """Images, a chart, documents and the desired state that names them; tests change one thing."""

    def __init__(self):
        self.content = Content()
        self.images = {name: self.image(name, label, tag) for name, label, tag in (
            (AUTOHEAL, "autoheal", "1.2.0"), (DOCKER_AGENT, "docker agent", "3.1.0"), (KUBERNETES_AGENT, "kubernetes agent", "3.1.0"),
            (PRESS, "press", None))}
        chart = self.content.manifest((noise("chart", 200),), config=b'{"name":"erp","version":"1.2.3+build.4"}', layer_type=HELM_LAYER)
        self.content.tag(chart, "1.2.3_build.4", CHART)
        self.images[CHART] = {"digest": digest(chart), "repository": CHART}
        press = self.images[PRESS]["digest"]
        self.compose = f'services:\n  press:\n    image: "{HOST}/{PRESS}@{press}"\n    environment:\n      GREETING: "${{GREETING}}"\n'.encode()
        self.env = b"GREETING=hello\n"
        self.values = canonical({"image": {"repository": f"{HOST}/{PRESS}", "digest": press}, "replicas": 2})
        self.documents = {("compose", self.compose), ("env", self.env), ("values", self.values)}
        self.state = {"agents": [self.agent()], "removed": [uuid(REMOVED, 1), uuid(REMOVED, 2)],
                      "targets": [self.docker(), self.kubernetes()]}
        self.state_bytes = None

    def image(self, name, label, tag):
        data = self.content.manifest((noise(label, 120),))
        self.content.tag(data, tag, name)
        return {"digest": digest(data), "repository": name}

    def agent(self):
        return {"autoheal": self.images[AUTOHEAL], "created_at": ISSUED, "docker": self.images[DOCKER_AGENT], "id": uuid(AGENTS, 1),
                "kubernetes": self.images[KUBERNETES_AGENT], "name": "3.1.0"}

    def docker(self):
        deployment = {"application": "press", "created_at": ISSUED, "force_restart": False, "id": uuid(DEPLOYMENTS, 1),
                      "docker": {"compose": digest(self.compose), "env": digest(self.env), "mode": "compose"},
                      "images": [self.images[PRESS]], "revision": uuid(REVISIONS, 1), "version": "2.4"}
        return {"agent": uuid(AGENTS, 1), "autoheal_all": False, "created_at": ISSUED, "deployments": [deployment],
                "docker_socket": "/run/user/1000/docker.sock", "id": uuid(TARGETS, 1), "image_cleanup": True, "kind": "docker",
                "logs": True, "logs_after": ISSUED, "metrics": True, "name": "Druckerei Süd", "verifier": {
                    "algorithm": "argon2id", "hash": "5a" * 32, "lanes": 4, "memory_kib": 65536, "salt": "a5" * 16, "time": 1}}

    def kubernetes(self):
        helm = {"chart": CHART, "chart_name": "erp", "chart_version": "1.2.3+build.4", "ignore_revision_skew": False,
                "options": {"cleanup_on_failure": True, "force_conflicts": False, "rollback_on_failure": True, "timeout": "5m0s",
                            "wait_strategy": "watcher"},
                "release_name": "erp", "source": "oci", "tag": "1.2.3_build.4", "values": digest(self.values)}
        deployment = {"application": "erp", "created_at": ISSUED, "force_restart": True, "helm": helm, "id": uuid(DEPLOYMENTS, 2),
                      "images": sorted((self.images[CHART], self.images[PRESS]), key=lambda image: image["digest"]),
                      "revision": uuid(REVISIONS, 2), "version": "1.2.3"}
        return {"agent": uuid(AGENTS, 1), "autoheal_all": False, "created_at": ISSUED, "deployments": [deployment],
                "id": uuid(TARGETS, 2), "image_cleanup": False, "kind": "kubernetes", "kubernetes": {
                    "namespace": "erp", "resources": {"cpu_limit": "500m", "cpu_request": "0.1", "memory_limit": "1Gi",
                                                      "memory_request": "128Mi"}, "scope": "namespace"},
                "logs": False, "metrics": False, "name": "cluster", "site": "0123456789abcdef0123456789abcdef"}

    @staticmethod
    def domain():
        """The trust domain of every recipe that is left as it is."""
        return digest(base64.b64decode(Recipe(Content()).first["payload"]))[7:]

    def recipe(self):
        """Put everything in: documents stand in the order of the head."""
        state = canonical(self.state) if self.state_bytes is None else self.state_bytes
        documents = list(self.documents) + ([] if state is None or self.state is None else [("desired-state", state)])
        self.content.documents = sorted(documents, key=lambda entry: (entry[0], digest(entry[1])))
        for _, data in self.content.documents:
            self.content.blob(data)
        made = Recipe(self.content)
        made.twin = "desired-state"
        return made


def good(vectors):
    """Documents that a reader must accept."""
    vectors.good("desired-state", Scene().recipe(), "a docker target and a kubernetes target, a chart, agents, removals")
    least = Scene()
    least.state["agents"].append({"created_at": ISSUED, "id": uuid(AGENTS, 2), "name": "3.2.0-rc.1+x_y"})
    least.state["removed"] = []
    docker, kubernetes = least.state["targets"]
    for name in ("docker_socket", "logs_after", "verifier"):
        del docker[name]
    del docker["deployments"][0]["docker"]["env"]
    docker["deployments"][0]["docker"]["mode"] = "swarm"
    del kubernetes["kubernetes"]["resources"], kubernetes["site"], kubernetes["deployments"][0]["helm"]["options"]
    kubernetes["kubernetes"]["scope"] = "cluster"
    kubernetes["deployments"][0]["helm"]["source"] = "repository"
    least.documents = {entry for entry in least.documents if entry[0] != "env"}
    vectors.good("desired-least", least.recipe(), "every optional member left out: swarm, cluster scope, a chart repository")
    idle = Scene()
    idle.state, idle.documents = {"agents": [], "removed": [uuid(REMOVED, 1)], "targets": []}, set()
    vectors.good("desired-removals-only", idle.recipe(), "no target any more, one removal")
    shared = Scene()
    shared.documents |= {("compose", shared.env), ("env", shared.compose)}
    second = copy.deepcopy(shared.state["targets"][0]["deployments"][0])
    second.update(id=uuid(DEPLOYMENTS, 3), revision=uuid(REVISIONS, 3))
    second["docker"].update(compose=digest(shared.env), env=digest(shared.compose))
    shared.state["targets"][0]["deployments"].append(second)
    own = Scene()
    for target in own.state["targets"]:
        target["id"] = verify.derived("target", own.domain(), "acme-web", "stable", target["name"])
        for one in target["deployments"]:
            one["id"] = verify.derived("deployment", target["id"], one["application"])
    own.state["targets"].sort(key=lambda target: target["id"])
    own.state["removed"] = ["0000007a-0000-8000-8000-000000000001"]
    own.state["agents"][0]["id"] = "0000000a-0000-8000-8000-000000000001"
    for target in own.state["targets"]:
        target["agent"] = own.state["agents"][0]["id"]
    vectors.good("desired-derived", own.recipe(), "UUIDs that follow from the release's words; agent versions and removals need not")
    vectors.good("j16-rendered", rendered(Scene(), [16] * 64).recipe(), "16 MiB of documents a target, 1 GiB in all", make=False)
    vectors.good("desired-one-digest-two-types", shared.recipe(), "the same bytes as two types of document, each named as both")


def rendered(scene, counts):
    """Docker targets with so many deployments each, all of one compose file of 1 MiB."""
    docker = scene.state["targets"][0]
    compose = b"#" * (verify.MIB - 1) + b"\n"
    one = {**docker["deployments"][0], "docker": {"compose": digest(compose), "mode": "compose"}}
    numbers = iter(range(1, 1 << 16))
    scene.state["targets"] = [{**docker, "id": uuid(TARGETS, place), "name": f"press {place}", "deployments": [
        {**one, "id": uuid(DEPLOYMENTS, number), "revision": uuid(REVISIONS, number)}
        for number, _ in zip(numbers, range(count))]} for place, count in enumerate(counts)]
    scene.documents = {("compose", compose)}
    return scene


def bad(vectors):
    """One mistake each."""
    vectors.bad("j16-target", rendered(Scene(), [17]).recipe(), "17 MiB of documents for one target", "E-LIMIT", "rendered", "X13")
    vectors.bad("j16-release", rendered(Scene(), [16] * 64 + [1]).recipe(), "1,025 MiB of documents for all targets", "E-LIMIT",
                "rendered", "X13")

    def derivation(name, says, change):
        """A UUID of version 8 that is not what follows from the words of the release."""
        scene = Scene()
        change(scene, scene.state["targets"][0], scene.domain())
        scene.state["targets"].sort(key=lambda target: target["id"])
        vectors.bad(f"k23-{name}", scene.recipe(), says, "E-CONTENT", "derived-uuid", "X13")

    def of_target(name, says, kind="target", domain=None, product="acme-web", channel="stable", word="Druckerei Süd"):
        derivation(name, says, lambda scene, target, own: target.update(
            id=verify.derived(kind, domain or own, product, channel, word)))

    of_target("other-domain", "a target's UUID of another vendor", domain="ab" * 32)
    of_target("other-product", "a target's UUID of another product", product="acme-erp")
    of_target("other-channel", "a target's UUID of another channel", channel="beta")
    of_target("renamed", "a target's UUID under its former name", word="Druckerei Nord")
    of_target("other-kind", "a target's UUID made as a revision's", kind="revision")
    derivation("made-up", "a UUID of version 8 from nowhere", lambda scene, target, _: target.update(
        id="0000007a-0000-8000-8000-000000000001"))
    derivation("other-variant", "version 8 of another variant", lambda scene, target, _: target.update(
        id="0000007a-0000-8000-0000-000000000001"))
    derivation("other-application", "a deployment's UUID of another application", lambda scene, target, _: target[
        "deployments"][0].update(id=verify.derived("deployment", target["id"], "erp")))
    derivation("other-target", "a deployment's UUID of another target", lambda scene, target, _: target[
        "deployments"][0].update(id=verify.derived("deployment", uuid(TARGETS, 9), "press")))

    def case(name, says, change, code="desired-state", kind="E-CONTENT", step="X13", hook=None):
        scene = Scene()
        docker, kubernetes = scene.state["targets"]
        change(scene, docker, kubernetes)
        made = scene.recipe()
        if hook:
            made.on(*hook)
        vectors.bad(name, made, says, kind, code, step)

    def set_in(get, **members):
        """Change members; None removes one."""
        def change(scene, docker, kubernetes):
            place = get(scene, docker, kubernetes)
            for name, value in members.items():
                if value is None:
                    del place[name]
                else:
                    place[name] = value
        return change

    def verifier(**members):
        return set_in(lambda s, d, k: d["verifier"], **members)

    def docker_target(**members):
        return set_in(lambda s, d, k: d, **members)

    def kubernetes_target(**members):
        return set_in(lambda s, d, k: k, **members)

    def place(**members):
        return set_in(lambda s, d, k: k["kubernetes"], **members)

    def deployment(**members):
        return set_in(lambda s, d, k: d["deployments"][0], **members)

    def release(**members):
        return set_in(lambda s, d, k: k["deployments"][0], **members)

    def helm(**members):
        return set_in(lambda s, d, k: k["deployments"][0]["helm"], **members)

    def agent(**members):
        return set_in(lambda s, d, k: s.state["agents"][0], **members)

    gone = {"digest": "sha256:" + "ab" * 32, "repository": PRESS}
    case("j10-image-absent", "a deployment needs an image that is not carried", deployment(images=[gone]), "image")
    case("j10-image-elsewhere", "a deployment needs an image by a repository that does not reach it", lambda s, d, k: d["deployments"][0].update(
        images=[{**s.images[PRESS], "repository": CHART}]), "image")
    case("j10-image-is-a-layer", "a deployment needs a layer as if it were an image", lambda s, d, k: d["deployments"][0].update(
        images=[{"digest": digest(noise("press", 120)), "repository": PRESS}]), "image")
    case("j10-agent-absent", "an agent version needs an image that is not carried", agent(docker=gone), "image")
    case("j10-autoheal-absent", "an agent version needs an autoheal image of an unknown repository",
         agent(autoheal={**gone, "repository": "registry.example.com/distr/other"}), "image")
    case("j10-chart-absent", "a chart whose tag is not carried", helm(chart_version="1.2.4", tag="1.2.4"), "image")
    case("j10-chart-not-listed", "a chart that is carried and not listed among the images", lambda s, d, k: k["deployments"][0].update(
        images=[s.images[PRESS]]), "image")
    for name, says, members in (
            ("memory", "4 TiB of memory", {"memory_kib": 4 << 30}), ("time", "2^32 passes", {"time": 1 << 32}),
            ("lanes", "no lane", {"lanes": 0}), ("salt", "an empty salt", {"salt": ""}), ("hash", "a hash of 4 bytes", {"hash": "5a5a5a5a"}),
            ("algorithm", "an unknown algorithm", {"algorithm": "scrypt"}), ("upper-case", "a salt in upper case", {"salt": "A5" * 16}),
            ("wrapped", "lanes that are right in 32 bits", {"lanes": 4 + (1 << 32)})):
        case(f"j14-{name}", f"a verifier with {says}", verifier(**members), "verifier")

    case("desired-document-absent", "a deployment names a compose file that is not carried",
         lambda s, d, k: d["deployments"][0]["docker"].update(compose=gone["digest"]))
    case("desired-document-unnamed", "an environment file that no deployment names", lambda s, d, k: s.documents.add(("env", b"A=1\n")))
    case("desired-document-type", "a compose file is named as environment",
         lambda s, d, k: d["deployments"][0]["docker"].update(env=digest(s.compose)))

    def without(scene, docker, kubernetes):
        scene.state = None
    case("desired-nothing-names", "documents of applications without a desired state", without)
    case("desired-two", "two desired states", lambda s, d, k: s.documents.add(("desired-state", canonical(
        {"agents": [], "removed": [], "targets": []}))))

    def written(change):
        def spoil(scene, docker, kubernetes):
            scene.state_bytes = change(canonical(scene.state))
        return spoil

    def form(name, says, change, code="grammar", kind="E-FORMAT"):
        case(name, says, written(change), code, kind)

    form("j01-desired-space", "a space in the desired state", lambda data: data.replace(b'{"agents"', b'{ "agents"', 1), "non-canonical")
    form("j01-desired-newline", "a line feed behind the desired state", lambda data: data + b"\n", "non-canonical")
    after = b'"logs_after":"' + ISSUED.encode() + b'"'
    form("j01-desired-order", "members out of order", lambda data: data.replace(b'"logs":true,' + after, after + b',"logs":true'),
         "non-canonical")
    form("j01-desired-duplicate", "a member twice", lambda data: data.replace(b'"metrics":true', b'"metrics":true,"metrics":true'))
    form("j01-desired-null", "null for an optional member", lambda data: data.replace(
        b'"logs":false', b'"logs":false,"logs_after":null'), "non-canonical")
    form("j11-registry-auth", "a password for a registry", lambda data: data.replace(
        b'"removed":', b'"registry_auth":{"registry.example.com":{"password":"hunter2","username":"press"}},"removed":', 1))
    form("j02-desired-empty", "a desired state without a byte", lambda data: b"")
    form("j02-desired-unknown", "an unknown member", lambda data: data.replace(b'"metrics":true', b'"metrics":true,"monitor":true'))
    form("j02-desired-missing", "a member is missing", lambda data: data.replace(b'"metrics":true,', b""))
    form("j02-desired-integer", "1 for true", lambda data: data.replace(b'"metrics":true', b'"metrics":1'))
    form("j02-desired-float", "4.0 lanes", lambda data: data.replace(b'"lanes":4', b'"lanes":4.0'))
    form("j02-desired-uuid", "a UUID in upper case", lambda data: data.replace(
        uuid(TARGETS, 1).encode(), uuid(TARGETS, 1).upper().encode()))
    form("j02-desired-kind", "a kind of target that nobody knows", lambda data: data.replace(b'"kind":"docker"', b'"kind":"podman"'))
    form("j02-desired-repository", "an image without a registry host", lambda data: data.replace(
        b'"repository":"' + AUTOHEAL.encode() + b'"', b'"repository":"distr/autoheal"'))
    form("j02-desired-deep", "nested nine deep", lambda data: data.replace(b'"removed":[', b'"removed":[' + b"[" * 7 + b"]" * 7 + b",", 1),
         "depth", "E-LIMIT")
    form("j02-desired-long-string", "a name of 5,000 bytes", lambda data: data.replace(b'"name":"cluster"', b'"name":"' + b"n" * 5000 + b'"'),
         "string-length", "E-LIMIT")
    case("j02-desired-items", "10,001 removals", lambda s, d, k: s.state.update(removed=[uuid(REMOVED, n) for n in range(10_001)]),
         "items", "E-LIMIT")
    for kind, most in (("compose", verify.MIB), ("env", verify.MIB), ("values", verify.MIB), ("desired-state", 4 * verify.MIB)):
        def larger(head, kind=kind, most=most):
            for entry in head["documents"]:
                entry["size"] = most + 1 if entry["type"] == kind else entry["size"]
        case(f"j02-document-size-{kind}", f"a {kind} document of {most + 1} bytes", lambda s, d, k: None, "document-size", "E-LIMIT", "X5",
             ("head", larger))
    def secret(head):
        for entry in head["documents"]:
            entry["type"] = "secret" if entry["type"] == "values" else entry["type"]
    case("j11-secret-document", "a document of a type for secrets, in clear", lambda s, d, k: None, "grammar", "E-FORMAT", "X5",
         ("head", secret))
    case("desired-document-other-size", "the head states another size of the desired state than the index", lambda s, d, k: None,
         "unlisted", hook=("head", shorter))

    second = {"created_at": ISSUED, "id": uuid(AGENTS, 0), "name": "3.0.0"}
    case("desired-agents-order", "agent versions out of order", lambda s, d, k: s.state["agents"].append(second))
    case("desired-targets-order", "targets out of order", lambda s, d, k: s.state["targets"].reverse())
    case("desired-removed-order", "removals out of order", lambda s, d, k: s.state["removed"].reverse())
    case("desired-target-twice", "two targets with one id", kubernetes_target(id=uuid(TARGETS, 1)))
    case("desired-deployment-twice", "two deployments with one id", release(id=uuid(DEPLOYMENTS, 1)))
    case("desired-deployment-is-target", "a deployment with the id of a target", release(id=uuid(TARGETS, 2)))
    case("desired-removed-target", "a target is removed and there", lambda s, d, k: s.state.update(removed=[uuid(TARGETS, 1)]))
    case("desired-removed-deployment", "a deployment is removed and there", lambda s, d, k: s.state.update(removed=[uuid(DEPLOYMENTS, 1)]))
    case("desired-revision-twice", "two deployments with one revision", release(revision=uuid(REVISIONS, 1)))
    case("desired-name-twice", "two targets of one name", kubernetes_target(name="Druckerei Süd"))
    case("desired-name-empty", "a target without a name", kubernetes_target(name=""))
    case("desired-name-long", "a name of 129 bytes", kubernetes_target(name="é" * 64 + "x"))
    case("desired-name-control", "a C1 control character in a name", kubernetes_target(name="a\u0085b"))
    case("desired-agent-name", "a space in the name of an agent version", agent(name="3.1 0"))
    case("desired-agent-unlisted", "a target whose agent version is not listed", docker_target(agent=uuid(AGENTS, 9)))
    case("desired-agent-no-image", "an agent version without an image for the target", agent(kubernetes=None))
    case("desired-agent-no-autoheal", "an agent version for docker without autoheal", agent(autoheal=None))
    case("desired-kubernetes-missing", "a kubernetes target without its member", kubernetes_target(kubernetes=None))
    case("desired-kubernetes-on-docker", "a docker target with the member kubernetes", lambda s, d, k: d.update(kubernetes=k["kubernetes"]))
    case("desired-namespace", "a namespace that is no label", place(namespace="erp_test"))
    case("desired-quantity", "a quantity with a quote", lambda s, d, k: k["kubernetes"]["resources"].update(cpu_limit='1"'))
    case("desired-socket", "a socket path with a colon", docker_target(docker_socket="/run/a:/etc"))
    case("desired-socket-kubernetes", "a docker socket in a cluster", kubernetes_target(docker_socket="/run/docker.sock"))
    case("desired-deployments-order", "deployments out of order", lambda s, d, k: d["deployments"].append(
        {**d["deployments"][0], "id": uuid(DEPLOYMENTS, 0), "revision": uuid(REVISIONS, 9)}))
    case("desired-version-empty", "a deployment without a version label", deployment(version=""))
    case("desired-no-compose", "a deployment on docker without its compose file", deployment(docker=None))
    case("desired-chart-on-docker", "a chart on a docker target", lambda s, d, k: d["deployments"][0].update(
        helm=k["deployments"][0]["helm"]))
    case("desired-images-order", "images out of order", lambda s, d, k: k["deployments"][0]["images"].reverse())
    case("desired-images-twice", "an image twice", lambda s, d, k: d["deployments"][0].update(images=[s.images[PRESS]] * 2))
    case("desired-release-name", "a helm release of 54 characters", helm(release_name="r" * 54))
    case("desired-chart-name", "a chart by another name than its repository's", helm(chart_name="crm"))
    case("desired-chart-version", "a version that is not the tag", helm(chart_version="1.2.3"))
    case("desired-timeout", "a timeout without unit", lambda s, d, k: k["deployments"][0]["helm"]["options"].update(timeout="300"))
    case("desired-timeout-long", "a timeout of 300 years", lambda s, d, k: k["deployments"][0]["helm"]["options"].update(timeout="2628000h"))


def shorter(head):
    for entry in head["documents"]:
        entry["size"] -= entry["type"] == "desired-state"
