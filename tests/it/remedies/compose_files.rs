//! Remedies about compose files: each fault is refused with its words, all of them are put right as they say, and the same command makes
//! the bundle.

use super::workshop::{HEAD, Workshop};

/// What a message says to do, what of a file that is, and what it becomes.
type Fault<'a> = (&'a str, &'a str, &'a str);

const IMAGE: &str = "image: example.com/web:2";

/// A release of one application, with more keys of it and of its deployment.
fn release(application: &str, deployment: &str) -> String {
    format!(
        "{HEAD}agents:\n- name: 3.1.0\n  docker: {{source: 'oci:hello:1.0', name: 'a.example.com/d:1'}}\n  \
         autoheal: {{source: 'oci:hello:1.0', name: 'a.example.com/h:1'}}\n\
         applications:\n- {{name: one, version: \"1\", images: {{'example.com/web:2': 'oci:hello:1.0'}}, {application}}}\n\
         targets:\n- {{name: press-1, kind: docker, deployments: [{{application: one{deployment}}}]}}\n"
    )
}

/// Refused, with all these words; put right in these files, and made.
#[track_caller]
fn put_right(shop: &Workshop, release: &str, faults: &[(&str, &[Fault<'_>])]) {
    put_right_but(shop, release, faults);
    shop.create("").succeeded();
}

/// As [`put_right`], where something else is wrong still.
#[track_caller]
fn put_right_but(shop: &Workshop, release: &str, faults: &[(&str, &[Fault<'_>])]) {
    let refused = shop.build(release);
    assert_ne!(refused.ended.code, Some(0), "{}", refused.ended.stderr);
    for (file, faults) in faults {
        for (says, from, to) in *faults {
            assert!(
                refused.ended.stderr.contains(says),
                "{says}: {}",
                refused.ended.stderr.replace("\\n", "\n")
            );
            shop.edit(file, from, to);
        }
    }
}

#[test]
fn services_are_put_right_as_the_messages_say() {
    let shop = Workshop::new();
    let file = "services:
  built: {build: .}
  provided: {provider: {type: cloud}}
  modelled: {IMAGE, models: [m]}
  empty: {image: ''}
  none: {command: [x]}
  variables: {IMAGE, env_file: a.env}
  labelled: {IMAGE, label_file: a.labels}
  profiled: {IMAGE, security_opt: ['seccomp:profile.json']}
  mounted: {IMAGE, volumes: ['./data:/data']}
  written: {IMAGE, volumes: ['./a.txt:/a']}
  foldered: {IMAGE, volumes: ['./conf:/conf:ro']}
  emptied: {IMAGE, volumes: ['./empty:/e:ro']}
  locked: {IMAGE, read_only: true, configs: [d]}
  private: {IMAGE, labels: {k: '-----BEGIN PRIVATE KEY-----'}}
  placed: {IMAGE, hostname: 'registry.${W:-airlock}.internal'}
  unknown: {IMAGE, zzqqxx: 1}
  typed: {IMAGE, comand: [x]}
  waits: {IMAGE, depends_on: [nobody]}
  needs: {IMAGE, depends_on: [extra]}
  extra: {IMAGE, profiles: [debug]}
  joined: {IMAGE, networks: [inner]}
  configured: {IMAGE, configs: [c, e], secrets: [s, t]}
  stored: {IMAGE, volumes: ['vv:/v']}
configs:
  c: {file: ./c.txt}
  e: {external: true}
  d: {content: text}
secrets:
  s: {file: ./s.txt}
  t: {environment: T}
volumes:
  vv: {driver_opts: {o: bind, device: ./v}}
";
    shop.write("one.yaml", &file.replace("IMAGE", IMAGE));
    shop.write("a.txt", "a");
    shop.write("conf/a", "a");
    shop.write("empty", "");
    let good = format!("{{{IMAGE}");
    let faults: &[Fault<'_>] = &[
        (
            "build it before, push it, and name it with image: alone",
            "{build: .",
            &good,
        ),
        (
            "use an image, or leave the service out",
            "{provider: {type: cloud}",
            &good,
        ),
        ("put the model into an image or a volume", ", models: [m]", ""),
        (
            "name an image, such as registry.example.com/team/app:1.0",
            "{image: ''",
            &good,
        ),
        ("name one with image:", "{command: [x]", &good),
        (
            "put it there, or say required: false",
            "env_file: a.env",
            "env_file: [{path: a.env, required: false}]",
        ),
        (
            "mount it read-only (:ro), and it travels as a config",
            "./a.txt:/a",
            "./a.txt:/a:ro",
        ),
        (
            "write in its place `- ./conf/a:/conf/a:ro`; a folder hides what the image has there",
            "./conf:/conf:ro",
            "./conf/a:/conf/a:ro",
        ),
        (
            "keep it in an image, or on the host under an absolute path",
            "./empty:/e:ro",
            "/srv/empty:/e:ro",
        ),
        ("take read_only out, or keep the file", "read_only: true, ", ""),
        (
            "use the engine's profile, or unconfined",
            "seccomp:profile.json",
            "seccomp:unconfined",
        ),
        (
            "use a named volume, a config with content:, or an absolute path of the host",
            "./data:/data",
            "/srv/data:/data",
        ),
        (
            "name the registry that the image really comes from, or use another name",
            "registry.${W:-airlock}.internal",
            "registry.example.com",
        ),
        ("remove it, or let its name begin with x-", "zzqqxx", "x-zzqqxx"),
        ("did you mean command?", "comand", "command"),
        ("correct the name", "[nobody]", "[typed]"),
        (
            "activate its profile, or leave the other one out too",
            ", depends_on: [extra]",
            "",
        ),
        ("define it under networks, or correct the name", "[inner]", "[default]"),
        (
            "use a file on the host with an absolute path",
            "external: true",
            "file: /etc/shop/e",
        ),
        (
            "use a file on the host with an absolute path",
            "file: ./s.txt",
            "file: /etc/shop/s",
        ),
        ("use an absolute path of the host", "device: ./v", "device: /srv/v"),
    ];
    let secrets: &[Fault<'_>] = &[
        (
            "keep it in a file on the host, or write a secret of the release in its place",
            ", labels: {k: '-----BEGIN PRIVATE KEY-----'}",
            "",
        ),
        (
            "or keep it in a file on the host (file: with an absolute path)",
            "environment: T",
            "file: /etc/shop/t",
        ),
    ];
    let release = release("compose: one.yaml", "");
    put_right_but(&shop, &release, &[("one.yaml", secrets), ("one.yaml", faults)]);
    // Two files are not there.
    let missing = shop.build(&release);
    assert_eq!(missing.remedy("E-CONTENT", "file"), "put it there");
    shop.write("a.labels", "a=b\n");
    shop.write("c.txt", "c");
    shop.create("").succeeded();
}

#[test]
fn variables_are_put_right_as_the_messages_say() {
    let shop = Workshop::new();
    let deep = (0..40).fold("x".to_owned(), |inner, n| format!("${{D{n}:-{inner}}}"));
    let big = "b".repeat(700 << 10);
    shop.write("one.env", &format!("BIG={big}\n"));
    shop.write("inc.env", "OWN=own\n");
    shop.write(
        "inc.yaml",
        &format!("services:\n  b: {{{IMAGE}, labels: {{a: '${{COMPOSE_PROJECT_NAME}}-${{OWN}}'}}}}\n"),
    );
    shop.write(
        "one.yaml",
        &format!(
            "include:\n- {{path: inc.yaml, env_file: inc.env}}\nservices:\n  a:\n    {IMAGE}\n    command: ['${{date', '${{NEEDED:?}}', '{deep}', '${{BIG}}${{BIG}}']\n"
        ),
    );
    let yaml: &[Fault<'_>] = &[
        (
            "write a dollar sign that stands for itself as $$",
            "'${date'",
            "'$${date'",
        ),
        ("use another variable for some of them", &deep, "${D:-x}"),
        ("keep it in a volume or an image", ", '${BIG}${BIG}'", ""),
        (
            "move the variable to the deployment's environment file",
            "{path: inc.yaml, env_file: inc.env}",
            "inc.yaml",
        ),
    ];
    let environment: &[Fault<'_>] = &[(
        "give it one in the environment file",
        &format!("BIG={big}"),
        "NEEDED=yes\nOWN=own",
    )];
    let release = release("compose: one.yaml, env_file: one.env", "");
    put_right(&shop, &release, &[("one.yaml", yaml), ("one.env", environment)]);
}

#[test]
fn files_that_compose_files_name_are_put_right_as_the_messages_say() {
    let shop = Workshop::new();
    shop.write("inc.yaml", &format!("services:\n  b: {{{IMAGE}}}\n"));
    shop.write("base.yaml", &format!("services:\n  base: {{{IMAGE}}}\n"));
    shop.write(
        "config.yaml",
        "configs:\n  c: {environment: GREETING}\n  d: {environment: UNSET}\n",
    );
    shop.write("config.env", "GREETING=good day\n");
    let file = "include:
- {path: config.yaml, env_file: config.env}
- https://example.com/inc.yaml
- ~/inc.yaml
- {project_directory: .}
services:
  a: {extends: {file: base.yaml}}
  c: {extends: {file: 'https://example.com/base.yaml', service: base}}
";
    shop.write("one.yaml", file);
    let copy = "keep a copy beside the compose file, and name that";
    let faults: &[Fault<'_>] = &[
        (copy, "- https://example.com/inc.yaml\n", "- inc.yaml\n"),
        (
            "write a path relative to the file, or one from the root",
            "- ~/inc.yaml\n",
            "",
        ),
        ("write a path, or a mapping with path", "- {project_directory: .}\n", ""),
        (
            "write extends: {service: NAME}, and a file: where it stands in another one",
            "{file: base.yaml}",
            "{file: base.yaml, service: base}",
        ),
        (copy, "'https://example.com/base.yaml'", "base.yaml"),
    ];
    let one = release("compose: one.yaml", "");
    let config: &[Fault<'_>] = &[(
        "write content: ${NAME} in its place, or say the config in the file that includes this one",
        "{environment: GREETING}",
        "{content: \"${GREETING}\"}",
    )];
    put_right(&shop, &one, &[("one.yaml", faults), ("config.yaml", config)]);
    // A list that is none.
    let two = one.replace("sequence: 1", "sequence: 2");
    shop.write(
        "one.yaml",
        &format!("include: {{path: inc.yaml}}\nservices:\n  a: {{{IMAGE}}}\n"),
    );
    let list: &[Fault<'_>] = &[(
        "write a list of paths, or of mappings with path, project_directory and env_file",
        "{path: inc.yaml}",
        "[{path: inc.yaml}]",
    )];
    put_right(&shop, &two, &[("one.yaml", list)]);
    // Two files that say a thing in two forms.
    let three = release("compose: [one.yaml, two.yaml]", "").replace("sequence: 1", "sequence: 3");
    let network = "networks:\n  n:\n    ipam:\n      config:";
    shop.write(
        "one.yaml",
        &format!("services:\n  a: {{{IMAGE}, deploy: {{replicas: 1}}}}\n{network} [{{subnet: 10.1.0.0/16}}]\n"),
    );
    shop.write(
        "two.yaml",
        &format!("services:\n  a: {{deploy: one}}\n{network} {{subnet: 10.2.0.0/16}}\n"),
    );
    let merged: &[Fault<'_>] = &[
        (
            "write both in the same form, or replace with !override",
            "deploy: one",
            "deploy: {replicas: 2}",
        ),
        (
            "write address pools as a list",
            "{subnet: 10.2.0.0/16}",
            "[{subnet: 10.2.0.0/16}]",
        ),
    ];
    put_right(&shop, &three, &[("two.yaml", merged)]);
}

#[test]
fn services_that_do_not_run_and_stacks_are_put_right_as_the_messages_say() {
    let shop = Workshop::new();
    // Nothing runs: the profile is activated, or a service added.
    let none = release("compose: one.yaml", "");
    shop.write("one.yaml", &format!("services:\n  a: {{{IMAGE}, profiles: [p]}}\n"));
    let refused = shop.build(&none);
    assert_eq!(
        refused.remedy("E-USAGE", "value"),
        "add a service, or activate a profile"
    );
    shop.build(&release("compose: one.yaml, profiles: [p]", "")).succeeded();
    let two = none.replace("sequence: 1", "sequence: 2");
    shop.write("one.yaml", "services:\n  a: web\n");
    let mapping: &[Fault<'_>] = &[("correct it, or remove it", "a: web", &format!("a: {{{IMAGE}}}"))];
    put_right(&shop, &two, &[("one.yaml", mapping)]);
    // A stack of a swarm.
    let stack = release("compose: one.yaml", ", mode: swarm").replace("sequence: 1", "sequence: 3");
    let file = "services:
  a: {IMAGE, configs: [c, d], secrets: [s], depends_on: {b: {condition: service_healthy}}}
  b: {IMAGE}
configs:
  c: {file: /etc/shop/c}
  d: {content: text}
secrets:
  s: {file: /etc/shop/s}
";
    shop.write("one.yaml", &file.replace("IMAGE", IMAGE));
    let external = "make it an external one of the swarm";
    let faults: &[Fault<'_>] = &[
        (external, "file: /etc/shop/c", "external: true"),
        (external, "content: text", "external: true"),
        (external, "file: /etc/shop/s", "external: true"),
        (
            "write depends_on as a list of names",
            "{b: {condition: service_healthy}}",
            "[b]",
        ),
    ];
    put_right(&shop, &stack, &[("one.yaml", faults)]);
}

/// What has another form than compose's, and what does not fit together.
#[test]
fn forms_are_put_right_as_the_messages_say() {
    let shop = Workshop::new();
    let file = "services:
  empty: {IMAGE, labels: }
  number: {IMAGE, hostname: 5}
  word: {IMAGE, stop_grace_period: soon}
  twice: {IMAGE, group_add: [a, a]}
  less: {IMAGE, volumes: [{type: tmpfs}]}
  both: {IMAGE, network_mode: host, networks: [default]}
  limits: {IMAGE, mem_limit: 1g, deploy: {resources: {limits: {memory: 2g}}}}
  many: {IMAGE, container_name: many, scale: 2}
  watched: {IMAGE, develop: {watch: [{path: ., action: sync}]}}
  first: {IMAGE, container_name: same}
  second: {IMAGE, container_name: same}
  waits: {IMAGE, depends_on: [for_it]}
  for_it: {IMAGE, depends_on: [waits]}
volumes: {'a b': }
";
    shop.write("one.yaml", &file.replace("IMAGE", IMAGE));
    let faults: &[Fault<'_>] = &[
        ("give it a value, or remove the key", ", labels: ", ""),
        ("put it in quotes", "hostname: 5", "hostname: '5'"),
        ("correct it, or remove it", "soon", "10s"),
        ("list it once", "[a, a]", "[a]"),
        ("add target", "{type: tmpfs}", "{type: tmpfs, target: /t}"),
        ("say one of them", ", networks: [default]", ""),
        ("say the same in both places", "memory: 2g", "memory: 1g"),
        ("remove container_name, or run it once", "container_name: many, ", ""),
        (
            "remove develop: no site builds",
            ", develop: {watch: [{path: ., action: sync}]}",
            "",
        ),
        (
            "give each a name of its own",
            "second: {IMAGE, container_name: same}",
            "second: {IMAGE, container_name: other}",
        ),
        (
            "let one of them start without the next one",
            ", depends_on: [waits]",
            "",
        ),
        ("use letters, digits and . _ - alone", "'a b'", "a_b"),
    ];
    let faults: Vec<(&str, String, String)> = faults
        .iter()
        .map(|(says, from, to)| (*says, from.replace("IMAGE", IMAGE), to.replace("IMAGE", IMAGE)))
        .collect();
    let faults: Vec<Fault<'_>> = faults
        .iter()
        .map(|(says, from, to)| (*says, from.as_str(), to.as_str()))
        .collect();
    put_right(&shop, &release("compose: one.yaml", ""), &[("one.yaml", &faults)]);
}

/// What is said without a refusal: the file is changed, and nothing is said.
#[test]
fn warnings_about_compose_files_end_when_they_are_followed() {
    let shop = Workshop::new();
    shop.write(
        "one.yaml",
        &format!(
            "services:\n  a: {{{IMAGE}, build: ., pull_policy: always, labels: {{a: '${{UNSET}}', b: '${{GIVEN}}'}}}}\n"
        ),
    );
    shop.write("one.env", "OTHER=1\n");
    let release =
        |n: u64| release("compose: one.yaml, env_file: one.env", "").replace("sequence: 1", &format!("sequence: {n}"));
    let warned = |n| shop.build(&release(n)).ended.stderr;
    let says = [
        "remove pull_policy: the image is pinned, and what is there already is the same",
        "give it a value in the environment file, or a default",
        "push what was built under the name of image:, or remove build",
    ];
    let before = warned(1);
    for said in says {
        assert!(before.contains(said), "{before}");
    }
    shop.edit("one.yaml", ", build: ., pull_policy: always", "");
    shop.edit("one.yaml", "${UNSET}", "${UNSET:-x}");
    shop.write("one.env", "OTHER=1\nGIVEN=2\n");
    let after = warned(2);
    for said in says {
        assert!(!after.contains(said), "{after}");
    }
}

/// A profile that no service has is told beside one that some have, and a folder without files has no lines to write.
#[test]
fn profiles_and_folders_are_put_right_as_the_messages_say() {
    let shop = Workshop::new();
    std::fs::create_dir(shop.path("nothing")).unwrap();
    let file =
        format!("services:\n  a: {{{IMAGE}, volumes: ['./nothing:/n']}}\n  b: {{{IMAGE}, profiles: [flower, mail]}}\n");
    shop.write("one.yaml", &file);
    let wrong = release("compose: one.yaml, profiles: [flower, nosuch]", "");
    put_right_but(
        &shop,
        &wrong,
        &[(
            "one.yaml",
            &[(
                "use a named volume, or an absolute path of the host: there is no file in it",
                "./nothing:/n",
                "/srv/nothing:/n",
            )],
        )],
    );
    let told = "no service has the profile \\\"nosuch\\\", which is activated; services have: flower, mail; correct its name, or leave it out";
    let made = shop.create("");
    made.succeeded();
    assert!(made.ended.stderr.contains(told), "{}", made.ended.stderr);
    let right = wrong.replace("sequence: 1", "sequence: 2").replace("nosuch", "mail");
    let made = shop.build(&right);
    made.succeeded();
    assert!(
        !made.ended.stderr.contains("no service has the profile"),
        "{}",
        made.ended.stderr
    );
}

/// Compose's own secrets: their value is a variable of the environment file, and that a secret of the release.
#[test]
fn secrets_of_compose_are_put_right_as_the_messages_say() {
    let shop = Workshop::new();
    let release = release("compose: one.yaml, env_file: one.env", "");
    shop.write("one.env", "OTHER=1\n");
    for (n, wrong) in [
        "content: \"{{ .Secrets.DB_PW }}\"",
        "environment: \"{{ .Secrets.DB_PW }}\"",
        "environment: DB_PW",
    ]
    .into_iter()
    .enumerate()
    {
        let file = format!("services:\n  a: {{{IMAGE}, secrets: [db]}}\nsecrets:\n  db:\n    {wrong}\n");
        shop.write("one.yaml", &file);
        shop.write("one.env", "OTHER=1\n");
        let numbered = release.replace("sequence: 1", &format!("sequence: {}", n + 1));
        let declared = format!("{numbered}secrets: [{{name: DB_PW, value: {{site: ask}}}}]\n");
        let refused = shop.build(&declared).ended.stderr;
        let remedy = "put DB_PW=\\\"{{ .Secrets.DB_PW }}\\\" into the env_file";
        assert!(refused.contains(remedy) && refused.contains("one.yaml:5:"), "{refused}");
        // What is there already is not asked for, and no list makes good what no compose does.
        let says = refused.contains("say environment: DB_PW there, put");
        assert!(
            says != (wrong == "environment: DB_PW") && !refused.contains("allow_plain"),
            "{refused}"
        );
        shop.write("one.yaml", &file.replace(wrong, "environment: DB_PW"));
        shop.write("one.env", "DB_PW=\"{{ .Secrets.DB_PW }}\"\n");
        shop.build(&declared).succeeded();
    }
}

#[test]
fn secrets_and_reserved_names_are_taken_out_as_the_messages_say() {
    let shop = Workshop::new();
    let file = format!("services:\n  a: {{{IMAGE}, environment: {{DB_PASSWORD: abc, MODE: x}}}}\n");
    shop.write("one.yaml", &file);
    // One that only looks like a secret is named.
    let plain = release("compose: one.yaml", "");
    let remedy = shop.build(&plain).remedy("E-POLICY", "secret");
    let line = remedy.split("the application's ").nth(1).unwrap().to_owned();
    shop.build(&release(&format!("compose: one.yaml, {line}"), ""))
        .succeeded();
    // Taken out, and entered at the site: in a file of the host.
    let host = format!(
        "services:\n  a: {{{IMAGE}, environment: {{MODE: x}}, secrets: [db]}}\nsecrets:\n  db: {{file: /etc/shop/password}}\n"
    );
    shop.write("one.yaml", &host);
    shop.build(&plain.replace("sequence: 1", "sequence: 2")).succeeded();
    // Its place, and who has the value.
    let place = remedy
        .split("write ")
        .nth(1)
        .unwrap()
        .split(" in place")
        .next()
        .unwrap();
    shop.write("one.yaml", &file.replace("abc", place));
    let section = remedy
        .split("release file ")
        .nth(1)
        .unwrap()
        .split("; ")
        .next()
        .unwrap();
    shop.build(&format!("{}{section}\n", plain.replace("sequence: 1", "sequence: 3")))
        .succeeded();
    // Where compose takes none, a variable stands for it.
    let command = file.replace(
        "environment: {DB_PASSWORD: abc, MODE: x}",
        "command: \"server --db-password abc\"",
    );
    shop.write("one.yaml", &command);
    let remedy = shop
        .build(&plain.replace("sequence: 1", "sequence: 4"))
        .remedy("E-POLICY", "secret");
    let (variable, rest) = remedy
        .split_once("write ")
        .unwrap()
        .1
        .split_once(" in place of the value and ")
        .unwrap();
    let (pair, rest) = rest
        .split_once(" into the env_file of the application, and into the release file ")
        .unwrap();
    let section = rest.split("; ").next().unwrap();
    shop.write("one.yaml", &command.replace("abc", variable));
    shop.write("one.env", &format!("{pair}\n"));
    let four = release("compose: one.yaml, env_file: one.env", "").replace("sequence: 1", "sequence: 4");
    shop.build(&format!("{four}{section}\n")).succeeded();
    // What is a secret by its own form, and has no name.
    let key = "-----BEGIN PRIVATE KEY-----\\nMIIEvQIBADAN";
    shop.write("one.yaml", &file.replace("DB_PASSWORD: abc", &format!("A: \"{key}\"")));
    let five = plain.replace("sequence: 1", "sequence: 5");
    let refused = shop.build(&five).ended.stderr;
    assert!(
        refused.contains("allow_plain: [FILE]") || refused.contains("a private key"),
        "{refused}"
    );
    shop.write("one.yaml", &file.replace("DB_PASSWORD: abc, ", ""));
    shop.build(&five).succeeded();
    // The name of what a site knows, written by hand.
    let placed = format!("services:\n  a: {{{IMAGE}, hostname: registry.airlock.internal}}\n");
    shop.write("one.yaml", &placed);
    let six = plain.replace("sequence: 1", "sequence: 6");
    let remedy = shop.build(&six).remedy("E-USAGE", "placeholder");
    assert!(remedy.ends_with(", or use another name"), "{remedy}");
    shop.edit("one.yaml", "registry.airlock.internal", "web.example.com");
    shop.build(&six).succeeded();
}

/// Values that are too long only together.
#[test]
fn values_that_are_too_long_together_are_made_shorter() {
    let shop = Workshop::new();
    shop.write("one.env", &format!("BIG={}\n", "b".repeat(900 << 10)));
    let text = "'${BIG}', ".repeat(80);
    shop.write("one.yaml", &format!("services:\n  a: {{{IMAGE}}}\nx-texts: [{text}]\n"));
    let shorter: &[Fault<'_>] = &[("use shorter values", "${BIG}", "b")];
    put_right(
        &shop,
        &release("compose: one.yaml, env_file: one.env", ""),
        &[("one.yaml", shorter)],
    );
}
