//! What runs, derived from the sequences of statuses that real agents sent: one test for each recorded scenario.

use super::*;

fn revision(name: &str) -> Uuid {
    Uuid::derived("test", &[name])
}

/// Revision, kind and message of each status, repetitions left out.
type Sequence<'a> = &'a [(&'a str, StatusKind, &'a str)];

fn after(sequences: &[Sequence<'_>]) -> Running {
    let mut runs = Runs::default();
    for (name, kind, message) in sequences.iter().copied().flatten() {
        runs.step(revision(name), *kind, message);
    }
    // What is kept on disk is the same.
    let text = serde_json::to_string(&runs).unwrap();
    assert_eq!(serde_json::from_str::<Runs>(&text).unwrap(), runs);
    runs.running()
}

fn is(name: &str) -> Running {
    Running::Revision(revision(name))
}

use StatusKind::{Error, Healthy, Progressing, Running as Runs_};

const A_FIRST_DEPLOY: Sequence<'_> = &[
    ("3ef7", Progressing, "compose command executed successfully"),
    (
        "3ef7",
        Progressing,
        "status check results: 1 running (healthchecks missing), 1 starting",
    ),
    (
        "3ef7",
        Runs_,
        "status check results: 1 healthy, 1 running (healthchecks missing)",
    ),
];
const B_STEADY: Sequence<'_> = &[(
    "3ef7",
    Runs_,
    "status check results: 1 healthy, 1 running (healthchecks missing)",
)];
const C_UPDATE: Sequence<'_> = &[
    ("59c2", Progressing, "Pulling 127.0.0.1:18585/acme-lab/web:2.0: done\n"),
    ("59c2", Progressing, "compose command executed successfully"),
    ("59c2", Progressing, "status check results: 1 starting"),
    ("59c2", Healthy, "status check results: 1 healthy"),
];
const D_FAIL: Sequence<'_> = &[
    (
        "d8ea",
        Error,
        "compose up failed: Error response from daemon: repository 127.0.0.1:18585/acme-lab/web not found: name unknown: Unknown name\nError response from daemon: no such image: x",
    ),
    (
        "d8ea",
        Error,
        "compose up failed: Error response from daemon: repository 127.0.0.1:18585/acme-lab/web not found: name unknown: Unknown name",
    ),
];
const D2_RECOVER: Sequence<'_> = &[
    ("5124", Progressing, "initializing compose service"),
    ("5124", Progressing, "Started Container distr-58d6b194-web-1\n"),
    ("5124", Progressing, "compose command executed successfully"),
    ("5124", Progressing, "status check results: 1 starting"),
    ("5124", Healthy, "status check results: 1 healthy"),
];
const F1_FALSE_ERROR: Sequence<'_> = &[
    ("5124", Healthy, "status check results: 1 healthy"),
    (
        "5124",
        Error,
        "docker login failed for 127.0.0.1:18585: failed to validate the credentials for 127.0.0.1:18585",
    ),
    ("5124", Healthy, "status check results: 1 healthy"),
];
const J_SELF_UPDATE: Sequence<'_> = &[
    ("5124", Error, "error applying agent manifest: exit status 125"),
    ("5124", Healthy, "status check results: 1 healthy"),
    ("5124", Error, "error applying agent manifest: exit status 125"),
    ("5124", Healthy, "status check results: 1 healthy"),
];
const K_SWARM: Sequence<'_> = &[
    (
        "a3d8",
        Progressing,
        "Creating network distr-c693edeb_default\nCreating service distr-c693edeb_web\n",
    ),
    (
        "a3d8",
        Error,
        "service distr-c693edeb_web is not running: running=0, desired=1",
    ),
    ("a3d8", Healthy, "status check passed"),
];
const K_SWARM_UPDATE: Sequence<'_> = &[
    (
        "2254",
        Error,
        "Error response from daemon: rpc error: code = Unknown desc = update out of sequence",
    ),
    ("2254", Healthy, "status check passed"),
    (
        "2254",
        Error,
        "service distr-c693edeb_web is not running: running=0, desired=1",
    ),
    ("2254", Healthy, "status check passed"),
];
const L_ONE_SHOT: Sequence<'_> = &[
    ("1c9f", Progressing, "compose command executed successfully"),
    (
        "1c9f",
        Error,
        "service distr-b6abcf2d-once-1 is not in running state: state=exited, status=Exited (0) 4 seconds ago, exitCode=0",
    ),
];
const M2_RUNTIME_TOO_OLD: Sequence<'_> = &[(
    "e40f",
    Error,
    "compose up failed: Error response from daemon: failed to create task for container: failed to create shim task",
)];
const N_UNHEALTHY: Sequence<'_> = &[(
    "c4fe",
    Error,
    "service distr-5cefec92-web-1 is not healthy: state=running, health=unhealthy, status=Up 19 seconds (unhealthy)",
)];
const O_NO_REGISTRY: Sequence<'_> = &[("b3fa", Error, "invalid reference: invalid registry \"\"")];
const KUBE_A_INSTALL: Sequence<'_> = &[
    ("ed70", Runs_, "helm install succeeded"),
    ("ed70", Healthy, "status check passed. 2 resources healthy"),
];
const KUBE_B_UPGRADE: Sequence<'_> = &[
    ("96de", Runs_, "helm upgrade succeeded; force restart succeeded"),
    ("96de", Healthy, "status check passed. 2 resources healthy"),
];
const KUBE_C_MISSING_CHART: Sequence<'_> = &[(
    "687b",
    Error,
    "upgrade error: helm upgrade failed: helm preflight failed: could not locate chart: failed to perform \"FetchReference\"",
)];
const KUBE_D_ROLLBACK: Sequence<'_> = &[
    (
        "9f95",
        Error,
        "upgrade error: helm upgrade failed: helm upgrade failed: release shop failed, and has been rolled back due to rollback-on-failure being set",
    ),
    ("9f95", Healthy, "status check passed. 2 resources healthy"),
];
const KUBE_E_CLASSIC: Sequence<'_> = &[("9f95", Healthy, "status check passed. 2 resources healthy")];

#[test]
fn the_docker_agents_life() {
    assert_eq!(after(&[]), Running::Unknown(Doubt::NoStatus));
    assert_eq!(after(&[A_FIRST_DEPLOY]), is("3ef7"));
    assert_eq!(after(&[B_STEADY]), is("3ef7"), "a docker agent checks what it applied");
    assert_eq!(after(&[A_FIRST_DEPLOY, B_STEADY, C_UPDATE]), is("59c2"));
    assert_eq!(
        after(&[A_FIRST_DEPLOY, &C_UPDATE[..1]]),
        is("3ef7"),
        "a pull changes nothing"
    );
    assert_eq!(
        after(&[C_UPDATE, D_FAIL]),
        is("59c2"),
        "an image that is missing changes nothing"
    );
    assert_eq!(after(&[D_FAIL]), Running::Unknown(Doubt::Before));
    assert_eq!(after(&[C_UPDATE, D_FAIL, D2_RECOVER]), is("5124"));
    assert_eq!(
        after(&[C_UPDATE, D_FAIL, &D2_RECOVER[..2]]),
        Running::Unknown(Doubt::Applying),
        "containers are being replaced"
    );
}

#[test]
fn errors_that_are_none_of_the_deployment() {
    assert_eq!(after(&[F1_FALSE_ERROR]), is("5124"));
    assert_eq!(after(&[&F1_FALSE_ERROR[..2]]), is("5124"));
    assert_eq!(after(&[J_SELF_UPDATE]), is("5124"));
    assert_eq!(after(&[&J_SELF_UPDATE[..1]]), Running::Unknown(Doubt::NoStatus));
    assert_eq!(after(&[C_UPDATE, O_NO_REGISTRY]), is("59c2"), "it could not even begin");
    assert_eq!(after(&[O_NO_REGISTRY]), Running::Unknown(Doubt::Before));
}

#[test]
fn a_failing_check_is_a_check_of_what_was_applied() {
    assert_eq!(after(&[L_ONE_SHOT]), is("1c9f"));
    assert_eq!(after(&[N_UNHEALTHY]), is("c4fe"));
    assert_eq!(after(&[K_SWARM]), is("a3d8"));
    assert_eq!(after(&[&K_SWARM[..1]]), is("a3d8"));
    assert_eq!(
        after(&[K_SWARM, &K_SWARM_UPDATE[..1]]),
        is("2254"),
        "the restart after it failed"
    );
    assert_eq!(after(&[K_SWARM, K_SWARM_UPDATE]), is("2254"));
}

#[test]
fn an_apply_that_failed_half_way_is_not_known() {
    assert_eq!(
        after(&[C_UPDATE, M2_RUNTIME_TOO_OLD]),
        Running::Unknown(Doubt::HalfApplied)
    );
    // What it left is a mixture, so a missing image after it does not bring certainty back.
    assert_eq!(
        after(&[C_UPDATE, M2_RUNTIME_TOO_OLD, D_FAIL]),
        Running::Unknown(Doubt::Before)
    );
    assert_eq!(after(&[C_UPDATE, M2_RUNTIME_TOO_OLD, D2_RECOVER]), is("5124"));
}

#[test]
fn the_kubernetes_agents_life() {
    assert_eq!(after(&[KUBE_A_INSTALL]), is("ed70"));
    assert_eq!(after(&[KUBE_A_INSTALL, KUBE_B_UPGRADE]), is("96de"));
    assert_eq!(
        after(&[KUBE_A_INSTALL, KUBE_B_UPGRADE, KUBE_C_MISSING_CHART]),
        is("96de")
    );
    let rolled_back = [KUBE_A_INSTALL, KUBE_B_UPGRADE, KUBE_C_MISSING_CHART, KUBE_D_ROLLBACK];
    assert_eq!(
        after(&rolled_back),
        is("96de"),
        "healthy after a rollback means the one before"
    );
    assert_eq!(
        after(&[KUBE_A_INSTALL, KUBE_B_UPGRADE, KUBE_D_ROLLBACK, KUBE_E_CLASSIC]),
        is("96de"),
        "and for ever"
    );
    assert_eq!(after(&[KUBE_D_ROLLBACK]), Running::Unknown(Doubt::Before));
    assert_eq!(
        after(&[KUBE_E_CLASSIC]),
        Running::Unknown(Doubt::Unseen),
        "the rollback may have come before the first status that was seen"
    );
    let kube_g = [
        ("e728", Runs_, "helm install succeeded"),
        ("e728", Healthy, "status check passed. 2 resources healthy"),
    ];
    assert_eq!(after(&[&kube_g]), is("e728"));
    assert_eq!(
        after(&[&kube_g, &kube_g[1..]]),
        is("e728"),
        "kube-i: a self-update changes nothing"
    );
}

#[test]
fn an_upgrade_without_a_word_of_rollback_is_not_known() {
    let failed = [(
        "new",
        Error,
        "upgrade error: helm upgrade failed: timed out waiting for the condition",
    )];
    let healthy = [("new", Healthy, "status check passed. 2 resources healthy")];
    assert_eq!(
        after(&[KUBE_B_UPGRADE, &failed]),
        Running::Unknown(Doubt::FailedUpgrade)
    );
    assert_eq!(
        after(&[KUBE_B_UPGRADE, &failed, &healthy]),
        Running::Unknown(Doubt::FailedUpgrade)
    );
    // Until one is reported as done.
    let done = [("new", Runs_, "helm upgrade succeeded")];
    assert_eq!(after(&[KUBE_B_UPGRADE, &failed, &done, &healthy]), is("new"));
    assert_eq!(
        after(&[KUBE_B_UPGRADE, KUBE_C_MISSING_CHART, &healthy_of("687b")]),
        Running::Unknown(Doubt::Unseen),
        "the chart came meanwhile, and the status that says so was lost"
    );
    // Statuses that were not seen: the appliance was away during the upgrade.
    assert_eq!(after(&[KUBE_B_UPGRADE, &healthy]), Running::Unknown(Doubt::Unseen));
}

fn healthy_of(name: &str) -> [(&str, StatusKind, &str); 1] {
    [(name, Healthy, "status check passed. 2 resources healthy")]
}

#[test]
fn going_back_to_an_earlier_release() {
    let again: Vec<_> = C_UPDATE
        .iter()
        .map(|(_, kind, message)| ("3ef7", *kind, *message))
        .collect();
    assert_eq!(after(&[A_FIRST_DEPLOY, C_UPDATE, &again]), is("3ef7"));
    assert_eq!(
        after(&[A_FIRST_DEPLOY, C_UPDATE, &again[..1]]),
        is("59c2"),
        "its images are pulled first"
    );
    let check = [("ed70", Healthy, "status check passed. 2 resources healthy")];
    assert_eq!(
        after(&[KUBE_A_INSTALL, KUBE_C_MISSING_CHART, &check]),
        is("ed70"),
        "it never stopped to run"
    );
}
