//! `/files/`: a plain file to whoever may have it, as the file that it is, and nothing else to anybody.

use airlock::appliance::access::NewAccess;
use airlock::domain::Hash;
use airlock::http::Settings;

use super::file_world::{File, bundle, manifest};
use crate::support::agents::{Serving, basic, credentials};
use crate::support::appliance::{read, write};
use crate::support::client::{Reply, get, head, request};
use crate::support::in_process::InProcessAppliance;
use crate::support::site::{Site, digest, noise};

const PATH: &str = "crm/stable/manuals/press";

/// Where a vendor's file is answered.
fn place(domain: Hash, path: &str) -> String {
    format!("/files/{domain}/{path}")
}

fn message(reply: &Reply) -> String {
    reply.json()["errors"][0]["message"].as_str().unwrap().to_owned()
}

#[track_caller]
fn assert_none(reply: &Reply) {
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (404, "BLOB_UNKNOWN"),
        "{reply:?}"
    );
    assert_eq!(
        message(reply),
        "no such file; plain files are at /files/DOMAIN/PRODUCT/CHANNEL/NAME"
    );
}

#[test]
fn a_plain_file_is_answered_as_the_file_that_it_is() {
    let bytes = noise(200_000, 1);
    let site = Site::new();
    let at = place(site.domain(0), PATH);
    let file = File {
        title: "Handbuch Größe.pdf",
        ..File::new(PATH, &bytes)
    };
    file.carried(site.release("crm", 1)).live();
    let (_server, address) = site.serve();
    let whole = get(address, &at);
    assert!(whole.status == 200 && whole.body == bytes);
    let etag = format!("\"{}\"", file.digest());
    for (name, value) in [
        ("content-type", "application/pdf"),
        ("content-length", "200000"),
        ("accept-ranges", "bytes"),
        ("etag", &etag),
        ("docker-content-digest", etag.trim_matches('"')),
        (
            "content-disposition",
            "attachment; filename=\"Handbuch Gr__e.pdf\"; filename*=UTF-8''Handbuch%20Gr%C3%B6%C3%9Fe.pdf",
        ),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'; sandbox"),
    ] {
        assert_eq!(whole.header(name), Some(value), "{name}");
    }
    let only_head = head(address, &at);
    assert_eq!((only_head.status, only_head.body.len()), (200, 0));
    assert_eq!(only_head.stable_headers(), whole.stable_headers());
    let known = request(address, "GET", &at, &[("If-None-Match", &etag)]);
    assert_eq!((known.status, known.header("content-length")), (304, None));
    // Parts of it, also of what another one goes on with.
    for (range, status, part, shown) in [
        ("bytes=0-9", 206, 0..10, "bytes 0-9/200000"),
        ("bytes=199990-", 206, 199_990..200_000, "bytes 199990-199999/200000"),
        ("bytes=-5", 206, 199_995..200_000, "bytes 199995-199999/200000"),
        (
            "bytes=199999-300000",
            206,
            199_999..200_000,
            "bytes 199999-199999/200000",
        ),
    ] {
        let reply = request(address, "GET", &at, &[("Range", range), ("If-Range", &etag)]);
        assert_eq!((reply.status, reply.header("content-range")), (status, Some(shown)));
        assert!(reply.body == bytes[part]);
        assert_eq!(reply.header("content-type"), Some("application/pdf"));
    }
    let beyond = request(address, "GET", &at, &[("Range", "bytes=200000-")]);
    assert_eq!(
        (beyond.status, beyond.header("content-range"), beyond.code().as_str()),
        (416, Some("bytes */200000"), "RANGE_INVALID")
    );
    // Another file's: all of it.
    let stale = request(address, "GET", &at, &[("Range", "bytes=0-9"), ("If-Range", "\"x\"")]);
    assert_eq!((stale.status, stale.body.len()), (200, 200_000));
}

#[test]
fn no_path_leads_anywhere_else() {
    let site = Site::new();
    let at = place(site.domain(0), PATH);
    let draft = File::new(PATH, b"a file").carried(site.release("crm", 1));
    draft
        .tag("docker.io/library/a", "latest", b"{}")
        .blob("docker.io/library/a", b"a layer")
        .live();
    let (_server, address) = site.serve();
    let domain = site.domain(0);
    for path in [
        "/files/crm/stable/manuals/press".to_owned(),
        place(domain, "crm/stable/manuals"),
        format!("{at}/"),
        place(domain, "crm/stable//manuals/press"),
        format!("/files//{domain}/{PATH}"),
        place(domain, "crm/stable/manuals/../manuals/press"),
        place(domain, "crm/stable/manuals/./press"),
        place(domain, "crm/stable/manuals%2fpress"),
        place(domain, "%63rm/stable/manuals/press"),
        place(domain, "crm/stable/manuals/%2e%2e/%2e%2e/%2e%2e/v2/"),
        "/files/../../../../etc/passwd".to_owned(),
        "/files/../v2/_catalog".to_owned(),
        format!("{at}:latest"),
        place(domain, "crm/stable/manuals/PRESS"),
        format!("/files/files.airlock.internal/{domain}/{PATH}"),
        "/files/docker.io/library/a".to_owned(),
        place(domain, "crm/stable/press?ns=files.airlock.internal"),
    ] {
        for method in ["GET", "HEAD"] {
            let reply = request(address, method, &path, &[]);
            assert_eq!(reply.status, 404, "{method} {path}");
            if method == "GET" {
                assert_none(&reply);
            }
        }
    }
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        let reply = request(address, method, &at, &[]);
        assert_eq!(
            (reply.status, reply.header("allow")),
            (405, Some("GET, HEAD")),
            "{method}"
        );
    }
    let with_body = request(address, "GET", &at, &[("Content-Length", "1")]);
    assert_eq!(with_body.status, 413);
    for path in ["/files", "/files/"] {
        assert_eq!(message(&get(address, path)), "no such endpoint");
    }
    // What is asked beside it says nothing else.
    assert_eq!(get(address, &format!("{at}?ns=docker.io&x=%zz")).body, b"a file");
}

#[test]
fn what_has_not_the_form_of_a_plain_file_is_none_whoever_signed_it() {
    let site = Site::new();
    let mut draft = site.release("crm", 1);
    let bad = [
        ("title", "../manual.pdf", "0644"),
        ("dots", "..", "0644"),
        ("root", "/etc/cron.d/x", "0644"),
        ("setuid", "manual.pdf", "4755"),
        ("short", "manual.pdf", "644"),
    ];
    for (name, title, mode) in bad {
        let path = format!("crm/stable/{name}");
        let file = File {
            title,
            mode,
            ..File::new(&path, b"a file")
        };
        draft = file.carried(draft);
    }
    let domain = site.domain(0);
    let repository = |name: &str| format!("files.airlock.internal/{domain}/crm/stable/{name}");
    let long = &repository("long");
    let more = format!(
        r#","artifactType":"application/vnd.airlock.file.v1","annotations":{{"x":"{}"}}"#,
        "x".repeat(70_000)
    );
    draft = draft
        .tag(
            long,
            "latest",
            &manifest(&[("a.txt", "0644", "text/plain", b"a file")], &more),
        )
        .blob(long, b"a file");
    let other = &repository("other");
    let two: [(&str, &str, &str, &[u8]); 1] = [("a.txt", "0644", "text/plain", b"a file")];
    draft
        .tag(other, "latest", &manifest(&two, r#","artifactType":"application/x""#))
        .blob(other, b"a file")
        .live();
    let (_server, address) = site.serve();
    for name in ["title", "dots", "root", "setuid", "short", "long", "other"] {
        assert_none(&get(address, &place(domain, &format!("crm/stable/{name}"))));
        // As what it is, it is pulled like any other.
        let repository = repository(name);
        assert_eq!(get(address, &format!("/v2/{repository}/manifests/latest")).status, 200);
        let layer = digest(b"a file");
        assert_eq!(get(address, &format!("/v2/{repository}/blobs/{layer}")).body, b"a file");
    }
}

#[test]
fn what_a_browser_would_act_on_is_a_file_to_be_saved() {
    let site = Site::new();
    let at = place(site.domain(0), PATH);
    let page = File {
        title: "a\\\"; x.html",
        media_type: "text/html",
        ..File::new(PATH, b"<script>alert(1)</script>")
    };
    // JSON's escape of a quote: the title itself has no backslash.
    page.carried(site.release("crm", 1)).live();
    let odd = File {
        media_type: "no type at all",
        ..File::new("crm/stable/odd", b"?")
    };
    odd.carried(site.release_of(0, "erp", 1)).live();
    let (_server, address) = site.serve();
    let reply = get(address, &at);
    assert_eq!(reply.header("content-type"), Some("text/html"));
    assert_eq!(
        reply.header("content-disposition"),
        Some("attachment; filename=\"a__ x.html\"; filename*=UTF-8''a%22%3B%20x.html")
    );
    assert_eq!(
        reply.header("content-security-policy"),
        Some("default-src 'none'; sandbox")
    );
    assert_eq!(
        get(address, &place(site.domain(0), "crm/stable/odd")).header("content-type"),
        Some("application/octet-stream")
    );
}

#[test]
fn what_is_damaged_is_not_sent_and_is_told_as_elsewhere() {
    let (bytes, other) = (noise(10_000, 1), noise(10_000, 2));
    let site = Site::new();
    let at = place(site.domain(0), PATH);
    let (first, second) = (File::new(PATH, &bytes), File::new("crm/stable/b", &other));
    let third = File::new("crm/stable/c", b"its manifest is gone");
    let draft = second.carried(first.carried(site.release("crm", 1)));
    third.carried(draft).live();
    let spoil = |path: &std::path::Path| {
        let mut spoilt = read(path);
        spoilt[7] ^= 1;
        write(path, &spoilt);
    };
    spoil(&site.blob_path(&first.digest()));
    spoil(&site.blob_path(&digest(&third.manifest())));
    let (_server, address) = site.serve();
    for path in [&at, &place(site.domain(0), "crm/stable/c")] {
        for _ in 0..2 {
            let reply = get(address, path);
            assert_eq!((reply.status, reply.code().as_str()), (500, "UNKNOWN"));
            assert_eq!(message(&reply), "E-STATE blob-damaged");
        }
    }
    let damage = site.appliance().unwrap().damage().unwrap();
    assert_eq!(damage.len(), 1);
    assert_eq!(damage[0].count(), 2, "{}", damage[0]);
    assert!(get(address, &place(site.domain(0), "crm/stable/b")).body == other);
}

#[test]
fn a_file_of_another_vendor_has_another_name() {
    let site = Site::of_vendors(2);
    let (first, second) = (place(site.domain(0), PATH), place(site.domain(1), PATH));
    let (ours, theirs) = (File::new(PATH, b"ours"), File::new(PATH, b"theirs"));
    // Nobody can call the host of plain files a home.
    theirs
        .carried(site.release_of(1, "crm", 1).home("files.airlock.internal"))
        .live();
    ours.carried(site.release("crm", 1)).live();
    let registry = site.registry();
    let (_server, address) = site.serve_with(Settings::default(), &registry);
    assert_eq!(get(address, &first).body, b"ours");
    assert_eq!(get(address, &second).body, b"theirs");
    // What is not stated any more is 404, never another's.
    site.release("crm", 2).tag("docker.io/library/a", "1", b"{}").live();
    registry.live().refresh().unwrap();
    assert_none(&get(address, &first));
    assert_eq!(get(address, &second).body, b"theirs");
}

#[test]
fn a_host_of_plain_files_that_is_stated_as_a_home_first_hides_nothing() {
    let site = Site::of_vendors(2);
    let at = place(site.domain(0), PATH);
    site.release_of(1, "erp", 1)
        .home("files.airlock.internal")
        .tag("files.airlock.internal/x/erp/stable/x", "latest", b"{}")
        .live();
    File::new(PATH, b"ours").carried(site.release("crm", 1)).live();
    let (_server, address) = site.serve();
    assert_eq!(get(address, &at).body, b"ours");
}

#[test]
fn a_credential_reads_the_files_that_it_names_and_none_once_it_is_removed() {
    let instance = InProcessAppliance::new();
    let domain = instance.vendor.domain();
    let at = place(domain, PATH);
    instance
        .import(&bundle(&instance, 1, &File::new(PATH, b"a file")), false)
        .unwrap();
    let serving = Serving::start(instance, credentials());
    let add = |name: &str, pattern: &str| {
        let appliance = serving.hub.live().appliance();
        let (secret, _) = appliance
            .add_access(NewAccess {
                name: &name.parse().unwrap(),
                patterns: &[pattern.to_owned()],
            })
            .unwrap();
        serving.hub.refresh().unwrap();
        secret.as_str().to_owned()
    };
    let ask = |method: &str, path: &str, secret: &str| {
        serving.send(method, path, &[("Authorization", &basic("ops", secret))], b"")
    };
    let good = [
        add("all", "crm/stable:*"),
        add("files", "crm/stable:files.airlock.internal/*"),
        add("one", &format!("crm/stable:files.airlock.internal/{domain}/{PATH}")),
    ];
    for secret in &good {
        let reply = ask("GET", &at, secret);
        assert_eq!((reply.status, reply.body.as_slice()), (200, &b"a file"[..]));
        assert_eq!(ask("HEAD", &at, secret).status, 200);
        assert_eq!(ask("POST", &at, secret).status, 405);
    }
    // Outside of what it names: as what is not here.
    for secret in [
        add("images", "crm/stable:registry.test/*"),
        add("other", "erp/stable:*"),
        add(
            "near",
            &format!("crm/stable:files.airlock.internal/{domain}/crm/stable/manuals/pres"),
        ),
    ] {
        assert_none(&ask("GET", &at, &secret));
        assert_eq!(
            ask("GET", &at, &secret).body,
            ask("GET", &place(domain, "crm/stable/no"), &secret).body
        );
    }
    // Whoever shows nothing, or nothing good, learns nothing, whatever is asked.
    let none = serving.send("GET", &at, &[], b"");
    assert_eq!((none.status, none.code().as_str()), (401, "UNAUTHORIZED"));
    for (method, path) in [
        ("GET", &place(domain, "crm/stable/no")),
        ("GET", &"/files/../x".to_owned()),
        ("POST", &at),
        ("GET", &"/files/crm".to_owned()),
    ] {
        let reply = serving.send(method, path, &[], b"");
        assert_eq!((reply.status, &reply.body), (401, &none.body), "{method} {path}");
        assert!(reply.header("www-authenticate").unwrap().starts_with("Basic"));
    }
    assert_eq!(ask("GET", &at, &"0".repeat(32)).status, 401);
    serving
        .hub
        .live()
        .appliance()
        .remove_access(&"one".parse().unwrap())
        .unwrap();
    serving.hub.refresh().unwrap();
    assert_eq!(
        (ask("GET", &at, &good[2]).status, ask("GET", &at, &good[0]).status),
        (401, 200)
    );
}

#[test]
fn a_file_is_the_example_where_there_is_no_image() {
    let site = Site::new();
    File::new(PATH, b"a file").carried(site.release("crm", 1)).live();
    let registry = site.registry();
    let example = registry.example(&registry.snapshot()).unwrap().unwrap();
    assert_eq!(
        format!("{example:?}"),
        format!(r#"File("files.airlock.internal/{}/{PATH}", "latest")"#, site.domain(0))
    );
    site.release("erp", 1).tag("z.example/a", "1", b"{}").live();
    registry.live().refresh().unwrap();
    let example = registry.example(&registry.snapshot()).unwrap().unwrap();
    assert_eq!(format!("{example:?}"), r#"Image("z.example/a", "1")"#);
}
