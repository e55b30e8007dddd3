//! X6: is the bundle for this site?

use crate::bundle::Head;
use crate::domain::{Audience, Class, Error, Name, Result, SiteId, Step, Version};

/// X6: does the site take this product and channel at all?
pub(in crate::appliance::import) fn check_scope(head: &Head, accept: &[(Name, Name)]) -> Result<()> {
    let taken = accept
        .iter()
        .any(|(product, channel)| *product == head.product && *channel == head.channel);
    if accept.is_empty() || taken {
        return Ok(());
    }
    let named: Vec<String> = accept
        .iter()
        .map(|(product, channel)| format!("{product}/{channel}"))
        .collect();
    Err(Error::new(
        Class::Audience,
        "scope",
        format!("the bundle belongs to {}", head.scope()),
    )
    .expected(named.join(", "))
    .remedy("use a bundle of these, or name its product and channel under `accept` in the configuration")
    .at(Step::X6))
}

/// X6: is it for this site, and can this airlock take it?
pub(in crate::appliance::import) fn check_audience(head: &Head, site: &SiteId) -> Result<()> {
    if !head.audience.includes(site) {
        let count = match &head.audience {
            Audience::Any(_) => 0,
            Audience::Sites(sites) => sites.len(),
        };
        return Err(Error::new(
            Class::Audience,
            "site",
            match count {
                0 => "the bundle is for no site at all".to_owned(),
                1 => "the bundle is for one site, and it is not this one".to_owned(),
                several => format!("the bundle is for {several} sites and this one is not among them"),
            },
        )
        .expected(format!("the site id {site}"))
        .remedy("ask the vendor for this site's bundle")
        .at(Step::X6));
    }
    if head.minimum_appliance > Version::current() {
        return Err(Error::new(
            Class::Audience,
            "appliance-version",
            format!("the bundle wants airlock {} or newer", head.minimum_appliance),
        )
        .expected(format!("at most {}", Version::current()))
        .remedy("update airlock on this appliance first")
        .at(Step::X6));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::appliance::import::policy::fixtures::head;

    const SITE: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn a_bundle_is_for_its_sites_channels_and_versions() {
        let refusal = |result: Result<()>| {
            let error = result.unwrap_err();
            assert_eq!((error.class(), error.step()), (Class::Audience, Some(Step::X6)));
            error.code()
        };
        let site: SiteId = SITE.parse().unwrap();
        let mut head = head(0, 1);
        check_audience(&head, &site).unwrap();
        head.audience = Audience::Sites(vec![site.clone()]);
        check_audience(&head, &site).unwrap();
        for other in [vec![], vec![SITE.replace('0', "1").parse().unwrap()]] {
            head.audience = Audience::Sites(other);
            assert_eq!(refusal(check_audience(&head, &site)), "site");
        }
        head.audience = Audience::ANY;
        head.minimum_appliance = Version::current();
        check_audience(&head, &site).unwrap();
        head.minimum_appliance = Version::new(u32::MAX, 0, 0);
        assert_eq!(refusal(check_audience(&head, &site)), "appliance-version");
        let accept = |product: &str, channel: &str| vec![(product.parse().unwrap(), channel.parse().unwrap())];
        check_scope(&head, &[]).unwrap();
        check_scope(&head, &accept("crm", "stable")).unwrap();
        assert!(check_scope(&head, &accept("crm", "edge")).unwrap_err().class() == Class::Audience);
        assert!(check_scope(&head, &accept("erp", "stable")).unwrap_err().class() == Class::Audience);
    }
}
