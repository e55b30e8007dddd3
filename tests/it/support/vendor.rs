//! Collecting and packing as the vendor side does it.

use airlock::bundle::{BundleContent, BundleLayout, Packing, ReleaseStatement};
use airlock::crypto::Chain;
use airlock::domain::{Audience, Digest, Error, Result, Version};
use airlock::vendor_side::collect::{ImageOptions, ImageRequest, Platform, RegistryOptions, Source, Sources, collect};
use airlock::vendor_side::{Init, SigningTime, Workspace};
use std::path::Path;
use std::time::Duration;

/// Collects one image under `registry.test/acme/app`, and lets retries happen at once.
pub(crate) fn take(source: &str, platforms: &[&str]) -> Result<(BundleContent, Sources)> {
    take_with(source, platforms, RegistryOptions::default())
}

/// As [`take`], with registry options.
pub(crate) fn take_with(
    source: &str,
    platforms: &[&str],
    options: RegistryOptions,
) -> Result<(BundleContent, Sources)> {
    let platforms: Vec<Platform> = platforms.iter().map(|text| text.parse().unwrap()).collect();
    let request = ImageRequest {
        source: Source::parse(source, Path::new("/")).unwrap(),
        name: Some(("registry.test/acme/app".parse().unwrap(), None)),
        options: ImageOptions::default(),
    };
    let options = RegistryOptions {
        first_pause: Duration::from_millis(1),
        ..options
    };
    collect(&[request], &platforms, Vec::new(), &options, |_| {})
}

/// Packs what was collected, reading every byte, and returns the payload.
pub(crate) fn pack(content: &BundleContent, sources: &Sources) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let release = ReleaseStatement {
        product: "app".parse().unwrap(),
        channel: "stable".parse().unwrap(),
        version: "1".to_owned(),
        epoch: 0,
        sequence: 1,
        issued_at: "2026-01-01T00:00:00Z".parse().unwrap(),
        expires: "2027-01-01T00:00:00Z".parse().unwrap(),
        audience: Audience::ANY,
        home_hosts: Vec::new(),
        minimum_appliance: Version::new(0, 1, 0),
    };
    BundleLayout::new(&release, content, &chain(), Packing::default())?.write_payload(
        content.clone(),
        sources,
        &mut out,
        |_| {},
    )?;
    Ok(out)
}

fn chain() -> Chain {
    let folder = super::appliance::scratch();
    let init = Init {
        products: vec!["app".parse().unwrap()],
        vendor: "Test".to_owned(),
        root_keys: 1,
        threshold: 1,
        time: SigningTime::at("2026-01-01T00:00:00Z".parse().unwrap()),
        issued_at: "2026-01-01T00:00:00Z".parse().unwrap(),
        expires: "2036-01-01T00:00:00Z".parse().unwrap(),
    };
    let workspace = Workspace::init(&folder.path().join("w"), &init, None).unwrap();
    workspace.chain().clone()
}

/// Names as `TAG digest`, `- digest` without tag, in order.
pub(crate) fn names(content: &BundleContent) -> Vec<(Option<String>, Digest)> {
    content
        .tags
        .iter()
        .map(|line| {
            assert_eq!(line.repository.as_str(), "registry.test/acme/app");
            (line.tag.as_ref().map(ToString::to_string), line.digest)
        })
        .collect()
}

/// Class and code of a refusal.
pub(crate) fn refusal<T: std::fmt::Debug>(result: Result<T>) -> (&'static str, &'static str, String) {
    let error: Error = result.unwrap_err();
    (error.class().name(), error.code(), error.to_string())
}
