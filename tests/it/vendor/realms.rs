//! Where credentials go (J11): to the registry and its token service, and to no host that merely asks for them.

use base64::Engine as _;
use serde_json::json;

use super::walls::{Around, advised};
use crate::support::image_set::ImageSet;
use crate::support::registry::{Access, Behaviour, TestRegistry};

#[test]
fn j11_credentials_go_to_the_registrys_own_token_service_or_to_one_by_name() {
    let pair = base64::engine::general_purpose::STANDARD.encode("user:secret");
    for access in [Access::Bearer, Access::Identity] {
        let mut image_set = ImageSet::default();
        let image = image_set.image("linux/amd64", b"layer");
        image_set.tag("1.0", &image);
        // The same machine under another name: for a client, another host.
        let registry = TestRegistry::start(
            image_set,
            Behaviour {
                access,
                realm_host: Some("localhost".to_owned()),
                ..Behaviour::default()
            },
        );
        let around = Around::new();
        around.release(
            "  compose: [compose.yaml]\n",
            &format!(
                "images: [{{source: '{}', name: 'b.example.com/x:1'}}]\n",
                registry.image(":1.0")
            ),
        );
        let auth = match access {
            Access::Identity => json!({"auth": pair, "identitytoken": "re/fresh"}),
            _ => json!({"auth": pair}),
        };
        around.write(
            "docker/config.json",
            &json!({"auths": {registry.host(): auth}}).to_string(),
        );
        let (class, code, event) = around.refused(&[]);
        assert_eq!((class.as_str(), code.as_str()), ("E-USAGE", "token-realm"), "{event}");
        assert!(
            registry.log().iter().all(|line| !line.contains("/token")),
            "nobody was asked for a token: {:?}",
            registry.log()
        );
        let advice = advised(&event, "--token-realm");
        let (_, code, _) = around.refused(&["--token-realm", "other.example.com=localhost"]);
        assert_eq!(code, "token-realm");
        around.created(&["--token-realm", &advice[0]]);
        assert!(registry.log().iter().any(|line| line.contains("/token")));
    }
}

#[test]
fn j11_what_a_token_service_is_sent_follows_no_redirect_to_another_host() {
    let pair = base64::engine::general_purpose::STANDARD.encode("user:secret");
    for access in [Access::Bearer, Access::Identity] {
        let thief = TestRegistry::start(ImageSet::default(), Behaviour::default());
        let registry = TestRegistry::start(
            ImageSet::default(),
            Behaviour {
                access,
                token_redirect: Some(format!("http://{}/token", thief.host())),
                ..Behaviour::default()
            },
        );
        let around = Around::new();
        around.release(
            "  compose: [compose.yaml]\n",
            &format!(
                "images: [{{source: '{}', name: 'b.example.com/x:1'}}]\n",
                registry.image(":1.0")
            ),
        );
        let auth = match access {
            Access::Identity => json!({"auth": pair, "identitytoken": "re/fresh"}),
            _ => json!({"auth": pair}),
        };
        around.write(
            "docker/config.json",
            &json!({"auths": {registry.host(): auth}}).to_string(),
        );
        let (class, code, event) = around.refused(&[]);
        assert_eq!(code, "registry", "{event}");
        assert_eq!(class, "E-IO");
        assert!(
            thief.log().iter().all(|line| !line.contains("/token")),
            "{:?}",
            thief.log()
        );
        // Asking again would change nothing.
        let asked = registry.log().iter().filter(|line| line.contains("/token")).count();
        assert_eq!(asked, 1, "{:?}", registry.log());
    }
}
