//! Five applications shaped like well-known ones, from a vendor's folder to what their agents' compose reads: every secret is made,
//! entered or sealed, stands in its place, and reads back byte for byte.

use serde_json::json;

use super::crossing::{Crossing, round};
use crate::support::client;
use crate::vendor::compose::{composes, say};
use crate::vendor::whole_applications::{ASSISTANT_KEY, WIKI_LICENCE, lay_out};

/// What a person enters: everything that an environment file or a compose could read as something else.
const SMTP: &str = " p\"4'ss $HOME ${X:-y} $$ # \\n {{ .Secrets.PG_PASS }} ";

#[test]
fn five_applications_are_read_by_their_agents_compose_with_every_secret_in_its_place() {
    if !composes().iter().any(|compose| !compose.old) {
        say("no compose newer than 1 is here: what agents get is read by our own readers alone");
    }
    let crossing = Crossing::new();
    crossing.vendor("shop");
    crossing.site("plant", &["shop"]);
    let (release, _) = lay_out(&crossing.path(""));
    let bundle = crossing.release("shop", 1, &release, &["plant"]);
    let imported = crossing.at("plant", &["import", &bundle], "");
    assert_eq!(imported["active"], json!(false));
    let waits = imported["waits_for"].as_array().unwrap();
    assert_eq!((waits.len(), &waits[0]["name"]), (1, &json!("SMTP_PASSWORD")));
    crossing.at("plant", &["secret", "set", "SMTP_PASSWORD"], SMTP);
    let serving = crossing.serve("plant");
    let ready = client::get(serving.address, "/readyz").json();
    assert_eq!(ready["waiting"], json!([]), "{ready}");

    let mut agent = crossing.agent("plant", &serving, "press-1");
    let applied = round(&mut agent);
    assert_eq!(applied.len(), 5, "{applied:?}");
    let of = |service: &str| agent.engine.told(service);
    let made = |service: &str, name: &str, length: usize| {
        let value = of(service).env(name);
        assert_eq!(value.len(), length, "{name}: {value}");
        value.to_owned()
    };
    let photos = made("machine-learning", "DB_PASSWORD", 32);
    let identity = made("postgresql", "PG_PASS", 32);
    let identity_key = made("postgresql", "IDENTITY_SECRET_KEY", 60);
    let workflows_key = made("engine", "ENCRYPTION_KEY", 24);
    let workflows = made("engine", "POSTGRES_NON_ROOT_PASSWORD", 32);
    let tracker = made("relay", "SYSTEM_SECRET_KEY", 50);
    assert!(tracker.bytes().any(|byte| !byte.is_ascii_alphanumeric()), "{tracker}");
    assert_eq!(of("postgresql").env("IDENTITY_EMAIL__PASSWORD"), SMTP);

    // What containers get, as the compose says that starts them: of the application with the first service, the second one.
    for (application, service, name, value) in [
        ("machine-learning", "server", "DB_PASSWORD", &*photos),
        ("machine-learning", "database", "POSTGRES_PASSWORD", &photos),
        ("postgresql", "postgresql", "POSTGRES_PASSWORD", &identity),
        ("postgresql", "worker", "IDENTITY_SECRET_KEY", &identity_key),
        ("postgresql", "server", "IDENTITY_POSTGRESQL__PASSWORD", &identity),
        ("postgresql", "server", "IDENTITY_EMAIL__PASSWORD", SMTP),
        ("engine", "engine", "ENCRYPTION_KEY", &workflows_key),
        ("engine", "worker", "DB_POSTGRESDB_PASSWORD", &workflows),
        ("engine", "postgres", "POSTGRES_NON_ROOT_PASSWORD", &workflows),
        ("relay", "web", "ASSISTANT_API_KEY", ASSISTANT_KEY),
        ("relay", "web", "TRACKER_MAIL_PASSWORD", SMTP),
        ("relay", "cleanup", "SYSTEM_SECRET_KEY", &tracker),
    ] {
        if let Some(found) = of(application).variable(service, name) {
            assert_eq!(found, value, "{name} of {service}");
        }
    }
    if let Some(config) = &of("wiki").config {
        let licence = config["configs"]["licence"]["content"]
            .as_str()
            .unwrap()
            .replace("$$", "$");
        assert_eq!(licence, format!("# Of the vendor, for this plant\n{WIKI_LICENCE}\n"));
        assert_eq!(config["configs"]["db_pass"]["content"].as_str().unwrap().len(), 32);
    }

    // It runs, and nothing is applied a second time.
    assert_eq!(round(&mut agent), Vec::<String>::new());
    let running = agent.acknowledged.iter().filter(|status| status.kind == "running");
    assert_eq!(running.count(), 5);
    let listed = crossing.at("plant", &["secret", "list"], "");
    let missing = listed["secrets"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["state"] == "missing");
    assert_eq!(missing.count(), 0, "{listed}");
}
