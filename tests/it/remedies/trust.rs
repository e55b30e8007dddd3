//! Remedies about a vendor's keys, roots and known sites.

use super::follow::{Operator, commands, filled};
use super::workshop::{HEAD, IMAGES, Workshop};

fn shop() -> Workshop {
    let shop = Workshop::new();
    shop.write("release.yaml", &format!("{HEAD}{IMAGES}"));
    shop
}

#[test]
fn a_product_is_named_in_the_root_as_the_message_says() {
    let shop = shop();
    shop.edit("release.yaml", "product: shop", "product: desk");
    let remedy = shop.create("").remedy("E-TRUST", "product");
    for command in commands(&remedy) {
        shop.follow(&command, "").succeeded();
    }
    shop.create("").succeeded();
}

#[test]
fn folders_of_workspaces_are_chosen_as_the_message_says() {
    let shop = shop();
    let init = "vendor init --product shop --vendor Test --expires 2100-01-01T00:00:00Z";
    let remedy = shop.run(&format!("{init} w")).remedy("E-USAGE", "folder-in-use");
    assert_eq!(remedy, "choose another folder");
    shop.good(&format!("{init} other"));
    let remedy = shop
        .run(&format!("{} two", init.replace("Test", "\u{7}")))
        .remedy("E-USAGE", "vendor");
    let option = remedy.split_whitespace().last().unwrap();
    shop.good(&format!("{} {option} Test two", init.replace(" --vendor Test", "")));
    // A folder that is no workspace: the right one, or a new one.
    let remedy = shop.run("vendor trust show -w hello").remedy("E-USAGE", "no-workspace");
    assert!(remedy.ends_with("point -w at the right folder"), "{remedy}");
    shop.good("vendor trust show -w w");
    for command in commands(&remedy) {
        let words = command.replacen("NAME", "Test", 1);
        shop.follow(&filled(&words, &[("NAME", "shop"), ("DIR", "made")]), "")
            .succeeded();
    }
    shop.good("vendor trust show -w made");
}

#[test]
fn keys_are_looked_up_as_the_message_says() {
    let shop = shop();
    let ids = |remedy: &str| {
        let shown = shop.follow(&commands(remedy)[0], "");
        let root = shown.succeeded()["roles"]["release"][0]["keys"].clone();
        let keys = root.as_array().unwrap().clone();
        keys.iter()
            .map(|key| key["id"].as_str().unwrap().to_owned())
            .collect::<Vec<String>>()
    };
    // Which of two is meant.
    let refused = shop.run("vendor trust rotate release");
    let remedy = refused.remedy("E-USAGE", "which-key");
    let [first, second] = ids(&remedy).try_into().unwrap();
    let found = refused.refused["found"].as_str().unwrap();
    assert!(found.ends_with(&format!("2 keys: {first}, {second}")), "{found}");
    shop.good(&format!("vendor trust rotate release {first}"));
    // None of that id.
    let remedy = shop
        .run(&format!("vendor trust remove release {first}"))
        .remedy("E-USAGE", "unknown-key");
    assert!(ids(&remedy).contains(&second));
    shop.good(&format!("vendor trust remove release {second}"));
    // The last one: another one first, instead, or a lower threshold.
    let [last] = ids(&remedy).try_into().unwrap();
    let remove = format!("vendor trust remove release {last}");
    let remedy = shop.run(&remove).remedy("E-TRUST", "threshold");
    assert!(remedy.starts_with("add a key first, rotate instead"), "{remedy}");
    shop.good("vendor trust add release");
    shop.good(&remove);
}

#[test]
fn without_a_key_it_is_signed_elsewhere_as_the_message_says() {
    let shop = shop();
    let away = crate::support::appliance::scratch();
    for name in ["release-1.pem", "release-2.pem"] {
        super::follow::copy(&shop.path("w/keys").join(name), away.path());
        std::fs::remove_file(shop.path("w/keys").join(name)).unwrap();
    }
    let kept = away.path().join("release-1.pem");
    let kept = kept.to_str().unwrap();
    let remedy = shop.create("").remedy("E-TRUST", "no-key");
    let option = |name: &str| {
        let found = remedy
            .split([' ', ','])
            .find(|word| word.trim_matches('`') == name)
            .unwrap();
        found.to_owned()
    };
    shop.create(&format!("{} {kept}", option("--key"))).succeeded();
    shop.create(&option("--unsigned")).succeeded();
    for command in commands(&remedy) {
        // On a machine without a workspace.
        let command = filled(&command, &[("BUNDLE", "out.airlock"), ("FILE", kept)]);
        let sign = |more: &str| shop.follow(&command, more);
        let remedy = sign("").remedy("E-TRUST", "no-root");
        let option = remedy.strip_prefix("give it with ").unwrap();
        shop.good("vendor init --product shop --vendor Other --expires 2100-01-01T00:00:00Z other");
        let wrong = sign(&option.replace("ROOT.JSON", "other/root.json"));
        let remedy = wrong.remedy("E-TRUST", "unknown-domain");
        let option = remedy.strip_prefix("give the vendor's chain file with ").unwrap();
        sign(&option.replace("ROOT.JSON", "w/root.json")).succeeded();
    }
    shop.good("bundle verify out.airlock --trust w/root.json");
}

#[test]
fn sites_are_enrolled_under_the_name_that_the_message_gives() {
    let (shop, one, two) = (shop(), Operator::new(), Operator::new());
    let chain = airlock::crypto::Chain::parse(&crate::support::appliance::read(&shop.path("w/root.json"))).unwrap();
    let enrol = |operator: &Operator, name: &str| {
        let (root, fingerprint) = (shop.path("w/root.json"), chain.fingerprint().to_hex());
        let pin = ["trust", "add", root.to_str().unwrap(), "--fingerprint", &fingerprint];
        operator.run(&pin).succeeded();
        let file = format!("outbox/enrolment-{}.json", &chain.domain().to_hex()[..8]);
        let file = operator.state().join(file);
        shop.run(&format!("vendor enroll --yes {} --name {name}", file.display()))
    };
    enrol(&one, "plant-a").succeeded();
    let remedy = enrol(&one, "plant-b").remedy("E-USAGE", "site-name");
    let told = remedy.strip_prefix("use --name ").unwrap().to_owned();
    enrol(&one, &told).succeeded();
    let remedy = enrol(&two, "plant-a").remedy("E-USAGE", "site-name");
    assert_eq!(remedy, "choose another one with --name");
    enrol(&two, "plant-b").succeeded();
}
