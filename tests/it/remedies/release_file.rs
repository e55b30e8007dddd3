//! Remedies about a release file: the author changes it as the message says, and the same command makes the bundle.

use super::follow::commands;
use super::workshop::{HEAD, IMAGES, Workshop};
use crate::support::image_set::ImageSet;
use crate::support::registry::{Behaviour, TestRegistry};

/// A release file that is refused: class and sub-code, words of the remedy, and what of the file becomes what.
type Case<'a> = (&'a str, &'a str, &'a str, &'a str, &'a str);

/// Builds a file, which is refused, then the file as the remedy says.
fn corrected(shop: &Workshop, text: &str, (class, code, says, from, to): Case<'_>) {
    let remedy = shop.build(text).remedy(class, code);
    assert!(remedy.contains(says), "{code}: {remedy}");
    assert!(text.contains(from), "{from:?} is not in {text}");
    shop.build(&text.replacen(from, to, 1)).succeeded();
}

#[test]
fn what_a_release_file_lacks_or_mistypes_is_put_right_as_the_message_says() {
    let shop = Workshop::new();
    let whole = format!("{HEAD}{IMAGES}");
    // Without one of its keys; the remedy names the line.
    let remedy = shop
        .build(&whole.replace("product: shop\n", ""))
        .remedy("E-USAGE", "missing-key");
    let line = remedy.strip_prefix("add a line ").unwrap().replace('…', "shop");
    shop.build(&format!("{line}\n{}", whole.replace("product: shop\n", "")))
        .succeeded();
    // A key that is none.
    let typed = whole.replace("channel", "chanel");
    let remedy = shop.build(&typed).remedy("E-USAGE", "unknown-key");
    let meant = remedy.strip_prefix("did you mean ").unwrap().trim_end_matches('?');
    shop.build(&typed.replace("chanel", meant)).succeeded();
    // A key that options can give too: both ways.
    for (line, key, value) in [("version: v1\n", "version", "v1"), ("sequence: 1\n", "sequence", "1")] {
        let without = whole.replace(line, "");
        let remedy = shop.build(&without).remedy("E-USAGE", "missing-key");
        let (to_the_file, option) = remedy.split_once(" to the file, or give ").unwrap();
        assert_eq!(to_the_file, format!("add {key}"));
        let option = option.split(" or ").next().unwrap();
        shop.create(&format!("{option} {value}")).succeeded();
        shop.build(&format!("{key}: {value}\n{without}")).succeeded();
    }
    // Several at once: a line for each, or the options; or the file that says all.
    let images = IMAGES.replace("registry.test/shop/web:1.0", "registry.test/shop/web:2.0");
    let remedy = shop.build(&images).remedy("E-USAGE", "missing-key");
    assert!(
        remedy.starts_with("add a line for each, or give those options"),
        "{remedy}"
    );
    shop.build(&format!("product: shop\nchannel: stable\n{images}"))
        .remedy("E-USAGE", "missing-key");
    shop.create("--version v2 --next --expires 2099-01-01 --site 0123456789abcdef0123456789abcdef")
        .succeeded();
    shop.follow(&commands(&remedy)[0], "-o new.yaml").succeeded();
    shop.edit(
        "new.yaml",
        "- registry.example.com/team/app:1.0 ",
        "- {source: 'oci:hello:1.0', name: 'registry.test/shop/web:1.0'} ",
    );
    shop.good("bundle create -f new.yaml -o out.airlock --replace");
    // Where a release file stands already.
    let remedy = shop
        .follow(&commands(&remedy)[0], "-o new.yaml")
        .remedy("E-USAGE", "output");
    assert_eq!(remedy, "write the file under another name with -o");
    shop.good("vendor release new -o newer.yaml");
    // An epoch that the root does not name: left out, or raised.
    let raised = format!("epoch: 3\n{whole}");
    let remedy = shop.build(&raised).remedy("E-USAGE", "value");
    assert!(remedy.starts_with("leave epoch out"), "{remedy}");
    shop.build(&whole).succeeded();
    shop.follow(&commands(&remedy)[0], "").succeeded();
    shop.build(&raised).succeeded();
}

#[test]
fn images_are_named_as_the_message_says() {
    let shop = Workshop::new();
    let image = |text: &str| format!("{HEAD}images:\n{text}\n");
    let cases: [(String, Case<'_>); 3] = [
        (
            format!("home_hosts: ['registry.test:5000']\n{HEAD}{IMAGES}"),
            (
                "E-USAGE",
                "value",
                "leave the port out here",
                "registry.test:5000",
                "registry.test",
            ),
        ),
        (
            image("- {source: 'oci:hello:1.0'}"),
            (
                "E-CONTENT",
                "name",
                "add name: HOST/REPOSITORY:TAG",
                "1.0'}",
                "1.0', name: 'registry.test/shop/web:1.0'}",
            ),
        ),
        (
            format!(
                "{HEAD}agents:\n- name: 3.1.0\n  autoheal: {{source: 'oci:hello:1.0', name: 'a.example.com/h:1'}}\n  docker: {{source: 'oci:hello:1.0', name: 'a.example.com:5000/d:1'}}\n{IMAGES}"
            ),
            (
                "E-CONTENT",
                "reference",
                "name: registry.example.com/app:1.0}",
                "a.example.com:5000/d:1",
                "registry.example.com/app:1.0",
            ),
        ),
    ];
    for ((text, case), n) in cases.into_iter().zip(1..) {
        corrected(&shop, &text.replace("sequence: 1", &format!("sequence: {n}")), case);
    }
    // A file outside: a copy of it inside, or the option, or the line, with the path that the message gives.
    let elsewhere = crate::support::appliance::scratch();
    super::follow::copy(&shop.path("hello"), &elsewhere.path().join("hello"));
    let outside = image(&format!(
        "- {{source: 'oci:{}/hello:1.0', name: 'registry.test/shop/web:1.0'}}",
        elsewhere.path().display()
    ))
    .replace("sequence: 1", "sequence: 4");
    let remedy = shop.build(&outside).remedy("E-USAGE", "outside");
    let (option, line) = remedy
        .split_once("or allow it: ")
        .unwrap()
        .1
        .trim_end_matches(" in the release file")
        .split_once(", or ")
        .unwrap();
    shop.create(option).succeeded();
    shop.build(&format!("{line}\n{outside}")).succeeded();
    shop.build(&outside.replace(&format!("{}/", elsewhere.path().display()), ""))
        .succeeded();
}

const AGENTS: &str = "agents:\n- name: 3.1.0\n  docker: {source: 'oci:hello:1.0', name: 'a.example.com/d:1'}\n  \
                      autoheal: {source: 'oci:hello:1.0', name: 'a.example.com/h:1'}\n";

/// A release with one compose application on the targets.
fn fleet(image: &str, targets: &str) -> String {
    format!(
        "{HEAD}{AGENTS}applications:\n- {{name: one, version: \"1\", compose: one.yaml, images: {{'{image}': 'oci:hello:1.0'}}}}\n{targets}"
    )
}

#[test]
fn compose_files_are_corrected_as_the_message_says() {
    let shop = Workshop::new();
    let target = "targets:\n- {name: press-1, kind: docker, deployments: [{application: one}]}\n";
    // The digest of another image.
    let pinned = format!("example.com/web@sha256:{}", "ab".repeat(32));
    shop.write("one.yaml", &format!("services:\n  a:\n    image: {pinned}\n"));
    let remedy = shop.build(&fleet(&pinned, target)).remedy("E-CONTENT", "pin");
    assert!(remedy.starts_with("correct the reference"), "{remedy}");
    shop.write("one.yaml", "services:\n  a:\n    image: example.com/web:2\n");
    shop.build(&fleet("example.com/web:2", target)).succeeded();
    // A name with a port is given another one.
    shop.write("one.yaml", "services:\n  a:\n    image: example.com:5000/web:2\n");
    let ported = fleet("example.com:5000/web:2", target);
    let refused = shop.build(&ported);
    let remedy = refused.remedy("E-CONTENT", "reference");
    let entry = remedy
        .strip_prefix("give it one under images: ")
        .unwrap()
        .replace("where it comes from", "'oci:hello:1.0'");
    let named = ported.replace("sequence: 1", "sequence: 2");
    shop.build(&named.replace("'oci:hello:1.0'}}\n", &format!("{entry}}}}}\n")))
        .succeeded();
}

#[test]
fn what_a_release_before_told_targets_is_kept_or_named_as_the_message_says() {
    let shop = Workshop::new();
    shop.write("one.yaml", "services:\n  a:\n    image: example.com/web:2\n");
    let target = |name: &str, more: &str| {
        format!("- {{name: {name}, kind: docker, deployments: [{{application: one}}]{more}}}\n")
    };
    let release = |n: u64, targets: &str| {
        fleet("example.com/web:2", &format!("targets:\n{targets}")).replace("sequence: 1", &format!("sequence: {n}"))
    };
    let both = target("press-1", "") + &target("press-2", "");
    shop.build(&release(1, &both)).succeeded();
    // Dropped in silence: added again, or named under `removed`.
    let dropped = release(2, &target("press-1", ""));
    let remedy = shop.build(&dropped).remedy("E-POLICY", "undeploy");
    assert!(
        remedy.starts_with("add it again, or name it under removed:"),
        "{remedy}"
    );
    // A list of images can name neither: another channel has no targets, and a release file has what is missing.
    shop.write("images.txt", "oci:hello:1.0 registry.test/shop/web:1.0\n");
    let listed = "bundle create --images images.txt -o listed.airlock";
    let remedy = shop.run(listed).remedy("E-POLICY", "undeploy");
    assert!(remedy.starts_with("build it from a release file with -f"), "{remedy}");
    let option = remedy.rsplit_once(' ').unwrap().1;
    shop.good(&format!("{listed} {option} plain"));
    shop.build(&release(2, &both)).succeeded();
    let removed = release(3, &(target("press-1", "") + "removed: [press-2]\n"));
    shop.build(&removed).succeeded();
    // Whose UUIDs go is said in every plan, also by a release that only repeats it.
    for text in [&removed, &release(4, &target("press-1", ""))] {
        shop.write("release.yaml", text);
        let planned = shop.shown("bundle create -f release.yaml --dry-run");
        assert!(planned.contains("removes      press-2 ("), "{planned}");
    }
    // Another id under a name that was there.
    let hub = ", id: 7b1c0a52-0d1e-4f5a-9c3b-2a1f0e9d8c7b";
    let remedy = shop
        .build(&release(4, &target("press-1", hub)))
        .remedy("E-POLICY", "identity");
    assert!(remedy.starts_with("keep it, or name "), "{remedy}");
    shop.build(&release(4, &target("press-1", ""))).succeeded();
    // A mistyped name under `removed` is guessed.
    let mistyped = release(5, "") + "removed: [pres-1]\n";
    let mistyped = mistyped.replace("targets:\n", "");
    let remedy = shop.build(&mistyped).remedy("E-USAGE", "value");
    let meant = remedy.strip_prefix("did you mean ").unwrap();
    let meant = meant.split('?').next().unwrap();
    shop.build(&mistyped.replace("pres-1", meant)).succeeded();
}

#[test]
fn numbers_and_dates_are_put_right_as_the_message_says() {
    let shop = Workshop::new();
    let whole = format!("{HEAD}{IMAGES}");
    let numbered = |n: &str| whole.replace("sequence: 1", &format!("sequence: {n}"));
    shop.build(&numbered("5")).succeeded();
    // Lower than one that was signed.
    let remedy = shop.build(&numbered("3")).remedy("E-ROLLBACK", "lower-number");
    let next = remedy
        .strip_prefix("raise sequence to ")
        .unwrap()
        .split(',')
        .next()
        .unwrap();
    let option = &remedy[remedy.find("--sequence").unwrap()..];
    shop.create(option).succeeded();
    shop.build(&numbered(next)).succeeded();
    // The same number for something else.
    let remedy = shop
        .build(&numbered(next).replace("version: v1", "version: v2"))
        .remedy("E-EQUIVOCATION", "number-used");
    assert!(remedy.starts_with("raise the sequence number;"), "{remedy}");
    shop.build(&numbered("7").replace("version: v1", "version: v2"))
        .succeeded();
    // Issued in the future: the date, or the word that takes it.
    let ahead = numbered("8") + "issued_at: 2098-01-01T00:00:00Z\n";
    let remedy = shop.build(&ahead).remedy("E-CLOCK", "issued-ahead");
    let option = remedy.split_whitespace().find(|word| word.starts_with("--")).unwrap();
    shop.create(option).succeeded();
    shop.build(&numbered("9")).succeeded();
    // Expired when it is made.
    let old = numbered("10").replace("2099-01-01", "2026-01-02");
    let remedy = shop.build(&old).remedy("E-EXPIRED", "bundle");
    assert!(remedy.contains("--expires"), "{remedy}");
    shop.create("--expires 2099-01-01T00:00:00Z").succeeded();
    // Issued after its root has expired.
    let late = numbered("11").replace("2099-01-01", "2199-01-01") + "issued_at: 2101-01-01T00:00:00Z\n";
    shop.write("release.yaml", &late);
    let remedy = shop.create("--allow-future").remedy("E-CLOCK", "issued-after-root");
    assert!(remedy.starts_with("put the date right; or "), "{remedy}");
    shop.create("--issued-at 2026-01-01T00:00:00Z").succeeded();
}

#[test]
fn charts_are_packed_after_what_the_message_says() {
    let shop = Workshop::new();
    let release = |n: u64, more: &str| {
        format!(
            "{HEAD}agents:\n- name: 3.1.0\n  kubernetes: {{source: 'oci:hello:1.0', name: 'a.example.com/k:1'}}\n\
             images:\n- {{source: 'oci:hello:1.0', name: 'registry.example.com/shop/web:1.0'}}\n\
             applications:\n- name: hello\n  version: \"1\"\n  chart: chart\n{more}\
             targets:\n- name: hall\n  kind: kubernetes\n  namespace: shop\n  deployments:\n  - application: hello\n"
        )
        .replace("sequence: 1", &format!("sequence: {n}"))
    };
    // An image among the values that nobody listed: the path, under either key that the message gives.
    let refused = shop.build(&release(1, ""));
    let remedy = refused.remedy("E-CONTENT", "image-value");
    let (first, add) = remedy.split_once("; or add ").unwrap();
    assert_eq!(first, "install helm, or give its path with --helm FILE");
    let path = add.split(' ').next().unwrap();
    let listed = format!("  image_values: [{path}]\n");
    shop.build(&release(1, &listed)).succeeded();
    let values = String::from_utf8(crate::support::appliance::read(&shop.path("chart/values.yaml"))).unwrap();
    shop.write(
        "chart/values.yaml",
        &format!("{values}spare: {{image: acme/spare:1}}\n"),
    );
    let remedy = shop.build(&release(2, &listed)).remedy("E-CONTENT", "image-value");
    let (_, add) = remedy.split_once("; or add ").unwrap();
    let path = add.split(' ').next().unwrap();
    assert!(remedy.ends_with("or to unused_image_values"), "{remedy}");
    shop.build(&release(2, &format!("{listed}  unused_image_values: [{path}]\n")))
        .succeeded();
    shop.write("chart/values.yaml", &values);
    // A template that names an image itself: listed, or taken from the values.
    shop.write(
        "chart/templates/job.yaml",
        "kind: Job\n  image: registry.example.com/shop/web:1.0\n",
    );
    let remedy = shop.build(&release(3, &listed)).remedy("E-CONTENT", "written-image");
    assert!(
        remedy.starts_with("list it under the application's images and set the appliance as a mirror; or install helm"),
        "{remedy}"
    );
    let under = format!("{listed}  images: [{{source: 'oci:hello:1.0', name: 'registry.example.com/shop/web:1.0'}}]\n");
    shop.build(&release(3, &under)).succeeded();
    shop.write(
        "chart/templates/job.yaml",
        "kind: Job\n  image: {{ .Values.image.registry }}/{{ .Values.image.repository }}@{{ .Values.image.digest }}\n",
    );
    shop.build(&release(4, &listed)).succeeded();
    let release = |n: u64, more: &str| release(n + 2, more);
    // A link: a copy in its place, or left out.
    std::os::unix::fs::symlink("values.yaml", shop.path("chart/link.yaml")).unwrap();
    let remedy = shop.build(&release(3, &listed)).remedy("E-CONTENT", "chart");
    let file = remedy.rsplit(' ').next().unwrap();
    let ignored = String::from_utf8(crate::support::appliance::read(&shop.path("chart").join(file))).unwrap();
    shop.write("chart/.helmignore", &format!("{ignored}\nlink.yaml\n"));
    shop.build(&release(3, &listed)).succeeded();
    shop.write("chart/.helmignore", &ignored);
    std::fs::remove_file(shop.path("chart/link.yaml")).unwrap();
    shop.write("chart/link.yaml", "a copy");
    shop.build(&release(4, &listed)).succeeded();
}

#[test]
fn charts_that_cannot_be_told_are_put_right_as_the_message_says() {
    let shop = Workshop::new();
    let release = |n: u64, more: &str| {
        format!(
            "{HEAD}agents:\n- name: 3.1.0\n  kubernetes: {{source: 'oci:hello:1.0', name: 'a.example.com/k:1'}}\n\
             images:\n- {{source: 'oci:hello:1.0', name: 'registry.example.com/shop/web:1.0'}}\n\
             applications:\n- name: hello\n  version: \"1\"\n  chart: chart\n  image_values: [image]\n{more}\
             targets:\n- name: hall\n  kind: kubernetes\n  namespace: shop\n  deployments:\n  - application: hello\n"
        )
        .replace("sequence: 1", &format!("sequence: {n}"))
    };
    let extra = "chart/templates/extra.yaml";
    // A helper makes the reference: the vendor vouches for what is listed.
    shop.write(extra, "image: {{ include \"image\" . }}\n");
    let remedy = shop.build(&release(1, "")).remedy("E-CONTENT", "untold-image");
    let (_, vouching) = remedy.split_once("list every image under images, and say ").unwrap();
    let listed = "  images: [{source: 'oci:hello:1.0', name: 'registry.example.com/shop/web:1.0'}]\n";
    shop.build(&release(1, &format!("{listed}  {vouching}\n"))).succeeded();
    // helm, or what is none.
    let helm = |script: &str| {
        shop.write("helm", &format!("#!/bin/sh\n{script}\n"));
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(shop.path("helm"), mode).unwrap();
    };
    helm("echo v2.17.0");
    shop.write("release.yaml", &release(2, ""));
    shop.write(extra, "");
    let remedy = shop.create("--helm ./helm").remedy("E-USAGE", "helm");
    let (first, off) = remedy.split_once(", or read charts without it: ").unwrap();
    assert_eq!(first, "give its path with --helm FILE");
    shop.create(off).succeeded();
    // One that answers as helm does, and refuses values that say so.
    helm(
        "[ \"$1\" = version ] && echo v4.0.0 && exit\nfor last; do :; done\nwhile read -r line; do\ncase $line in *broken*) echo 'Error: \
         hello/templates/extra.yaml:1:1: broken' >&2; exit 1;; esac\ndone <\"$last\"\n[ -z \"$line\" ] || case $line in *broken*) echo 'Error: \
         hello/templates/extra.yaml:1:1: broken' >&2; exit 1;; esac\necho 'kind: ConfigMap'",
    );
    shop.write("own.yaml", "state: broken\n");
    shop.write("release.yaml", &release(3, "  values: own.yaml\n"));
    let refused = shop.create("--helm ./helm");
    let remedy = refused.remedy("E-CONTENT", "render");
    assert!(remedy.starts_with("put the chart or the values right"), "{remedy}");
    shop.write("own.yaml", "state: whole\n");
    shop.create("--helm ./helm").succeeded();
    // The template adds the registry itself.
    let image = "{{ .Values.image.repository }}@{{ .Values.image.digest }}";
    shop.write(extra, &format!("image: registry.example.com/{image}\n"));
    let remedy = shop.build(&release(4, "")).remedy("E-CONTENT", "rewritten-image");
    assert!(
        remedy.contains("have the template take registry, repository and tag from values"),
        "{remedy}"
    );
    shop.write(extra, &format!("image: {{{{ .Values.image.registry }}}}/{image}\n"));
    shop.build(&release(4, "")).succeeded();
    // The template writes a host, and the value another one behind it: no way to write the value mends that.
    let values = String::from_utf8(crate::support::appliance::read(&shop.path("chart/values.yaml"))).unwrap();
    shop.write(
        "chart/values.yaml",
        &format!("{values}\nsidecar: registry.example.com/shop/web:1.0\n"),
    );
    shop.write(extra, "image: quay.io/{{ .Values.sidecar }}\n");
    let behind = release(5, "").replace("image_values: [image]", "image_values: [image, sidecar]");
    let remedy = shop.build(&behind).remedy("E-CONTENT", "rewritten-image");
    assert!(remedy.starts_with("leave the entry out of image_values"), "{remedy}");
    let written = "  images: [{source: 'oci:hello:1.0', name: 'quay.io/registry.example.com/shop/web:1.0'}]\n  images_complete: true\n";
    shop.build(&release(5, written)).succeeded();
    let release = |n: u64, more: &str| release(n + 1, more);
    // Only what looks like an image.
    shop.write(extra, "args: [--reloader=registry.example.com/shop/web:1.0]\n");
    shop.write("release.yaml", &release(5, ""));
    let remedy = shop.create("--strict").remedy("E-CONTENT", "suspected-image");
    assert_eq!(remedy, "list it under the application's images, or leave --strict out");
    shop.create("").succeeded();
    shop.write("release.yaml", &release(6, listed));
    shop.create("--strict").succeeded();
}

#[test]
fn lists_of_images_are_put_right_as_the_message_says() {
    let shop = Workshop::new();
    let create = "bundle create --images images.txt -o out.airlock --replace";
    shop.write("images.txt", "A/b\nhttps://quay.io/a\n");
    let remedy = shop.run(create).remedy("E-USAGE", "value");
    let reference = remedy.rsplit_once(" as in ").unwrap().1;
    shop.write("images.txt", "# nothing\n");
    let line = shop.run(create).remedy("E-USAGE", "images");
    assert_eq!(line, format!("write a line like {reference}"));
    shop.write("images.txt", &format!("oci:hello:1.0 {reference}\n"));
    shop.good(create);
    // A product and a channel where there are several.
    shop.good("vendor trust set --product other");
    let said = shop.run(create).remedy("E-USAGE", "product");
    let option = said
        .strip_prefix("say which one with ")
        .unwrap()
        .replace("NAME", "shop");
    shop.good(&format!("{create} {option}"));
    shop.good(&format!("{create} {option} --channel beta"));
    let said = shop.run(&format!("{create} {option}")).remedy("E-USAGE", "channel");
    let channel = said
        .strip_prefix("say which one with ")
        .unwrap()
        .replace("NAME", "beta");
    shop.good(&format!("{create} {option} {channel}"));
}

#[test]
fn files_and_repositories_are_put_right_as_the_message_says() {
    let shop = Workshop::new();
    shop.write("a/Ä.txt", "a");
    shop.write("b/x.txt", "b");
    shop.write("c/x.txt", "c");
    let release = |files: &str| format!("{HEAD}files: [{files}]\n");
    // No name can be made of this one; and two have one.
    let remedy = shop.build(&release("a/…")).remedy("E-USAGE", "value");
    let entry = remedy.strip_prefix("give it one: ").unwrap().replace('…', "b/x.txt");
    shop.build(&release(&entry)).succeeded();
    let remedy = shop.build(&release("b/x.txt, c/x.txt")).remedy("E-USAGE", "value");
    let entry = remedy.strip_prefix("give one of them another name: ").unwrap();
    let entry = entry.replacen('…', "c/x.txt", 1).replace('…', "y.txt");
    shop.build(&release(&format!("b/x.txt, {entry}")).replace("sequence: 1", "sequence: 2"))
        .succeeded();
    // A repository with nothing of a range, and with too much of it.
    let mut image_set = ImageSet::default();
    let image = image_set.image("linux/amd64", b"layer");
    for n in 0..1001 {
        image_set.tag(&format!("1.0.{n}"), &image);
    }
    let registry = TestRegistry::start(image_set, Behaviour::default());
    let release = |more: &str| {
        format!(
            "{HEAD}repositories: [{{source: '{}', name: registry.test/shop/web, {more}}}]\n",
            registry.image("")
        )
        .replace("sequence: 1", "sequence: 3")
    };
    let remedy = shop.build(&release("versions: '2'")).remedy("E-CONTENT", "missing");
    assert_eq!(remedy, "correct tags or versions in the release file");
    let remedy = shop.build(&release("versions: '1'")).remedy("E-LIMIT", "tags");
    let key = remedy
        .split(" or ")
        .nth(1)
        .unwrap()
        .split(" beside")
        .next()
        .unwrap()
        .replace("NUMBER", "2");
    shop.build(&release(&format!("versions: '1', {key}"))).succeeded();
    shop.build(&release("versions: '>=1, <1.0.2'").replace("sequence: 3", "sequence: 4"))
        .succeeded();
}
