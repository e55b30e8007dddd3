//! What this appliance puts where documents of a release have places for it: its address (D9), and in compose files a deployment's name.

use super::site_view::SiteView;
use crate::bundle::Substitution;
use crate::domain::Uuid;

/// For any document.
pub(in crate::appliance) fn for_site(site: &SiteView) -> Substitution {
    Substitution::new(site.address(), &site.base())
}

/// For a compose file: also the name of the deployment's project or stack, which is the hub's, so that an agent that changes over from
/// the hub finds what runs already.
pub(in crate::appliance) fn for_compose(site: &SiteView, deployment: Uuid) -> Substitution {
    let id: String = deployment.to_string().chars().take(8).collect();
    for_site(site).with_project(format!("distr-{id}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_and_the_way_there_are_the_sites_and_the_name_is_the_hubs() {
        let secure = SiteView::new("a.example:5443", true, "5s", None).unwrap();
        let plain = SiteView::new("127.0.0.1:5000", false, "5s", None).unwrap();
        let id = "7b1c0a52-0d1e-4f5a-9c3b-2a1f0e9d8c7b".parse().unwrap();
        let document = b"https://registry.airlock.internal registry.airlock.internal/x project-airlock-internal";
        for (site, address, name) in [
            (&secure, "https://a.example:5443 a.example:5443/x", "distr-7b1c0a52"),
            (&plain, "http://127.0.0.1:5000 127.0.0.1:5000/x", "distr-7b1c0a52"),
        ] {
            let rendered = for_compose(site, id).whole(document);
            assert_eq!(*rendered, format!("{address} {name}").into_bytes());
            let rendered = for_site(site).whole(document);
            assert_eq!(*rendered, format!("{address} project-airlock-internal").into_bytes());
        }
    }
}
