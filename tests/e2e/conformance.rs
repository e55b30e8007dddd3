//! The distribution specification's own tests of pull and discovery, against what a site serves, and a client of artifacts.

use serde_json::Value;

use crate::http::digest;
use crate::process::Program;
use crate::world::World;
use crate::{NotHere, Outcome, ensure, failure};

const REPOSITORY: &str = "acme/signed";

/// All tests that a registry without pushing takes pass: ping, tags, manifests and blobs by GET and HEAD, referrers, what is missing, what is
/// no digest.
pub(crate) fn pull_and_discovery_conform(world: &World) -> Outcome {
    // Started with any word it runs, so that it is looked for instead.
    let path = std::env::var_os("PATH").unwrap_or_default();
    if !std::env::split_paths(&path).any(|folder| folder.join("conformance").is_file()) {
        return Err(NotHere("conformance").into());
    }
    let server = world.live()?;
    let client = server.client();
    let manifest = client.get(&format!("/v2/{REPOSITORY}/manifests/1.0"))?;
    let subject = digest(&manifest.body);
    let image: Value = manifest.json()?;
    let listed = client.get(&format!("/v2/{REPOSITORY}/referrers/{subject}"))?.json()?;
    let referrer = listed["manifests"][0]["digest"]
        .as_str()
        .ok_or("an image without referrers")?
        .to_owned();
    let layers = image["layers"].as_array().into_iter().flatten();
    let blobs: Vec<&str> = std::iter::once(&image["config"])
        .chain(layers)
        .filter_map(|blob| blob["digest"].as_str())
        .collect();
    let results = world.folder("conformance")?;
    let mut program = Program::new("conformance")
        .env("OCI_RESULTS_DIR", results)
        .env("OCI_REGISTRY", format!("127.0.0.1:{}", server.port))
        .env("OCI_TLS", "disabled")
        .env("OCI_REPO1", REPOSITORY)
        .env("OCI_VERSION", "1.1")
        // Of manifests it asks for that header of an answer that it has not kept.
        .env("OCI_API_BLOBS_DIGEST_HEADER", "true")
        .env("OCI_RO_DATA_TAGS", "1.0")
        .env("OCI_RO_DATA_MANIFESTS", format!("{subject} {referrer}"))
        .env("OCI_RO_DATA_BLOBS", blobs.join(" "))
        .env("OCI_RO_DATA_REFERRERS", subject);
    for api in ["PUSH", "BLOBS_DELETE", "MANIFESTS_DELETE", "TAGS_DELETE"] {
        program = program.env(&format!("OCI_API_{api}"), "false");
    }
    // It ends with an error of its own where there is data that a registry without pushing cannot have, after it has said everything.
    let said = program.run()?;
    let count = |what: &str| {
        let lines = said.stdout.lines().chain(said.stderr.lines());
        let mut lines = lines.filter_map(|line| {
            line.trim()
                .strip_prefix(what)?
                .trim_start_matches('.')
                .strip_prefix(':')
        });
        lines.find_map(|rest| rest.trim().parse::<u32>().ok())
    };
    match (count("Pass"), count("FAIL"), count("Error"), count("Skip")) {
        // As many requests as there are in what is named above.
        (Some(passed), Some(0), Some(0), Some(0)) => ensure(passed >= 20, || said.told()),
        _ => failure(said.told()),
    }
}

/// oras finds what refers to an image, and copies both with their digests.
pub(crate) fn oras_discovers_and_copies(world: &World) -> Outcome {
    crate::needs("oras")?;
    let server = world.live()?;
    let name = format!("127.0.0.1:{}/{REPOSITORY}", server.port);
    let subject = digest(&server.client().get(&format!("/v2/{REPOSITORY}/manifests/1.0"))?.body);
    let found = Program::new("oras")
        .args(["discover", "--plain-http", "--format", "json"])
        .arg(format!("{name}@{subject}"))
        .ok()?;
    ensure(found.contains("application/spdx+json"), || found.clone())?;
    let layout = world.folder("oras")?.join("layout");
    Program::new("oras")
        .args(["copy", "--recursive", "--from-plain-http", "--to-oci-layout"])
        .arg(format!("{name}:1.0"))
        .arg(format!("{}:1.0", layout.display()))
        .ok()?;
    let copied = std::fs::read(layout.join("blobs/sha256").join(subject.trim_start_matches("sha256:")))?;
    ensure(digest(&copied) == subject, || "another manifest was copied".to_owned())
}
