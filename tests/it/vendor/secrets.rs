//! Nothing that must not travel in clear is built into a bundle (J11), and no refusal repeats it.
#![allow(clippy::disallowed_methods, reason = "tests write what they read")]

use crate::support::vendor_folder::{VendorFolder, desired};

const CANARY: &str = "c4n4ry-7f3a9b";

fn shop(more: &str) -> String {
    format!(
        "applications:\n- name: shop\n  version: \"1\"\n  compose: c.yaml\n  env_file: c.env\n  \
         images: {{'example.com/web:2': 'oci:hello:1.0'}}\n{more}"
    )
}

fn chart(more: &str) -> String {
    format!(
        "images: [{{source: 'oci:hello:1.0', name: 'registry.example.com/shop/web:1.0'}}]\n\
         applications:\n- name: hello\n  version: \"1\"\n  chart: chart\n  image_values: [image]\n  values: v.yaml\n{more}"
    )
}

#[test]
fn every_secret_is_refused_by_name_and_its_twin_is_built() {
    let pem = format!("-----BEGIN RSA PRIVATE KEY-----\n{CANARY}\n-----END RSA PRIVATE KEY-----\n");
    let compose = "services:\n  a:\n    image: example.com/web:2\n";
    let with = |environment: &str| format!("{compose}    environment:\n      {environment}\n");
    for (file, bad, good, names) in [
        (
            "c.env",
            format!("DB_PASSWORD={CANARY}\n"),
            "DB_PASSWORD_FILE=/run/x\n".to_owned(),
            "DB_PASSWORD",
        ),
        (
            "c.env",
            format!("GITHUB=ghp_{}\n", CANARY.replace('-', "x").repeat(4)),
            "A=1\n".to_owned(),
            "c.env:1: GITHUB, a token of GitHub",
        ),
        (
            "c.env",
            format!("A=1\nB=\"{pem}\"\n"),
            "A=1\n".to_owned(),
            "c.env:2: a private key",
        ),
        (
            "c.yaml",
            with(&format!("API_TOKEN: {CANARY}")),
            with("API_TOKEN: ${API_TOKEN}"),
            "API_TOKEN",
        ),
        (
            "c.yaml",
            with(&format!("API_TOKEN: ${{T:-{CANARY}}}")),
            with("TOKEN_TTL: 5"),
            "API_TOKEN",
        ),
        (
            "c.yaml",
            with(&format!("- API_TOKEN={CANARY}")),
            with("- A=1"),
            "API_TOKEN",
        ),
        (
            "v.yaml",
            format!("db: {{password: {CANARY}}}\n"),
            "db: {existingSecret: x}\n".to_owned(),
            "db.password",
        ),
        (
            "v.yaml",
            format!("auths: {{a.b: {{auth: {CANARY}}}}}\n"),
            "auths: {}\n".to_owned(),
            "registry",
        ),
        (
            "v.yaml",
            format!("tls: |\n  {}\n", pem.replace('\n', "\n  ")),
            "tls: none\n".to_owned(),
            "a private key",
        ),
        (
            "chart/files/key.pem",
            pem.clone(),
            "x".to_owned(),
            "files/key.pem:1: a private key",
        ),
    ] {
        let mut folder = VendorFolder::new();
        folder.write("c.yaml", compose);
        folder.write("c.env", "A=1\n");
        folder.write("v.yaml", "");
        let rest = if file.starts_with("c.") { shop("") } else { chart("") };
        folder.write(file, &bad);
        let (class, code, text) = folder.refused(&rest, 1);
        assert_eq!((class, code), ("E-POLICY", "secret"), "{file}: {text}");
        assert!(text.contains(names), "{names}: {text}");
        assert!(!text.contains(CANARY), "a refusal repeats no secret: {text}");
        folder.write(file, good);
        let (_, bundle) = folder.build(&rest, 1).unwrap();
        assert!(!String::from_utf8_lossy(&bundle).contains(CANARY));
    }
}

#[test]
fn included_and_extended_files_are_looked_at_too() {
    for main in [
        "include: [more.yaml]\nservices:\n  a:\n    image: example.com/web:2\n",
        "services:\n  a:\n    extends: {file: more.yaml, service: b}\n",
    ] {
        let mut folder = VendorFolder::new();
        let more =
            format!("services:\n  b:\n    image: example.com/web:2\n    environment:\n      DB_PASSWORD: {CANARY}\n");
        folder.write("c.yaml", main);
        folder.write("c.env", "");
        folder.write("more.yaml", &more);
        let (class, code, text) = folder.refused(&shop(""), 1);
        assert_eq!((class, code), ("E-POLICY", "secret"), "{text}");
        assert!(
            text.contains("environment.DB_PASSWORD") && !text.contains(CANARY),
            "{text}"
        );
        folder.write("more.yaml", more.replace("DB_PASSWORD", "DB_USER"));
        folder.build(&shop(""), 1).unwrap();
    }
}

#[test]
fn what_its_author_allows_is_no_secret_in_charts_too() {
    let mut folder = VendorFolder::new();
    folder.write("c.yaml", "services:\n  a:\n    image: example.com/web:2\n");
    folder.write("c.env", format!("DB_PASSWORD={CANARY}\nPIN=1234\n"));
    let (class, code, text) = folder.refused(&shop(""), 1);
    assert_eq!((class, code), ("E-POLICY", "secret"));
    for says in [
        "{{ .Secrets.DB_PASSWORD }}",
        "secrets: [{name: DB_PASSWORD, value: {site: ask}}]",
        "allow_plain: [DB_PASSWORD]",
    ] {
        assert!(text.contains(says), "{says}: {text}");
    }
    folder.build(&shop("  allow_plain: [DB_PASSWORD]\n"), 1).unwrap();
    folder.build(&shop("  allow_plain: ['*.env']\n"), 2).unwrap();

    folder.write("v.yaml", format!("db: {{auth: {{password: {CANARY}}}}}\n"));
    folder.write(
        "chart/files/key.pem",
        format!("-----BEGIN RSA PRIVATE KEY-----\n{CANARY}\n-----END RSA PRIVATE KEY-----\n"),
    );
    let (_, _, text) = folder.refused(&chart("  allow_plain: [key.pem]\n"), 3);
    assert!(text.contains("db.auth.password") && !text.contains("key.pem"), "{text}");
    folder
        .build(&chart("  allow_plain: [db.auth.*, key.pem]\n"), 3)
        .unwrap();
    // A line about a key is none.
    folder.write("chart/files/key.pem", "Paste your `-----BEGIN PRIVATE KEY-----` here\n");
    folder.build(&chart("  allow_plain: ['db.*']\n"), 4).unwrap();
}

#[test]
fn all_secrets_are_one_list_and_notes_are_looked_at_too() {
    let mut folder = VendorFolder::new();
    folder.write("c.yaml", "services:\n  a:\n    image: example.com/web:2\n");
    folder.write("c.env", format!("A_PASSWORD={CANARY}\nB_TOKEN={CANARY}\n"));
    let (_, _, text) = folder.refused(
        &format!("notes: \"-----BEGIN PRIVATE KEY----- {CANARY}\"\n{}", shop("")),
        1,
    );
    assert!(text.starts_with("3 secrets"), "{text}");
    for says in ["notes", "c.env:1: A_PASSWORD", "c.env:2: B_TOKEN"] {
        assert!(text.contains(says), "{says}: {text}");
    }
    assert!(!text.contains(CANARY), "{text}");
}

#[test]
fn files_that_travel_with_a_compose_file_are_looked_at_line_by_line() {
    let mut folder = VendorFolder::new();
    folder.write("c.env", "");
    folder.write(
        "c.yaml",
        "services:\n  a:\n    image: example.com/web:2\n    volumes: ['./conf:/etc/conf:ro']\n    configs: [more]\n\
         configs:\n  more: {file: ./more}\n",
    );
    let mut number = 0;
    for (mounted, text, says) in [
        (
            "conf",
            format!("port 6379\nrequirepass {CANARY}\n"),
            "conf:2: requirepass",
        ),
        (
            "more",
            format!("[db]\nuser = a\npassword = {CANARY}\n"),
            "more:3: password",
        ),
        (
            "conf",
            format!("{{\n  \"apiKey\": \"{CANARY}\",\n  \"port\": 1\n}}\n"),
            "conf:2: apiKey",
        ),
        (
            "conf",
            format!("<db>\n<password>{CANARY}</password>\n</db>\n"),
            "conf:2: password",
        ),
        (
            "conf",
            format!("admin:$apr1$x8w1Xz0A${}\n", CANARY.repeat(2)),
            "conf:1: admin, a user with the hash of a password",
        ),
        (
            "conf",
            format!("url = postgres://app:{CANARY}@db/x\n"),
            "conf:1: url, an address with a password",
        ),
    ] {
        for name in ["conf", "more"] {
            folder.write(name, "port 6379\n# password=example\npassword_file /run/secrets/db\n");
        }
        folder.write(mounted, text);
        number += 1;
        let (class, code, said) = folder.refused(&shop(""), number);
        assert_eq!((class, code), ("E-POLICY", "secret"), "{says}: {said}");
        assert!(said.contains(says) && !said.contains(CANARY), "{says}: {said}");
        // Once, and not again under the name of the config.
        assert!(!said.contains("configs."), "{said}");
        folder
            .build(&shop(&format!("  allow_plain: [{mounted}]\n")), number)
            .unwrap();
    }
    // A secret of the release in its place is none in clear.
    folder.write("conf", "requirepass {{ .Secrets.REDIS_PASSWORD }}\n");
    folder.write("more", "port 1\n");
    let declared = "secrets:\n- {name: REDIS_PASSWORD, value: {site: generate}}\n\
                    targets:\n- {name: press, kind: docker, deployments: [{application: shop}]}\n\
                    agents:\n- name: 3.1.0\n  docker: {source: 'oci:hello:1.0', name: 'agents.example.com/d:3.1.0'}\n  autoheal: {source: 'oci:hello:1.0', name: 'agents.example.com/h:1'}\n";
    folder.build(&shop(declared), number + 1).unwrap();
    // Files of users by their name: whatever hashes them.
    folder.edit("c.yaml", "./conf:/etc", "./.htpasswd:/etc");
    folder.write(".htpasswd", "# users\nadmin:rqXexS6ZhobKA\n");
    let (_, _, said) = folder.refused(&shop(""), number + 2);
    assert!(said.contains(".htpasswd:2: a user with a password"), "{said}");
}

#[test]
fn what_does_not_travel_is_no_finding() {
    let mut folder = VendorFolder::new();
    folder.write(
        "c.env",
        "HEADER=\"-----BEGIN RSA PRIVATE KEY-----\"\nDB_HOST=postgres\nDESCRIPTION=x\n",
    );
    let service = |more: &str| format!("services:\n  a:\n    image: example.com/web:2\n{more}");
    for (number, more) in (1..).zip([
        format!("    build: {{context: ., args: {{NPM_TOKEN: {CANARY}}}}}\n"),
        format!(
            "  b:\n    image: example.com/web:2\n    profiles: [debug]\n    environment: {{DB_PASSWORD: {CANARY}}}\n"
        ),
        format!("configs:\n  unused: {{content: 'password={CANARY}'}}\n"),
    ]) {
        folder.write("c.yaml", service(&more));
        let (_, bundle) = folder.build(&shop(""), number).unwrap();
        assert!(!String::from_utf8_lossy(&bundle).contains(CANARY), "{more}");
    }
    // The same where it does.
    folder.write(
        "c.yaml",
        service(&format!(
            "  b:\n    image: example.com/web:2\n    environment: {{DB_PASSWORD: {CANARY}}}\n"
        )),
    );
    let (_, _, said) = folder.refused(&shop(""), 4);
    assert!(
        said.contains("c.yaml:6: services.b.environment.DB_PASSWORD: DB_PASSWORD"),
        "{said}"
    );
}

#[test]
fn values_that_only_look_harmless_are_refused_under_the_name_of_a_secret() {
    let mut folder = VendorFolder::new();
    folder.write("c.env", "");
    let with = |value: &str| {
        format!("services:\n  a:\n    image: example.com/web:2\n    environment:\n      DB_PASSWORD: {value}\n")
    };
    for value in [
        "12345678x",
        "12345678",
        "'2026-01-01'",
        "\"x{{ y }}\"",
        "pre-${A}",
        "/9j4AAQSkZJRgABAQEASABIAAD",
    ] {
        folder.write("c.yaml", with(value));
        let (class, code, said) = folder.refused(&shop(""), 1);
        assert_eq!((class, code), ("E-POLICY", "secret"), "{value}: {said}");
        assert!(said.contains("c.yaml:5: services.a.environment.DB_PASSWORD"), "{said}");
    }
    for (number, value) in (1..).zip([
        "${DB_PASSWORD}",
        "''",
        "'true'",
        "/run/secrets/db",
        "\"{{ y }}\"",
        "30s",
    ]) {
        folder.write("c.yaml", with(value));
        folder.build(&shop(""), number).unwrap();
    }
}

#[test]
fn a_secret_of_a_service_outside_the_profiles_is_no_mistake() {
    let mut folder = VendorFolder::new();
    folder.write("c.env", "");
    folder.write(
        "c.yaml",
        "services:\n  a:\n    image: example.com/web:2\n  b:\n    image: example.com/web:2\n    profiles: [mail]\n    \
         environment: {SMTP_PASSWORD: '{{ .Secrets.SMTP_PASSWORD }}'}\n",
    );
    let rest = |more: &str| {
        shop(&format!(
            "{more}secrets:\n- {{name: SMTP_PASSWORD, value: {{site: ask}}}}\n\
             targets:\n- {{name: press, kind: docker, deployments: [{{application: shop}}]}}\n\
             agents:\n- name: 3.1.0\n  docker: {{source: 'oci:hello:1.0', name: 'agents.example.com/d:3.1.0'}}\n  autoheal: {{source: 'oci:hello:1.0', name: 'agents.example.com/h:1'}}\n"
        ))
    };
    let (built, _) = folder.build(&rest(""), 1).unwrap();
    assert_eq!(desired(&built).targets[0].deployments[0].secrets().len(), 0);
    let said = folder.warnings.iter().find(|warning| warning.contains("SMTP_PASSWORD"));
    assert!(
        said.unwrap().contains("only by services without an activated profile"),
        "{said:?}"
    );
    let (built, _) = folder.build(&rest("  profiles: [mail]\n"), 2).unwrap();
    assert_eq!(desired(&built).targets[0].deployments[0].secrets().len(), 1);
    assert!(folder.warnings.iter().all(|warning| !warning.contains("SMTP_PASSWORD")));
    folder.edit("c.yaml", "{{ .Secrets.SMTP_PASSWORD }}", "$SMTP_PASSWORD");
    let (class, code, said) = folder.refused(&rest(""), 3);
    assert_eq!((class, code), ("E-CONTENT", "unused-secret"), "{said}");
}

#[test]
fn a_long_list_says_how_many_there_are_and_machines_get_all() {
    let mut folder = VendorFolder::new();
    folder.write("c.yaml", "services:\n  a:\n    image: example.com/web:2\n");
    let lines: Vec<String> = (0..60)
        .map(|number| format!("P{number}_PASSWORD={CANARY}{number}"))
        .collect();
    folder.write("c.env", lines.join("\n"));
    let error = folder.build(&shop(""), 1).unwrap_err();
    assert_eq!((error.code(), error.things().len()), ("secret", 60));
    let text = error.to_string();
    assert!(text.contains("and 10 more; --format json has all of them"), "{text}");
    assert!(text.contains("] and 44 more; what is no secret"), "{text}");
}

/// Every way in which programs are told a password, beside the same where it is none.
#[test]
fn a_password_is_refused_in_whatever_text_it_stands() {
    let service = |more: &str| format!("services:\n  a:\n    image: example.com/web:2\n    {more}\n");
    let mut folder = VendorFolder::new();
    let mut number = 0;
    for (file, bad, good) in [
        (
            "c.yaml",
            service("command: redis-server --requirepass P"),
            service("command: redis-server --requirepass ${P}"),
        ),
        (
            "c.yaml",
            service("command: server --password P"),
            service("command: server --password-file /run/x"),
        ),
        (
            "c.yaml",
            service("command: [sh, -c, \"exec redis-server --requirepass P\"]"),
            service("command: [sh, -c, \"exec redis-server --requirepass $$REDIS_PASSWORD\"]"),
        ),
        (
            "c.yaml",
            service("healthcheck: {test: [CMD-SHELL, \"redis-cli -a P ping\"]}"),
            service("healthcheck: {test: [CMD-SHELL, \"mysqladmin ping -uroot -p$$MYSQL_ROOT_PASSWORD\"]}"),
        ),
        (
            "c.yaml",
            service("environment: {JSON: '{\"smtp\": {\"password\": \"P\"}}'}"),
            service("environment: {JSON: '{\"smtp\": {\"user\": \"P\"}}'}"),
        ),
        (
            "c.yaml",
            service("configs: [c]\nconfigs: {c: {content: '{\"smtp\": {\"password\": \"P\"}}'}}"),
            service("configs: [c]\nconfigs: {c: {content: '{\"smtp\": {\"mode\": \"P\"}}'}}"),
        ),
        (
            "c.yaml",
            service("environment: {DATABASE_URL: \"postgres://u:${PW:-P}@db/x\"}"),
            service("environment: {DATABASE_URL: \"postgres://u:${PW}@db/x\"}"),
        ),
        (
            "c.yaml",
            service("environment: {JAVA_OPTS: -Ddb.password=P}"),
            service("environment: {JAVA_OPTS: -Ddb.user=P}"),
        ),
        (
            "c.yaml",
            service("environment: {OPTIONS: \"authorization: Bearer P\"}"),
            service("environment: {OPTIONS: \"authorization: Bearer ${P}\"}"),
        ),
        (
            "c.yaml",
            service("environment: {HOOK: https://hooks.slack.com/services/T00000000/B00000000/YYYYYYYYYYYYYYYY}"),
            service("environment: {HOOK: \"${HOOK}\"}"),
        ),
        (
            "c.env",
            "C__Default=\"Server=db;User Id=sa;Password=P\"\n".into(),
            "C__Default=\"Server=db;User Id=P\"\n".into(),
        ),
        (
            "c.env",
            "URL=jdbc:postgresql://db/x?user=a&password=P\n".into(),
            "URL=jdbc:postgresql://db/x?user=P\n".into(),
        ),
        ("c.env", "CMDLINE=--password=P\n".into(), "CMDLINE=--user=P\n".into()),
        ("c.env", "AUTH=P\n".into(), "AUTH=scram-sha-256\n".into()),
        ("c.env", "JWT=P\n".into(), "JWT_ISSUER=P\n".into()),
        (
            "c.env",
            "STRIPE=sk_live_0123456789abcdef\n".into(),
            "STRIPE=pk_live_0123456789abcdef\n".into(),
        ),
        (
            "conf",
            "$wgDBpassword = \"P\";\n".into(),
            "$wgDBpassword = getenv('P');\n".into(),
        ),
        (
            "conf",
            "$settings[\"hash_salt\"] = \"P\";\n".into(),
            "$settings[\"mode\"] = \"P\";\n".into(),
        ),
        (
            "conf",
            "masterauth P\n".into(),
            "proxy_pass http://web:3000;\nfastcgi_pass php:9000;\n".into(),
        ),
        (
            "conf",
            "CREATE USER a IDENTIFIED BY 'P';\n".into(),
            "CREATE USER a IDENTIFIED WITH ed25519;\n".into(),
        ),
        (
            "conf",
            "set password for u = password('P');\n".into(),
            "set password for u = password('${P}');\n".into(),
        ),
    ] {
        number += 1;
        folder.write("c.yaml", service("configs: [more]\nconfigs: {more: {file: ./conf}}"));
        folder.write("c.env", "A=1\n");
        folder.write("conf", "x\n");
        folder.write(
            file,
            bad.replace("=P", &format!("={CANARY}"))
                .replace(" P", &format!(" {CANARY}"))
                .replace("-P", &format!("-{CANARY}"))
                .replace("\"P\"", &format!("\"{CANARY}\""))
                .replace("'P'", &format!("'{CANARY}'")),
        );
        let (class, code, text) = folder.refused(&shop(""), number);
        assert_eq!((class, code), ("E-POLICY", "secret"), "{bad}: {text}");
        assert!(
            text.contains(&format!("{file}:")) && !text.contains(CANARY),
            "{bad}: {text}"
        );
        folder.write(file, &good);
        if let Err(error) = folder.build(&shop(""), number) {
            panic!("{good}: {error}");
        }
    }
}

#[test]
fn a_reference_to_a_secret_is_none() {
    let mut folder = VendorFolder::new();
    folder.write(
        "c.yaml",
        "services:\n  a:\n    image: example.com/web:2\n    environment:\n    - DB_PASSWORD=${ADMIN_PASSWORD:?}\n    \
         - JWT_SECRET=${ADMIN_PASSWORD:?set it; please & go}\n    - NEO4J_AUTH={{ .Secrets.PW }}\n    \
         command: flower --basic-auth=admin:${ADMIN_PASSWORD}\n  b:\n    image: example.com/web:2\n    \
         environment: {WWW_PASSWORD: '${ADMIN_PASSWORD:-airflow}'}\n",
    );
    folder.write(
        "c.env",
        "ADMIN_PASSWORD=\"{{ .Secrets.PW }}\"\nPROXY_AUTH=\"{{ .Secrets.PW }}\"\nBASIC_AUTH=\"me:{{ .Secrets.PW }}\"\n",
    );
    let declared = "secrets:\n- {name: PW, value: {site: generate}}\n\
                    targets:\n- {name: press, kind: docker, deployments: [{application: shop}]}\n\
                    agents:\n- name: 3.1.0\n  docker: {source: 'oci:hello:1.0', name: 'agents.example.com/d:3.1.0'}\n  autoheal: {source: 'oci:hello:1.0', name: 'agents.example.com/h:1'}\n";
    folder.build(&shop(declared), 1).unwrap();
    // The default of a variable that has no value there is what travels.
    folder.edit("c.yaml", "{ADMIN_PASSWORD:-airflow}", "{OTHER:-airflow}");
    let (class, code, text) = folder.refused(&shop(declared), 2);
    assert_eq!((class, code), ("E-POLICY", "secret"), "{text}");
    assert!(text.contains("services.b.environment.WWW_PASSWORD"), "{text}");
}

#[test]
fn a_variable_in_the_place_of_a_secret_is_looked_for_where_it_has_its_value() {
    let mut folder = VendorFolder::new();
    folder.write(
        "c.yaml",
        "services:\n  a:\n    image: example.com/web:2\n    environment: {URL: 'postgres://u:${X}@db/x'}\n    env_file: [more.env]\n",
    );
    folder.write("c.env", format!("A=1\nX={CANARY}\n"));
    folder.write("more.env", format!("# of the service\n\nMORE_PASSWORD={CANARY}\n"));
    let (_, _, text) = folder.refused(&shop(""), 1);
    for says in [
        "c.env:2: X, which stands in the place of a secret at ",
        "c.yaml:4: services.a.environment.URL",
        "more.env:3: services.a.environment.MORE_PASSWORD",
    ] {
        assert!(text.contains(says), "{text}");
    }
    assert!(!text.contains(CANARY), "{text}");
    folder.build(&shop("  allow_plain: [X, more.env]\n"), 1).unwrap();
    folder.write("c.env", "A=1\nX=\n");
    folder.write("more.env", "MORE_USER=x\n");
    folder.build(&shop(""), 2).unwrap();
}

#[test]
fn templates_are_read_as_their_authors_write_them() {
    let mut folder = VendorFolder::new();
    folder.write("v.yaml", "");
    let key = format!("-----BEGIN RSA PRIVATE KEY-----\n{CANARY}\n-----END RSA PRIVATE KEY-----\n");
    let object = |more: &str| format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: a}}\n{more}\n");
    let mut number = 0;
    for (bad, good) in [
        (
            format!("key: |\n  {}\n", key.replace('\n', "\n  ")),
            format!("{{{{/* example:\n{key}*/}}}}\n"),
        ),
        (
            format!("a: [{{name: DB_PASSWORD, value: {CANARY}}}]\n"),
            format!("a: [{{name: DB_USER, value: {CANARY}}}]\n"),
        ),
        (
            format!("args: [\"--db-password={CANARY}\"]\n"),
            "args: [\"--db-password=$(DB_PASSWORD)\"]\n".into(),
        ),
        (
            format!("args: [sh, -c, \"redis-server --requirepass {CANARY}\"]\n"),
            "args: [sh, -c, \"redis-server --requirepass $REDIS_PASSWORD\"]\n".into(),
        ),
        (
            format!(
                "{{{{ define \"pw\" }}}}{CANARY}{{{{ end }}}}\n{}",
                object("stringData: {password: {{ include \"pw\" . }}}")
            ),
            format!(
                "{{{{ define \"pw\" }}}}{CANARY}{{{{ end }}}}\n{}",
                object("stringData: {password: {{ .Values.pw | quote }}}")
            ),
        ),
    ] {
        number += 1;
        folder.write("chart/templates/own.yaml", &bad);
        let (class, code, text) = folder.refused(&chart(""), number);
        assert_eq!((class, code), ("E-POLICY", "secret"), "{bad}: {text}");
        assert!(
            text.contains("templates/own.yaml") && !text.contains(CANARY),
            "{bad}: {text}"
        );
        folder.write("chart/templates/own.yaml", &good);
        if let Err(error) = folder.build(&chart(""), number) {
            panic!("{good}: {error}");
        }
    }
}

/// A file that need not be there is not looked for where nothing may be read.
#[test]
fn an_optional_environment_file_outside_is_nothing_where_it_is_not() {
    let mut folder = VendorFolder::new();
    folder.write("c.env", "");
    let with = |required: &str| {
        format!(
            "services:\n  a:\n    image: example.com/web:2\n    env_file: [{{path: ../../no-such.env, required: {required}}}]\n"
        )
    };
    folder.write("c.yaml", with("false"));
    folder.build(&shop(""), 1).unwrap();
    folder.write("c.yaml", with("true"));
    let (class, code, text) = folder.refused(&shop(""), 2);
    assert_eq!((class, code), ("E-USAGE", "outside"), "{text}");
}
