//! Remedies about a vendor's workspace and the bundles signed with it: roots, root keys, the ledger, sites.

use airlock::vendor_side::{Init, SigningTime, Workspace};

use super::follow::{commands, copy, filled};
use super::workshop::{HEAD, IMAGES, Workshop};
use crate::support::appliance::{read, write};

fn shop() -> Workshop {
    let shop = Workshop::new();
    shop.write("release.yaml", &format!("{HEAD}{IMAGES}"));
    shop
}

#[test]
fn an_expired_root_is_renewed_as_the_message_says() {
    let shop = shop();
    std::fs::remove_dir_all(shop.path("w")).unwrap();
    let issued = "2020-01-01T00:00:00Z".parse().unwrap();
    let init = Init {
        products: vec!["shop".parse().unwrap()],
        vendor: "Test".to_owned(),
        root_keys: 1,
        threshold: 1,
        time: SigningTime::at(issued),
        issued_at: issued,
        expires: "2021-01-01T00:00:00Z".parse().unwrap(),
    };
    drop(Workspace::init(&shop.path("w"), &init, None).unwrap());
    let remedy = shop.create("").remedy("E-EXPIRED", "root");
    for command in commands(&remedy) {
        shop.follow(&command, "").succeeded();
    }
    shop.write("release.yaml", &format!("{HEAD}{IMAGES}").replace("2099", "2028"));
    shop.create("").succeeded();
}

#[test]
fn root_keys_are_brought_or_the_root_is_carried_to_them() {
    let shop = shop();
    let away = crate::support::appliance::scratch();
    for entry in std::fs::read_dir(shop.path("w/keys")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.starts_with("root-") && path.extension().is_some_and(|word| word == "pem") && name != "root-1.pem" {
            copy(&path, &away.path().join(&name));
            std::fs::remove_file(&path).unwrap();
        }
    }
    let change = "vendor trust add release";
    let remedy = shop.run(change).remedy("E-TRUST", "below-threshold");
    // The root carried to them.
    let part: Vec<&str> = remedy.split('`').skip(1).step_by(2).collect();
    let [propose, sign, adopt] = part[..] else {
        panic!("{remedy}")
    };
    let root = ("FILE", "root-2.json");
    shop.follow(&filled(propose, &[root]), "--expires-years 5").succeeded();
    for key in [shop.path("w/keys/root-1.pem"), away.path().join("root-2.pem")] {
        let sign = filled(sign, &[root, ("KEY", key.to_str().unwrap())]);
        shop.follow(&sign, "").succeeded();
    }
    shop.follow(&filled(adopt, &[root]), "").succeeded();
    // The keys brought here.
    shop.run(change).remedy("E-TRUST", "below-threshold");
    copy(&away.path().join("root-2.pem"), &shop.path("w/keys"));
    shop.good(change);
}

#[test]
fn a_damaged_ledger_is_put_back() {
    let shop = shop();
    shop.write("one.yaml", "services:\n  a:\n    image: example.com/web:2\n");
    let release = |n: u64| {
        format!(
            "{HEAD}agents:\n- name: 3.1.0\n  docker: {{source: 'oci:hello:1.0', name: 'a.example.com/d:1'}}\n  \
             autoheal: {{source: 'oci:hello:1.0', name: 'a.example.com/h:1'}}\n\
             applications:\n- {{name: one, version: \"1\", compose: one.yaml, images: {{'example.com/web:2': 'oci:hello:1.0'}}}}\n\
             targets:\n- {{name: press-1, kind: docker, deployments: [{{application: one}}]}}\n"
        )
        .replace("sequence: 1", &format!("sequence: {n}"))
    };
    shop.build(&release(1)).succeeded();
    copy(&shop.path("w"), &shop.path("backup"));
    let ledger = rusqlite::Connection::open(shop.path("w/ledger.db")).unwrap();
    assert_eq!(ledger.execute("UPDATE signed_fleet SET state = x'7b'", []).unwrap(), 1);
    drop(ledger);
    let remedy = shop.build(&release(2)).remedy("E-STATE", "ledger");
    assert_eq!(remedy, "put the workspace back from your backup");
    std::fs::remove_dir_all(shop.path("w")).unwrap();
    copy(&shop.path("backup"), &shop.path("w"));
    shop.build(&release(2)).succeeded();
}

#[test]
fn what_cannot_be_signed_in_place_is_signed_as_the_message_says() {
    let shop = shop();
    shop.create("--unsigned").succeeded();
    let sign = |what: &str| {
        shop.run(&format!(
            "bundle sign --key w/keys/release-1.pem --trust w/root.json {what}"
        ))
    };
    let verify = |more: &str| shop.good(&format!("bundle verify out.airlock --trust w/root.json {more}"));
    let whole = read(&shop.path("out.airlock"));
    // A folder; a pipe.
    std::fs::create_dir(shop.path("folder")).unwrap();
    copy(&shop.path("out.airlock"), &shop.path("folder"));
    let remedy = sign("folder").remedy("E-USAGE", "not-a-file");
    assert_eq!(remedy, "name the bundle file in the folder itself");
    sign("folder/out.airlock").succeeded();
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mkfifoat(rustix::fs::CWD, shop.path("pipe"), mode).unwrap();
    let remedy = sign("pipe").remedy("E-USAGE", "not-a-file");
    assert!(remedy.starts_with("name the bundle file itself, or copy"), "{remedy}");
    sign("out.airlock").succeeded();
    verify("");
    // No file can be written beside it: the signature in a file of its own, or a copy elsewhere.
    write(&shop.path("out.airlock"), &whole);
    std::fs::create_dir(shop.path("out.airlock.old-head")).unwrap();
    let ran = sign("out.airlock");
    let remedy = ran.remedy("E-STATE", "planted");
    let option = remedy.split(',').next().unwrap();
    let option = &option[option.find("--detached").unwrap()..];
    sign(&format!("{} out.airlock", option.replace("FILE", "out.sig"))).succeeded();
    shop.good("bundle verify out.airlock --trust w/root.json --signatures out.sig");
    std::fs::create_dir(shop.path("elsewhere")).unwrap();
    copy(&shop.path("out.airlock"), &shop.path("elsewhere"));
    sign("elsewhere/out.airlock").succeeded();
}

#[test]
fn a_site_with_other_keys_is_asked_which_appliance_is_the_real_one() {
    use airlock::crypto::{Chain, Enrolment, RecipientKey, SigningKey};
    use airlock::domain::Timestamp;
    let shop = shop();
    let domain = Chain::parse(&read(&shop.path("w/root.json"))).unwrap().domain();
    let enrol = |status: u8| {
        let status = SigningKey::from_secret(&[status; 32]);
        let site = "0123456789abcdef0123456789abcdef".parse().unwrap();
        let recipient = RecipientKey::x25519([9; 32]);
        let file = Enrolment::sign(site, domain, recipient, Timestamp::EPOCH, &status);
        write(&shop.path("plant.json"), &file);
        shop.run("vendor enroll --yes plant.json --name plant")
    };
    enrol(1).succeeded();
    let remedy = enrol(2).remedy("E-EQUIVOCATION", "site-keys");
    assert!(
        remedy.starts_with("ask the site which appliance is the real one"),
        "{remedy}"
    );
    enrol(1).succeeded();
    shop.create("--site plant").succeeded();
}

#[test]
fn a_root_that_differs_is_answered_with_another_copy() {
    let shop = shop();
    copy(&shop.path("w"), &shop.path("forked"));
    for workspace in ["w", "forked"] {
        shop.good(&format!("vendor trust add release -w {workspace}"));
    }
    shop.good("init --site plant --trust w/root.json --state state");
    shop.create("-w forked").succeeded();
    let import = || shop.run("import out.airlock --state state");
    let remedy = import().remedy("E-TRUST", "other-root");
    assert!(remedy.starts_with("copy the bundle again;"), "{remedy}");
    let fingerprint = |workspace: &str| {
        let shown = shop.good(&format!("vendor trust show -w {workspace}"));
        shown["fingerprint"].as_str().unwrap().to_owned()
    };
    let here = shop.good("trust show --state state").to_string();
    assert!(here.contains(&fingerprint("w")), "{here}");
    assert!(!here.contains(&fingerprint("forked")), "{here}");
    shop.create("").succeeded();
    import().succeeded();
}

#[test]
fn key_files_are_left_without_a_passphrase_as_the_message_says() {
    if !crate::vendor::passphrases::terminal() {
        return;
    }
    let shop = shop();
    let change = "vendor trust passphrase w/keys/release-1.pem w/keys/release-2.pem";
    // Nothing is typed but the end of the line.
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/vendor/terminal.py");
    let answers = serde_json::json!([["new passphrase", ""]]);
    let output = crate::support::python::python()
        .args([script, &answers.to_string(), crate::support::appliance::AIRLOCK])
        .args(change.split(' '))
        .current_dir(shop.path(""))
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let shown = String::from_utf8(output.stdout).unwrap();
    let option = shown.split_whitespace().find(|word| *word == "--remove");
    shop.good(&format!("{change} {}", option.unwrap_or_else(|| panic!("{shown}"))));
    shop.create("").succeeded();
}
