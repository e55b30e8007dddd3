//! Two vendors with a secret of one name: each product has its own value, and a person must say which is meant.

use airlock::appliance::secret::AskedSecret;
use airlock::domain::SecretValue;
use zeroize::Zeroizing;

use super::world::{ask, desired};
use crate::streams::site::Site;

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
        .set_secret(&of("crm"), value("of-a"), appliance.clock.now())
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
        .set_secret(&found, value("of-b"), appliance.clock.now())
        .unwrap();
    assert!(appliance.waiting_releases().unwrap().is_empty());
}
