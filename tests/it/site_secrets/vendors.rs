//! Two vendors with a secret of one name: each product has its own value, and a person must say which is meant.

use airlock::appliance::secret::{AskedSecret, Replaces};
use airlock::domain::SecretValue;
use zeroize::Zeroizing;

use super::world::{ask, desired};
use crate::streams::site::Site;
use crate::support::bundles::Vendor;

#[test]
fn a_secret_of_one_name_belongs_to_each_vendor_alone() {
    let site = Site::new();
    let uses = [ask("edge-0", "API_KEY", false)];
    let a = site.a.with_targets(1, |image| desired(image, 1, "a", &uses));
    site.import(&a).unwrap();
    site.pin(&site.b);
    let uses = [ask("edge-1", "API_KEY", false)];
    let b = site
        .b
        .with_targets_of("erp", 1, |image| desired(image, 2, "b", &uses).without(&["edge-0"]));
    site.import(&b).unwrap();
    let appliance = site.appliance();
    let name = "API_KEY".parse().unwrap();
    let asked = AskedSecret {
        name: &name,
        target: None,
        product: None,
        channel: None,
        vendor: None,
    };
    let error = appliance.find_secret(&asked).unwrap_err();
    assert_eq!(error.code(), "secret");
    for word in ["--product crm", "--product erp"] {
        assert!(error.advice().unwrap().contains(word), "{error}");
    }
    let value = |text: &str| SecretValue::new(Zeroizing::new(text.as_bytes().to_vec())).ok().unwrap();
    let of = |product| {
        appliance
            .find_secret(&AskedSecret {
                product: Some(product),
                ..asked
            })
            .unwrap()
    };
    appliance
        .set_secret(
            &of("crm"),
            value("of-a"),
            Replaces::Seen,
            appliance.clock.now(),
            &mut |_| Ok(true),
        )
        .unwrap();
    let waiting = appliance.waiting_releases().unwrap();
    assert_eq!(waiting.len(), 1, "the other vendor's waits still");
    assert_eq!(waiting[0].release.scope.product.as_str(), "erp");
    let domain = site.b.chain().domain().to_hex();
    let by_vendor = AskedSecret {
        vendor: Some(&domain[..8]),
        ..asked
    };
    let found = appliance.find_secret(&by_vendor).unwrap();
    assert_eq!(found.scope.domain, site.b.chain().domain());
    appliance
        .set_secret(
            &found,
            value("of-b"),
            Replaces::Seen,
            appliance.clock.now(),
            &mut |_| Ok(true),
        )
        .unwrap();
    assert!(appliance.waiting_releases().unwrap().is_empty());
}

#[test]
fn a_command_names_the_vendor_where_two_have_one_product() {
    let site = Site::new();
    let uses = [ask("edge-0", "API_KEY", false)];
    let a = site.a.with_targets(1, |image| desired(image, 1, "a", &uses));
    site.import(&a).unwrap();
    let command = |place: usize| site.appliance().waiting_releases().unwrap()[place].missing[0].remedy();
    assert_eq!(command(0), "airlock secret set API_KEY --product crm");
    site.pin(&site.b);
    let uses = [ask("edge-1", "API_KEY", false)];
    let b = site
        .b
        .with_targets_of("crm", 1, |image| desired(image, 2, "b", &uses).without(&["edge-0"]));
    site.import(&b).unwrap();
    let appliance = site.appliance();
    let waiting = appliance.waiting_releases().unwrap();
    assert_eq!(waiting.len(), 2);
    for one in &waiting {
        let command = one.missing[0].remedy();
        let (which, vendor) = command.split_once(" --vendor ").unwrap();
        assert_eq!(which, "airlock secret set API_KEY --product crm");
        let asked = AskedSecret {
            name: &one.missing[0].name,
            target: None,
            product: Some("crm"),
            channel: None,
            vendor: Some(vendor),
        };
        assert_eq!(appliance.find_secret(&asked).unwrap().scope, one.release.scope);
    }
}

/// A vendor that calls itself by the beginning of another's domain takes none of its commands.
#[test]
fn the_digits_of_a_domain_name_its_vendor_whatever_another_one_is_called() {
    let name: airlock::domain::SecretName = "API_KEY".parse().unwrap();
    let site = Site::new();
    let uses = [ask("edge-0", "API_KEY", false)];
    site.import(&site.a.with_targets(1, |image| desired(image, 1, "a", &uses)))
        .unwrap();
    let digits = site.a.chain().domain().to_hex()[..8].to_owned();
    let mut liar = Vendor::new();
    liar.rotate(|root| root.vendor.clone_from(&digits));
    site.pin(&liar);
    let uses = [ask("edge-1", "API_KEY", false)];
    let other = liar.with_targets_of("crm", 1, |image| desired(image, 2, "b", &uses).without(&["edge-0"]));
    site.import(&other).unwrap();
    let appliance = site.appliance();
    let asked = AskedSecret {
        name: &name,
        target: None,
        product: Some("crm"),
        channel: None,
        vendor: Some(&digits),
    };
    let found = appliance.find_secret(&asked).unwrap();
    assert_eq!(found.scope.domain, site.a.chain().domain());
    let own = liar.chain().domain().to_hex();
    let found = appliance
        .find_secret(&AskedSecret {
            vendor: Some(&own[..8]),
            ..asked
        })
        .unwrap();
    assert_eq!(found.scope.domain, liar.chain().domain());
}
