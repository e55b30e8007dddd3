//! One test per recording: its name, what is special about it, and the named differences that show in it, all of them and no other.

use super::recording::names;
use super::replay::{How, replay};

macro_rules! recordings {
    ($($test:ident $name:literal ($how:expr) [$($difference:literal),*];)*) => {
        $(
            #[test]
            fn $test() {
                replay($name, &$how, &[$($difference),*]);
            }
        )*

        const RECORDINGS: &[(&str, &[&str])] = &[$(($name, &[$($difference),*])),*];
    };
}

recordings! {
    a_first_deploy "a-first-deploy" (How::default()) ["base-body", "challenge", "more-headers", "no-store", "oci-errors", "whole-seconds"];
    b_steady "b-steady" (How::default()) ["no-store", "whole-seconds"];
    c_update "c-update" (How::default()) ["blob-type", "challenge", "more-headers", "no-store", "oci-errors", "whole-seconds"];
    connect "connect" (How::default()) ["agent-image", "interval", "no-store", "own-words", "script-words"];
    d_fail "d-fail" (How::default()) ["blob-type", "challenge", "more-headers", "no-store", "oci-errors", "whole-seconds"];
    d2_recover "d2-recover" (How::default()) ["no-store", "whole-seconds"];
    e_hub_down "e-hub-down" (How { outage: true, ..How::default() }) ["no-store", "whole-seconds"];
    f1_401_once "f1-401-once" (How::default()) ["base-body", "challenge", "more-headers", "no-store", "oci-errors", "whole-seconds"];
    f2_short_token "f2-short-token" (How::default()) ["base-body", "challenge", "more-headers", "no-store", "oci-errors", "whole-seconds"];
    f3_secret_rotated "f3-secret-rotated" (How::default()) ["no-store", "whole-seconds"];
    f4_wrong_secret_start "f4-wrong-secret-start" (How::default()) ["no-store"];
    g_undeploy "g-undeploy" (How::default()) ["no-store", "whole-seconds"];
    h_logs "h-logs" (How::default()) ["no-store", "whole-seconds"];
    i_metrics "i-metrics" (How::default()) ["no-store", "whole-seconds"];
    j1_self_update_no_image "j1-self-update-no-image" (How::default()) ["agent-image", "interval", "no-store", "whole-seconds"];
    j2_self_update_ok "j2-self-update-ok" (How::default()) ["agent-image", "base-body", "challenge", "interval", "more-headers", "no-store", "oci-errors", "whole-seconds"];
    k_swarm "k-swarm" (How::default()) ["base-body", "blob-type", "challenge", "more-headers", "no-store", "oci-errors", "whole-seconds"];
    kube_0_start "kube-0-start" (How::default()) ["no-store", "whole-seconds"];
    kube_a_install_oci "kube-a-install-oci" (How::default()) ["base-body", "blob-type", "challenge", "chart-address", "more-headers", "no-store", "oci-errors", "whole-seconds"];
    kube_b_upgrade "kube-b-upgrade" (How::default()) ["blob-type", "challenge", "chart-address", "more-headers", "no-store", "oci-errors", "whole-seconds"];
    kube_c_missing_chart "kube-c-missing-chart" (How::default()) ["challenge", "chart-address", "charts-travel", "more-headers", "no-store", "oci-errors", "whole-seconds"];
    kube_connect "kube-connect" (How::default()) ["agent-image", "interval", "no-store", "pod-template"];
    kube_d_bad_upgrade_rollback "kube-d-bad-upgrade-rollback" (How::default()) ["blob-type", "challenge", "chart-address", "more-headers", "no-store", "oci-errors", "whole-seconds"];
    kube_e_classic_repo "kube-e-classic-repo" (How::default()) ["base-body", "challenge", "chart-address", "more-headers", "no-store", "oci-errors", "whole-seconds"];
    kube_f_undeploy "kube-f-undeploy" (How::default()) ["no-store", "whole-seconds"];
    kube_g_objects "kube-g-objects" (How::default()) ["base-body", "blob-type", "challenge", "chart-address", "more-headers", "no-store", "oci-errors", "whole-seconds"];
    kube_h_live_reload "kube-h-live-reload" (How::default()) ["no-store", "whole-seconds"];
    kube_i_self_update "kube-i-self-update" (How::default()) ["agent-image", "chart-address", "interval", "no-store", "pod-template", "whole-seconds"];
    kube_j_undeploy "kube-j-undeploy" (How::default()) ["no-store", "whole-seconds"];
    l_env_file_two_deployments "l-env-file-two-deployments" (How::default()) ["base-body", "challenge", "more-headers", "no-store", "oci-errors", "whole-seconds"];
    login_api "login-api" (How { with: Some("o-no-registry-host"), ..How::default() }) ["agent-image", "base-body", "blob-type", "challenge", "interval", "json-only", "more-headers", "no-store", "oci-errors", "own-words", "successes-are-free", "whole-seconds"];
    m_registry_curl "m-registry-curl" (How::default()) ["base-body", "blob-type", "catalogue", "challenge", "more-headers", "no-access-tokens", "no-store", "not-modified", "oci-errors", "open-ranges", "own-name", "read-only", "referrers", "repositories", "scoped-blobs", "tags", "whole-seconds"];
    m2_modern_dockerd "m2-modern-dockerd" (How::default()) ["base-body", "blob-type", "challenge", "more-headers", "no-store", "oci-errors", "whole-seconds"];
    m3_redirect "m3-redirect" (How::default()) ["base-body", "challenge", "more-headers", "no-redirect", "no-store", "oci-errors", "whole-seconds"];
    n1_log_burst_503 "n1-log-burst-503" (How::default()) ["no-store", "whole-seconds"];
    n2_agent_log_hang "n2-agent-log-hang" (How::default()) ["no-store", "whole-seconds"];
    o_no_registry_host "o-no-registry-host" (How::default()) ["no-store", "whole-seconds"];
    p_target_deleted "p-target-deleted" (How { deleted: true, ..How::default() }) ["no-store", "own-words"];
    reconnect "reconnect" (How::default()) ["agent-image", "base-body", "challenge", "interval", "more-headers", "no-store", "oci-errors", "whole-seconds"];
}

#[test]
fn every_recording_is_replayed_and_every_difference_shows_somewhere() {
    let listed: Vec<&str> = RECORDINGS.iter().map(|(name, _)| *name).collect();
    assert_eq!(listed, names());
    for name in super::differences::all() {
        assert!(
            RECORDINGS.iter().any(|(_, shown)| shown.contains(&name)),
            "{name} is listed and never shows"
        );
    }
}
