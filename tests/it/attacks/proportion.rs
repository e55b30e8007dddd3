//! Small bundles that would make much of others (J16, J17): work, memory, rows and answers stay in proportion to what is carried.
//!
//! What is refused, and that it changes nothing, the vectors `j16-*` and `j17-*` show, each beside a twin that exactly reaches the bound;
//! here is what is accepted. Rows are counted, never time.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use airlock::appliance::Options;
use airlock::bundle::{BundleContent, TagLine};
use airlock::domain::{Digest, oci};

use crate::support::appliance::{import_here, write};
use crate::support::bundles::Vendor;
use crate::support::in_process::InProcessAppliance;
use crate::support::site::digest;
use crate::support::vendor_folder::VendorFolder;

/// What a builder of odd releases collects.
#[derive(Default)]
struct Odd {
    content: BundleContent,
    blobs: BTreeMap<Digest, Vec<u8>>,
    sizes: BTreeMap<Digest, (u64, &'static str)>,
}

impl Odd {
    fn blob(&mut self, bytes: &[u8]) -> Digest {
        let digest = digest(bytes);
        self.blobs.insert(digest, bytes.to_vec());
        digest
    }

    fn document(&mut self, text: String, media_type: &'static str) -> Digest {
        let digest = digest(text.as_bytes());
        self.sizes.insert(digest, (text.len() as u64, media_type));
        self.content.manifests.insert(digest, text.into_bytes());
        digest
    }

    /// A manifest of these layers, with more members.
    fn manifest(&mut self, layers: &[Vec<u8>], more: &str) -> Digest {
        let config = self.blob(b"{}");
        let mut list = Vec::new();
        for layer in layers {
            let digest = self.blob(layer);
            list.push(format!(
                r#"{{"mediaType":"application/x","digest":"{digest}","size":{}}}"#,
                layer.len()
            ));
        }
        let text = format!(
            r#"{{"schemaVersion":2,"config":{{"mediaType":"application/x","digest":"{config}","size":2}},"layers":[{}]{more}}}"#,
            list.join(",")
        );
        self.document(text, oci::OCI_MANIFEST)
    }

    /// An index of these children.
    fn index(&mut self, children: &[Digest]) -> Digest {
        let children: Vec<String> = children.iter().map(|child| self.descriptor(child)).collect();
        let text = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, children.join(","));
        self.document(text, oci::OCI_INDEX)
    }

    fn descriptor(&self, digest: &Digest) -> String {
        let (size, media_type) = self.sizes[digest];
        format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{size}}}"#)
    }

    fn name(&mut self, repository: &str, tag: &str, digest: Digest) {
        let (size, media_type) = self.sizes[&digest];
        self.content.tags.push(TagLine {
            digest,
            media_type: media_type.to_owned(),
            repository: repository.parse().unwrap(),
            size,
            tag: Some(tag.parse().unwrap()),
        });
    }

    /// Lines of the index that a site keeps something of.
    fn lines(&self) -> u64 {
        (self.content.tags.len() + self.content.manifests.len() + self.blobs.len()) as u64
    }
}

/// Imports a release, and returns the rows of each table of the site's database, and its bytes.
fn imported(odd: Odd) -> (BTreeMap<String, u64>, u64) {
    let site = InProcessAppliance::new();
    let bundle = site.vendor.bundle_with(1, odd.content, odd.blobs);
    let path = site.state().join("../odd.airlock");
    write(&path, &bundle);
    import_here(&site.appliance(), &path, &Options::default(), &site.clock).unwrap();
    counts(&site.state())
}

fn counts(state: &Path) -> (BTreeMap<String, u64>, u64) {
    let database = rusqlite::Connection::open(state.join("airlock.db")).unwrap();
    let mut tables = database
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        .unwrap();
    let names: Vec<String> = tables
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let count = |table: &String| {
        let query = format!("SELECT count(*) FROM {table}");
        (table.clone(), database.query_row(&query, [], |row| row.get(0)).unwrap())
    };
    let bytes = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()";
    let bytes = database.query_row(bytes, [], |row| row.get(0)).unwrap();
    (names.iter().map(count).collect(), bytes)
}

/// A MiB of annotations, about an image that 300 repositories name, is one row.
#[test]
fn j17_what_refers_to_an_image_is_kept_once_whatever_names_it() {
    let mut odd = Odd::default();
    let image = odd.manifest(&[b"layer".to_vec()], "");
    let about = format!(
        r#","subject":{},"annotations":{{"x":"{}"}}"#,
        odd.descriptor(&image),
        "x".repeat(1 << 20)
    );
    let about = odd.manifest(&[b"statement".to_vec()], &about);
    for number in 0..300 {
        odd.name(&format!("registry.test/{number:03}"), "image", image);
        odd.name(&format!("registry.test/{number:03}"), "about", about);
    }
    let (rows, bytes) = imported(odd);
    assert_eq!((rows["referrer"], rows["content"]), (1, 300 * 5), "{rows:?}");
    assert!(bytes < 4 << 20, "{bytes} bytes of database");
}

/// However documents name each other: beside `content`, whose rows are bounded, a site keeps at most four rows a line.
#[test]
fn j17_rows_follow_the_lines_of_the_index() {
    let layers = |count: usize| -> Vec<Vec<u8>> { (0..count).map(|n| format!("layer {n}").into_bytes()).collect() };
    let mut shapes: Vec<(&str, Odd)> = Vec::new();

    let mut odd = Odd::default();
    let image = odd.manifest(&layers(3), "");
    for number in 0..1000 {
        odd.name("registry.test/tags", &format!("v{number}"), image);
    }
    shapes.push(("many tags of one image", odd));

    let mut odd = Odd::default();
    let image = odd.manifest(&layers(300), "");
    for number in 0..50 {
        odd.name(&format!("registry.test/{number}"), "v1", image);
    }
    shapes.push(("many layers under many names", odd));

    let mut odd = Odd::default();
    let image = odd.manifest(&layers(1), "");
    let inner = odd.index(&vec![image; 4000]);
    let outer = odd.index(&vec![inner; 4000]);
    for number in 0..50 {
        odd.name(&format!("registry.test/{number}"), "v1", outer);
    }
    shapes.push(("one child sixteen million times", odd));

    let mut odd = Odd::default();
    let image = odd.manifest(&layers(1), "");
    let subject = format!(r#","subject":{}"#, odd.descriptor(&image));
    let about: Vec<Digest> = (0..200)
        .map(|number| odd.manifest(&layers(1), &format!(r#"{subject},"x":{number}"#)))
        .collect();
    let about = odd.index(&about);
    for number in 0..50 {
        odd.name(&format!("registry.test/{number}"), "v1", about);
    }
    odd.name("registry.test/image", "v1", image);
    shapes.push(("a fan of referrers under many names", odd));

    for (what, odd) in shapes {
        let lines = odd.lines();
        let (mut rows, _) = imported(odd);
        let content = rows.remove("content").unwrap();
        assert!(content <= 100_000 + 4 * lines, "{what}: {content} of {lines} lines");
        let others: u64 = rows.values().sum();
        assert!(others <= 4 * lines + 50, "{what}: {others} of {lines} lines: {rows:?}");
    }
}

/// `create` judges by the same function, before it packs.
#[test]
fn j17_the_vendor_is_refused_what_sites_would_refuse() {
    let release = |layers: usize, names: usize| {
        let mut odd = Odd::default();
        let layers: Vec<Vec<u8>> = (0..layers).map(|n| format!("layer {n}").into_bytes()).collect();
        let image = odd.manifest(&layers, "");
        for number in 0..names {
            odd.name(&format!("registry.test/{number}"), "v1", image);
        }
        Vendor::new().layout(&odd.content)
    };
    // 270 names of 380 blobs: 102,600 pairs, as many as 650 lines allow.
    release(378, 270).unwrap();
    let error = release(378, 271).unwrap_err();
    let found = (
        error.class().name(),
        error.code(),
        error.step().map(|step| step.to_string()),
    );
    assert_eq!(found, ("E-LIMIT", "names", Some("X13".to_owned())));
    assert!(error.expectation().is_some() && error.advice().is_some(), "{error}");
}

#[test]
fn j16_the_vendor_is_told_which_deployments_before_anything_is_packed() {
    let mut folder = VendorFolder::new();
    let line = format!("{}\n", "x".repeat(1000));
    let environment = (0..1040).fold(String::new(), |text, n| text + &format!("X{n:04}={line}"));
    folder.write("shop.env", environment);
    folder.write(
        "compose.yaml",
        "services:\n  web:\n    image: registry.example.com/shop/web:1.0\n",
    );
    let release = |count: usize| {
        let mut text = String::from(
            "agents:\n  - name: 3.1.0\n    docker: {source: \"oci:hello:1.0\", name: \"a.example/agent:3\"}\n    autoheal: {source: \"oci:hello:1.0\", name: \"a.example/heal:3\"}\napplications:\n",
        );
        for number in 0..count {
            write!(text, "  - name: shop-{number:02}\n    version: \"1\"\n    compose: compose.yaml\n    env_file: shop.env\n    images:\n      registry.example.com/shop/web:1.0: oci:hello:1.0\n").unwrap();
        }
        text += "targets:\n  - name: counter\n    kind: docker\n    deployments:\n";
        for number in 0..count {
            writeln!(text, "      - application: shop-{number:02}").unwrap();
        }
        text
    };
    let (class, code, sentence) = folder.refused(&release(17), 1);
    assert_eq!((class, code), ("E-LIMIT", "rendered"), "{sentence}");
    for part in ["shop-0", "\"counter\"", "7 more", "at most 16777216", "smaller"] {
        assert!(sentence.contains(part), "{part}: {sentence}");
    }
    // Fifteen megabytes through every check: with `AIRLOCK_SLOW=1`. That releases below bounds are made, others show.
    if std::env::var_os("AIRLOCK_SLOW").is_some() {
        folder.build(&release(15), 1).unwrap();
    }
}
