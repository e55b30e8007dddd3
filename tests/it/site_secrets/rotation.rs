//! A real application (web, database, mail) at two sites: which agents move with which value, and that no value shows anywhere.
#![allow(clippy::disallowed_methods, reason = "tests read what is there")]

use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use aho_corasick::AhoCorasick;
use airlock::domain::Clock as _;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use data_encoding::{HEXLOWER, HEXUPPER};
use serde_json::json;

use super::crossing::{Crossing, Reader, round};
use crate::agent::looping::Agent;
use crate::support::appliance::{Serving, read, wait_for};
use crate::support::client;

/// Begins every value that is entered or sealed here.
const MARK: &str = "r0t4te-c4n4ry";
const SITES: [&str; 2] = ["plant", "mill"];

const RELEASE: &str = "agents:
- name: 3.1.0
  docker: {source: 'oci:hello:1.0', name: 'a.example.com/d:1'}
  autoheal: {source: 'oci:hello:1.0', name: 'a.example.com/h:1'}
applications:
- {name: web, version: \"1\", compose: app/web.yaml, images: {'example.com/web:2': 'oci:hello:1.0'}}
- {name: database, version: \"1\", compose: app/database.yaml, env_file: app/database.env, images: {'example.com/web:2': 'oci:hello:1.0'}}
- {name: mail, version: \"1\", compose: app/mail.yaml, images: {'example.com/web:2': 'oci:hello:1.0'}}
targets:
- {name: press-1, kind: docker, deployments: [{application: web}, {application: database}, {application: mail}]}
secrets:
- {name: DB_PASSWORD, value: {site: generate}}
- {name: SMTP_PASSWORD, value: {site: ask}}
- {name: LICENCE, sites: {plant: {file: private/plant}, mill: {file: private/mill}}}
";

/// Writes the application, and what is sealed in the first release.
fn write_application(crossing: &Crossing) {
    let service = |name: &str, rest: &str| format!("services:\n  {name}:\n    image: example.com/web:2\n{rest}");
    let web = "    environment:\n      DB_URL: postgres://app:{{ .Secrets.DB_PASSWORD }}@database/app\n      LICENCE: \"{{ .Secrets.LICENCE }}\"\n";
    crossing.write("app/web.yaml", &service("web", web));
    let database = "    environment: {POSTGRES_PASSWORD: \"${DB_PASSWORD}\"}\n";
    crossing.write("app/database.yaml", &service("database", database));
    crossing.write("app/database.env", "DB_PASSWORD={{ .Secrets.DB_PASSWORD }}\n");
    let mail = "    configs: [{source: relay, target: /etc/relay}]\nconfigs:\n  relay:\n    content: |\n      user = shop\n      password = {{ .Secrets.SMTP_PASSWORD }}\n";
    crossing.write("app/mail.yaml", &service("mail", mail));
    for site in SITES {
        crossing.write(&format!("private/{site}"), &of(&format!("licence of {site}")));
    }
}

/// A value with everything in it that is written in another way somewhere.
fn of(what: &str) -> String {
    format!("{MARK} \"{what}\" $W/z+é")
}

/// A value as programs show it.
fn clothes(value: &str) -> Vec<String> {
    let json = serde_json::to_string(value).unwrap();
    let percent = |byte: u8| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    vec![
        value.to_owned(),
        json[1..json.len() - 1].to_owned(),
        value.bytes().map(percent).collect(),
        STANDARD.encode(value),
        STANDARD.encode(format!("a:{value}")),
        URL_SAFE.encode(format!("b64:{value}.")),
        HEXLOWER.encode(value.as_bytes()),
        HEXUPPER.encode(value.as_bytes()),
    ]
}

/// What to search for: of base64 what does not depend on what stands beside a value.
fn forms(value: &str) -> BTreeSet<String> {
    let bare = |text: String| text.trim_end_matches('=').to_owned();
    let mut forms: BTreeSet<String> = clothes(value).into_iter().take(3).collect();
    forms.extend([HEXLOWER.encode(value.as_bytes()), HEXUPPER.encode(value.as_bytes())]);
    forms.extend([
        value.replace('$', "$$").replace('"', "\\\""),
        value.replace('$', "\\$").replace('"', "\\\""),
    ]);
    for skip in 0..3 {
        let rest = &value.as_bytes()[skip..];
        let whole = rest.len() - rest.len() % 3;
        forms.extend([
            bare(STANDARD.encode(&rest[..whole])),
            bare(URL_SAFE.encode(&rest[..whole])),
        ]);
    }
    forms
}

/// Looks at the arguments of every process of this machine until it is stopped, and returns those in which a value stood.
struct CommandLines {
    done: std::sync::Arc<AtomicBool>,
    thread: JoinHandle<(usize, Vec<String>)>,
}

impl CommandLines {
    fn watch() -> Self {
        let done = std::sync::Arc::new(AtomicBool::new(false));
        let stopped = done.clone();
        let thread = std::thread::spawn(move || {
            let (mut looked, mut found) = (0, Vec::new());
            let marks = forms(MARK);
            while !stopped.load(Ordering::Relaxed) {
                for entry in fs::read_dir("/proc").unwrap().flatten() {
                    // Processes end meanwhile.
                    let Ok(line) = fs::read(entry.path().join("cmdline")) else {
                        continue;
                    };
                    let line = String::from_utf8_lossy(&line).into_owned();
                    looked += usize::from(line.contains("airlock"));
                    if marks.iter().any(|mark| line.contains(mark)) {
                        found.push(line);
                    }
                }
                std::thread::park_timeout(std::time::Duration::from_millis(2));
            }
            (looked, found)
        });
        Self { done, thread }
    }

    fn stop(self) {
        self.done.store(true, Ordering::Relaxed);
        let (looked, found) = self.thread.join().unwrap();
        assert!(looked > 0, "this program's own processes were seen");
        assert_eq!(found, Vec::<String>::new());
    }
}

struct Plant {
    serving: Serving,
    agent: Agent<Reader>,
}

/// Imports a release at a site, and waits until its server tells agents of it.
fn import(crossing: &Crossing, site: &str, bundle: &str, at: &Plant) {
    let before = client::get(at.serving.address, "/readyz").json()["generation"].as_u64();
    let imported = crossing.at(site, &["import", bundle], "");
    assert_eq!(imported["active"], json!(true), "{imported}");
    wait_for("the release", || {
        client::get(at.serving.address, "/readyz").json()["generation"].as_u64() > before
    });
}

/// Sets a secret, and goes rounds until the agent applied what it uses.
fn rotate(crossing: &Crossing, site: &str, name: &str, value: &str, at: &mut Plant) -> Vec<String> {
    crossing.at(site, &["secret", "set", name, "--replace"], value);
    let mut applied = Vec::new();
    wait_for("the value", || {
        applied = round(&mut at.agent);
        !applied.is_empty()
    });
    assert_eq!(round(&mut at.agent), Vec::<String>::new());
    applied
}

#[test]
fn a_real_application_moves_only_with_its_own_values_and_none_of_them_shows() {
    let watch = CommandLines::watch();
    let crossing = Crossing::new();
    write_application(&crossing);
    crossing.vendor("shop");
    for site in SITES {
        crossing.site(site, &["shop"]);
    }
    let first = crossing.release("shop", 1, RELEASE, &SITES);
    let mut sites = SITES.map(|site| {
        let imported = crossing.at(site, &["import", &first], "");
        assert_eq!(imported["waits_for"].as_array().unwrap().len(), 1, "{imported}");
        crossing.at(
            site,
            &["secret", "set", "SMTP_PASSWORD"],
            &of(&format!("mail of {site}")),
        );
        let serving = crossing.serve(site);
        let agent = crossing.agent(site, &serving, "press-1");
        Plant { serving, agent }
    });
    let mut values: Vec<String> = Vec::new();
    for (site, at) in SITES.iter().zip(&mut sites) {
        assert_eq!(round(&mut at.agent), ["database", "mail", "web"]);
        assert_eq!(round(&mut at.agent), Vec::<String>::new());
        let password = at.agent.engine.told("database").env("DB_PASSWORD").to_owned();
        assert_eq!(password.len(), 32);
        let (licence, mail) = (of(&format!("licence of {site}")), of(&format!("mail of {site}")));
        let url = format!("postgres://app:{password}@database/app");
        for (service, name, value) in [
            ("web", "LICENCE", &licence),
            ("web", "DB_URL", &url),
            ("database", "POSTGRES_PASSWORD", &password),
        ] {
            if let Some(found) = at.agent.engine.told(service).variable(service, name) {
                assert_eq!(&found, value);
            }
        }
        let told = at.agent.engine.told("mail");
        assert!(
            told.compose.contains(&mail.replace('$', "$$").replace('"', "\\\"")),
            "{}",
            told.compose
        );
        values.extend([password, licence, mail]);
    }
    assert_ne!(values[0], values[3], "each site made its own");

    // At one site, one value after the other: what uses it moves, and the other site's agent has nothing to do.
    let [plant, mill] = &mut sites;
    let (mail, password) = (
        of("another mail of plant"),
        of("another password of plant").replace(['"', '/'], ""),
    );
    assert_eq!(rotate(&crossing, "plant", "SMTP_PASSWORD", &mail, plant), ["mail"]);
    assert_eq!(
        rotate(&crossing, "plant", "DB_PASSWORD", &password, plant),
        ["database", "web"]
    );
    assert_eq!(plant.agent.engine.told("database").env("DB_PASSWORD"), password);
    assert_eq!(round(&mut mill.agent), Vec::<String>::new());
    values.extend([mail, password]);

    // By the vendor, for one of both sites: the other's agent applies nothing.
    crossing.write("private/mill", &of("another licence of mill"));
    values.push(of("another licence of mill"));
    let second = crossing.release("shop", 2, RELEASE, &SITES);
    import(&crossing, "plant", &second, plant);
    import(&crossing, "mill", &second, mill);
    assert_eq!(round(&mut plant.agent), Vec::<String>::new());
    assert_eq!(round(&mut mill.agent), ["web"]);
    let licence = of("another licence of mill");
    assert_eq!(
        mill.agent
            .engine
            .told("web")
            .variable("web", "LICENCE")
            .unwrap_or_else(|| licence.clone()),
        licence
    );

    // Applications print what they were given, in whatever clothes, in texts of statuses and in lines of logs.
    let now = [
        [of("licence of plant"), of("another mail of plant"), values[7].clone()],
        [licence, of("mail of mill"), values[3].clone()],
    ];
    for ((site, at), present) in SITES.iter().zip(&mut sites).zip(now) {
        print(at, &present);
        leave(&crossing, site);
    }
    drop(sites);
    watch.stop();
    search(&crossing, &values);
}

/// Has the agent of a site report what its applications print.
fn print(at: &mut Plant, values: &[String]) {
    let shown: Vec<String> = values.iter().flat_map(|value| clothes(value)).collect();
    at.agent.engine.trouble = Some(format!("exited: {}", shown.join(" | ")));
    round(&mut at.agent);
    let (deployment, record) = at.agent.records.first_key_value().unwrap();
    let now = airlock::domain::SystemClock.now().unix();
    let lines: Vec<_> = (0..)
        .zip(&shown)
        .map(|(nanos, line)| {
            json!({
                "id": "00000000-0000-0000-0000-000000000000", "deploymentId": deployment, "deploymentRevisionId": record.revision,
                "resource": "web", "severity": "Log", "body": format!("given {line}"),
                "timestamp": airlock::domain::AgentTime::from_parts(now, nanos).to_string(),
            })
        })
        .collect();
    assert_eq!(at.agent.send_logs(&lines.into()).unwrap(), 204);
}

/// Searches everything that either side keeps, carries or printed, but for where values belong: the vendor's own files, and at a site
/// `secrets/` and what agents themselves sent.
fn search(crossing: &Crossing, values: &[String]) {
    let forms: BTreeSet<String> = values.iter().flat_map(|value| forms(value)).collect();
    let forms = AhoCorasick::new(&forms).unwrap();
    assert!(!forms.is_match(&crossing.said()));
    let (mut searched, mut found) = (0, Vec::new());
    let mut folders = vec![crossing.path("")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() && name != "secrets" {
                folders.push(path);
            } else if path.is_file() && !name.starts_with("status.db") {
                searched += 1;
                if forms.is_match(&read(&path)) {
                    found.push(path.strip_prefix(crossing.path("")).unwrap().display().to_string());
                }
            }
        }
    }
    assert!(searched > 100, "{searched}");
    // That it finds them where they are shows that it would elsewhere.
    found.sort();
    assert_eq!(found, ["private/mill", "private/plant"]);
}

/// Everything that a person can have shown, and a package of every profile, which the vendor takes in.
fn leave(crossing: &Crossing, site: &str) {
    for words in [
        &["target", "watch", "--once"][..],
        &["target", "list"],
        &["secret", "list"],
        &["release", "list"],
    ] {
        crossing.at(site, words, "");
    }
    crossing.at(site, &["audit", "export", "-o", &format!("{site}.audit")], "");
    let stick = format!("{site}.stick");
    fs::create_dir(crossing.path(&stick)).unwrap();
    for profile in ["minimal", "standard", "full"] {
        let config = format!("{profile}.toml");
        crossing.write(&config, &format!("[export]\nprofile = \"{profile}\"\nredact = []\n"));
        crossing.at(site, &["status", "preview", "--lines", "--config", &config], "");
        crossing.at(site, &["status", "export", &stick, "--config", &config], "");
    }
    let packages = fs::read_dir(crossing.path(&stick)).unwrap();
    let mut packages: Vec<_> = packages.map(|entry| entry.unwrap().path()).collect();
    packages.sort();
    assert_eq!(packages.len(), 3, "{packages:?}");
    for package in packages {
        crossing.good(&["status", "verify", package.to_str().unwrap(), "-w", "shop.w"]);
    }
    crossing.good(&["status", "show", site, "-w", "shop.w"]);
}

/// One service that sends mail, on a target of this name.
fn mail_alone(target: &str) -> String {
    let kept = RELEASE.lines().filter(|line| {
        let is_other = ["name: web", "name: database", "name: press-1", "DB_PASSWORD", "LICENCE"];
        !is_other.iter().any(|other| line.contains(other))
    });
    let kept: Vec<&str> = kept.collect();
    let target = format!("targets:\n- {{name: {target}, kind: docker, deployments: [{{application: mail}}]}}");
    kept.join("\n").replace("targets:", &target) + "\n"
}

#[test]
fn a_secret_of_one_name_reaches_the_agents_of_its_own_vendor_alone() {
    let crossing = Crossing::new();
    write_application(&crossing);
    let vendors = [("shop", "press-1"), ("erp", "desk-1")];
    for (product, _) in vendors {
        crossing.vendor(product);
    }
    crossing.site("plant", &["shop", "erp"]);
    for (product, target) in vendors {
        let bundle = crossing.release(product, 1, &mail_alone(target), &["plant"]);
        crossing.at("plant", &["import", &bundle], "");
    }
    let words = ["secret", "set", "SMTP_PASSWORD", "--state", "plant.state"];
    let (ended, _) = crossing.run("json", &words, "x");
    let (class, code, _) = ended.refusal.unwrap();
    assert_eq!((class.as_str(), code.as_str()), ("E-USAGE", "secret"));
    let set = |product: &str, value: &str| {
        crossing.at(
            "plant",
            &["secret", "set", "--replace", "SMTP_PASSWORD", "--product", product],
            value,
        );
    };
    set("shop", "of the shop");
    set("erp", "of the erp");
    let serving = crossing.serve("plant");
    let mut agents = vendors.map(|(product, target)| {
        let mut agent = crossing.agent("plant", &serving, target);
        assert_eq!(round(&mut agent), ["mail"]);
        let told = &agent.engine.told("mail").compose;
        assert!(told.contains(&format!("password = of the {product}\\n")), "{told}");
        agent
    });
    set("erp", "another of the erp");
    let [shop, erp] = &mut agents;
    wait_for("the value", || round(erp) == ["mail"]);
    assert!(erp.engine.told("mail").compose.contains("another of the erp"));
    assert_eq!(round(shop), Vec::<String>::new());
    assert!(shop.engine.told("mail").compose.contains("of the shop"));
}
