//! Remedies about what lies in a vendor's folder: passphrases, key files, the ledger, and bundles that are signed in place.

use std::os::unix::fs::PermissionsExt as _;

use super::follow::{commands, copy, filled};
use super::workshop::{HEAD, IMAGES, Workshop};

const KEYS: &str = "w/keys/release-1.pem w/keys/release-2.pem";

fn shop() -> Workshop {
    let shop = Workshop::new();
    shop.write("release.yaml", &format!("{HEAD}{IMAGES}"));
    shop
}

#[test]
fn passphrases_are_given_as_the_message_says() {
    let shop = shop();
    shop.write_private("secret", "correct horse battery staple\n");
    shop.write_private("empty", "\n");
    let change = format!("vendor trust passphrase {KEYS}");
    let option = |remedy: &str| remedy.strip_prefix("give ").unwrap().replace("FILE", "secret");
    let remedy = shop.run(&change).remedy("E-TRUST", "passphrase");
    shop.good(&format!("{change} {}", option(&remedy)));
    let remedy = shop.create("").remedy("E-TRUST", "passphrase");
    shop.create(&option(&remedy)).succeeded();
    // A wrong one; and a file that holds none.
    let right = option(&remedy);
    shop.write_private("wrong", "something else\n");
    let remedy = shop.create("--passphrase-file wrong").remedy("E-TRUST", "passphrase");
    assert!(
        remedy.starts_with("give the passphrase that it was saved with"),
        "{remedy}"
    );
    shop.create(&right).succeeded();
    let remedy = shop.create("--passphrase-file empty").remedy("E-TRUST", "passphrase");
    assert_eq!(remedy, "put the passphrase on the first line of that file");
    shop.write_private("empty", "correct horse battery staple\n");
    shop.create("--passphrase-file empty").succeeded();
    // A file that others may read is taken by nobody, until that is put right as the message says.
    let path = shop.path("empty");
    let mode = |mode: u32| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o640);
    let remedy = shop.create("--passphrase-file empty").remedy("E-TRUST", "key-file");
    assert!(remedy.contains("chmod 600") && remedy.contains("empty"), "{remedy}");
    mode(0o600);
    shop.create("--passphrase-file empty").succeeded();
    // A key whose passphrase is lost: another one takes its place, for which the root keys suffice.
    let remedy = shop.create("--passphrase-file wrong").remedy("E-TRUST", "passphrase");
    let shown = shop.good("vendor trust show");
    let keys = shown["roles"]["release"][0]["keys"].as_array().unwrap().clone();
    assert_eq!(keys.len(), 2);
    for key in &keys {
        std::fs::remove_file(shop.path("w/keys").join(key["file"].as_str().unwrap())).unwrap();
    }
    for key in &keys {
        let id = key["id"].as_str().unwrap();
        let command = filled(&commands(&remedy)[0], &[("ROLE", "release")]);
        shop.follow(&command, id).succeeded();
    }
    shop.create("--sequence 2").succeeded();
}

#[test]
fn keys_of_other_roles_are_looked_up_and_lost_files_come_from_the_backup() {
    let shop = shop();
    copy(&shop.path("w"), &shop.path("backup"));
    let put_back = || {
        std::fs::remove_dir_all(shop.path("w")).unwrap();
        copy(&shop.path("backup"), &shop.path("w"));
    };
    let remedy = shop.create("--key w/keys/root-1.pem").remedy("E-TRUST", "other-role");
    let shown = shop.follow(&commands(&remedy)[0], "");
    let file = shown.succeeded()["roles"]["release"][0]["keys"][0]["file"].clone();
    shop.create(&format!("--key w/keys/{}", file.as_str().unwrap()))
        .succeeded();
    // A public key beside another private one.
    std::fs::copy(shop.path("w/keys/release-2.pub"), shop.path("w/keys/release-1.pub")).unwrap();
    let remedy = shop.create("").remedy("E-TRUST", "key-file");
    assert!(remedy.ends_with("back from your backup"), "{remedy}");
    put_back();
    shop.create("").succeeded();
    // The ledger.
    std::fs::remove_file(shop.path("w/ledger.db")).unwrap();
    let remedy = shop.create("").remedy("E-STATE", "database-missing");
    assert!(remedy.starts_with("put it back from your backup"), "{remedy}");
    put_back();
    shop.create("").succeeded();
}

#[test]
fn a_bundle_is_signed_in_place_after_what_the_message_says() {
    let shop = shop();
    shop.create("--unsigned").succeeded();
    let sign = |what: &str| shop.run(&format!("bundle sign --key w/keys/release-1.pem {what}"));
    let bundle = std::fs::File::open(shop.path("out.airlock")).unwrap();
    rustix::fs::flock(&bundle, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let remedy = sign("out.airlock").remedy("E-BUSY", "signing");
    assert!(remedy.starts_with("wait for the other signing to end"), "{remedy}");
    // Said, not only closed: a program that another test is starting has a copy of the file for a moment.
    rustix::fs::flock(&bundle, rustix::fs::FlockOperation::Unlock).unwrap();
    sign("out.airlock").succeeded();
    shop.good("bundle verify out.airlock --trust w/root.json");
}

#[test]
fn a_root_is_made_with_the_dates_that_the_message_asks_for() {
    let shop = shop();
    let init = "vendor init --product shop --vendor Test";
    let remedy = shop
        .run(&format!("{init} --expires 2026-02-01T00:00:00Z new"))
        .remedy("E-EXPIRED", "root");
    let options: Vec<&str> = remedy.split([' ', ',']).filter(|word| word.starts_with("--")).collect();
    assert_eq!(options, ["--expires", "--expires-years"]);
    shop.good(&format!("{init} {} 2100-01-01T00:00:00Z new", options[0]));
    shop.good(&format!("{init} {} 5 newer", options[1]));
}
