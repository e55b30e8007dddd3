//! What is found in texts of every kind, and what a refusal says of it.

use serde_json::Value;

use super::allow_plain::AllowPlain;
use super::findings::Findings;
use crate::domain::Class;

const CANARY: &str = "c4n4ry-7f3a";

fn refused(look: impl Fn(&mut Findings)) -> Option<String> {
    let mut findings = Findings::default();
    look(&mut findings);
    let error = findings.into_result().err()?;
    assert_eq!((error.class(), error.code()), (Class::Policy, "secret"));
    assert!(!format!("{error:?}").contains(CANARY), "{error}");
    Some(format!("{} {}", error.found(), error.advice().unwrap_or_default()))
}

#[test]
fn env_lines_are_refused_by_name_and_without_their_value() {
    let pem = format!("-----BEGIN RSA PRIVATE KEY-----\n{CANARY}\n-----END RSA PRIVATE KEY-----");
    for (text, says) in [
        (format!("A=1\nDB_PASSWORD={CANARY}\n"), "x.env:2: DB_PASSWORD"),
        (format!("export api-key = '{CANARY}'\n"), "x.env:1: api-key"),
        (format!("KEY=\"{pem}\"\n"), "x.env:1: a private key"),
        (format!("DB_PASSWORD=${{OTHER:-{CANARY}}}\n"), "DB_PASSWORD"),
        (
            format!("DATABASE_URL=postgres://shop:{CANARY}@db/shop\n"),
            "DATABASE_URL",
        ),
        (
            format!("C__Default=\"Server=db;User Id=sa;Password={CANARY}\"\n"),
            "x.env:1: Password",
        ),
        (
            format!("URL=jdbc:postgresql://db/x?user=a&password={CANARY}\n"),
            "x.env:1: password",
        ),
        (format!("CMDLINE=--password={CANARY}\n"), "x.env:1: --password"),
        (
            format!("JSON='{{\"smtp\": {{\"password\": \"{CANARY}\"}}}}'\n"),
            "x.env:1: password",
        ),
        (
            format!("JSON=\"{{\\\"password\\\": \\\"{CANARY}\\\"}}\"\n"),
            "x.env:1: password",
        ),
        (
            format!("A=postgres://u:${{PW:-{CANARY}}}@db/x\n"),
            "x.env:1: A, an address",
        ),
        (
            format!("ANON=eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoieCJ9.{CANARY}\n"),
            "x.env:1: ANON, a JSON web token",
        ),
    ] {
        let text = refused(|findings| findings.lines("x.env", &text, AllowPlain::NOTHING)).unwrap();
        assert!(text.contains(says), "{text}");
    }
    for text in [
        "DB_PASSWORD=\n# DB_PASSWORD=x\n# ghp_0123456789abcdefghijklmnopqrstuvwxyz\nDB_PASSWORD_FILE=/run/secrets/db\n",
        "DB_PASSWORD=${OTHER}\nTOKEN_TTL=3600\nUSER=x\nMAX_TOKENS=4096\n",
        "DB_PASSWORD={{ .Secrets.DB_PASSWORD }}\nURL=a://b:{{ .Secrets.B }}@c\n",
        "CERT=-----BEGIN CERTIFICATE-----\n",
    ] {
        assert_eq!(
            refused(|findings| findings.lines("x.env", text, AllowPlain::NOTHING)),
            None
        );
    }
}

#[test]
fn a_variable_in_the_place_of_a_secret_is_one() {
    let place = |_: &str| ("c.yaml".to_owned(), 7);
    let look = |values: &Value, text: &str| {
        refused(|findings| {
            findings.lines("c.env", text, AllowPlain::NOTHING);
            findings.placed(values, &place, &|name| name == "SET", AllowPlain::NOTHING);
            findings.variables("c.env", text, AllowPlain::NOTHING);
        })
    };
    let in_address = serde_json::json!({"services": {"a": {"environment": {"URL": "postgres://u:${X}@db/x"}}}});
    let in_key = serde_json::json!({"services": {"a": {"environment": ["DB_PASSWORD=${X:?set it}"]}}});
    let in_command = serde_json::json!({"services": {"a": {"command": "server --password ${X}"}}});
    for values in [&in_address, &in_key, &in_command] {
        let text = look(values, &format!("A=1\nX={CANARY}\n")).unwrap();
        assert!(
            text.contains("c.env:2: X, which stands in the place of a secret at c.yaml:7"),
            "{text}"
        );
        assert_eq!(
            look(values, &format!("Y={CANARY}\nX=\"secret.airlock.internal/X/\"\n")),
            None
        );
    }
    assert!(look(&Value::Null, &format!("X={CANARY}\nURL=postgres://u:${{X}}@db\n")).is_some());
    let other = serde_json::json!({"services": {"a": {"environment": {"NAME": "${X}"}}}});
    assert_eq!(look(&other, &format!("X={CANARY}\n")), None);
    // A default that is never used says nothing.
    for (key, default, is_found) in [
        ("DB_PASSWORD", "${SET:-x9}", false),
        ("DB_PASSWORD", "${UNSET:-x9}", true),
        ("A", "${UNSET:-${SET:-x9}}", false),
    ] {
        let values = serde_json::json!({"services": {"a": {"environment": {key: default}}}});
        assert_eq!(look(&values, "").is_some(), is_found, "{default}");
    }
    for (text, is_found) in [
        ("A=${DB_PASSWORD:-x9}\n", true),
        ("DB_PASSWORD=${X}\nA=${DB_PASSWORD:-x9}\n", false),
    ] {
        assert_eq!(look(&Value::Null, text).is_some(), is_found, "{text}");
    }
}

#[test]
fn what_compose_takes_no_secret_for_is_told_to_be_a_variable() {
    let place = |_: &str| ("c.yaml".to_owned(), 7);
    let look =
        |values: Value| refused(|findings| findings.placed(&values, &place, &|_| false, AllowPlain::NOTHING)).unwrap();
    let direct = "write \"{{ .Secrets.DB_PASSWORD }}\" in place";
    let variable =
        "write ${DB_PASSWORD} in place of the value and DB_PASSWORD=\"{{ .Secrets.DB_PASSWORD }}\" into the env_file";
    let environment = look(serde_json::json!({"services": {"a": {"environment": {"DB_PASSWORD": CANARY}}}}));
    assert!(
        environment.contains(direct) && !environment.contains(variable),
        "{environment}"
    );
    for values in [
        serde_json::json!({"services": {"a": {"command": format!("x --db-password {CANARY}")}}}),
        serde_json::json!({"services": {"a": {"command": ["x", "--db-password", CANARY]}}}),
        serde_json::json!({"services": {"a": {"labels": {"db.password": CANARY}}}}),
        serde_json::json!({"services": {"a": {"logging": {"options": {"db-password": CANARY}}}}}),
        serde_json::json!({"volumes": {"a": {"driver_opts": {"o": format!("user=x,db_password={CANARY}")}}}}),
    ] {
        let text = look(values);
        assert!(text.contains(variable) && !text.contains(direct), "{text}");
    }
}

#[test]
fn what_is_no_secret_is_allowed_by_key_path_or_file() {
    let text = format!("DB_PASSWORD={CANARY}\nAPI_KEY={CANARY}\n");
    let values = serde_json::json!({"db": {"auth": {"password": CANARY}}, "auths": {"a": {"auth": CANARY}}});
    for (patterns, lines, tree) in [
        (&["DB_PASSWORD", "API_KEY", "db.auth.password", "auths"][..], true, true),
        (&["*_PASSWORD", "API_*", "db.*", "auths"], true, true),
        (&["conf/x.env"], true, false),
        (&["x.*"], true, true),
        (&["*.env"], true, false),
        (&["DB_PASSWORD", "db.auth"], false, false),
        (&["_PASSWORD"], false, false),
    ] {
        let patterns: Vec<String> = patterns.iter().map(ToString::to_string).collect();
        let plain = AllowPlain(&patterns);
        let of_lines = refused(|findings| findings.lines("conf/x.env", &text, plain));
        let of_tree = refused(|findings| findings.values("conf/x.yaml", &values, plain));
        assert_eq!((of_lines.is_none(), of_tree.is_none()), (lines, tree), "{patterns:?}");
    }
}

#[test]
fn equal_values_are_one_secret_and_others_have_names_of_their_own() {
    let text = refused(|findings| {
        findings.lines(
            "a.env",
            "DB_PASSWORD=one\nPGPASSWORD=\"one\"\nTOKEN=x1x\n",
            AllowPlain::NOTHING,
        );
        let yaml = "env:\n  DB_PASSWORD: two\n";
        let tree = serde_json::json!({"env": {"DB_PASSWORD": "two"}});
        findings.file_values("b.yaml", yaml, &tree, AllowPlain::NOTHING);
    })
    .unwrap();
    assert!(text.contains("b.yaml:2: env.DB_PASSWORD"), "{text}");
    assert!(
        text.contains("DB_PASSWORD and PGPASSWORD have one value, DB_PASSWORD"),
        "{text}"
    );
    assert!(text.contains("{name: TOKEN, "), "{text}");
    assert!(
        text.contains("{name: DB_PASSWORD, ") && text.contains("{name: DB_PASSWORD_2, "),
        "{text}"
    );
    assert!(!text.contains("{name: PGPASSWORD"), "{text}");
}

#[test]
fn what_is_known_by_its_form_is_not_told_by_its_name_again() {
    let token = "ghp_0123456789abcdefghijklmnopqrstuvwxyz";
    let key = "-----BEGIN PRIVATE KEY-----\\nMIIEpAIBAAKCAQEAmMIIEpA";
    let env = format!("A_TOKEN={token}\nHEADER=Authorization: Bearer {token}\nPRIVATE_KEY=\"{key}\"\n");
    let yaml = format!("db:\n  token: {token}\n");
    let tree = serde_json::json!({"db": {"token": token}});
    let mut findings = Findings::default();
    findings.lines("a.env", &env, AllowPlain::NOTHING);
    findings.text("b.yaml", &yaml, AllowPlain::NOTHING);
    findings.file_values("b.yaml", &yaml, &tree, AllowPlain::NOTHING);
    findings.configuration("c.ini", &format!("token = {token}\n"), AllowPlain::NOTHING);
    findings.note_in_chart("x.tgz/files/a.ini:1".to_owned(), "a token of GitHub");
    findings.chart_file("x.tgz/files/a.ini", &format!("token = {token}\n"), AllowPlain::NOTHING);
    assert_eq!(findings.count(), 6, "{:?}", findings.list);
}

#[test]
fn values_are_refused_by_path() {
    for (values, says) in [
        (
            serde_json::json!({"db": {"auth": {"postgresPassword": CANARY}}}),
            "v.yaml: db.auth.postgresPassword",
        ),
        (
            serde_json::json!({"env": [format!("API_TOKEN={CANARY}")]}),
            "v.yaml: env.0",
        ),
        (serde_json::json!({"auths": {"a.b": {"auth": CANARY}}}), "registry"),
        (
            serde_json::json!({"env": [{"name": "DB_PASSWORD", "value": CANARY}]}),
            "env.0: DB_PASSWORD",
        ),
        (
            serde_json::json!({"list": [{"clientSecret": CANARY}]}),
            "secrets: [{name: CLIENT_SECRET, value: {site: ask}}]",
        ),
    ] {
        let text = refused(|findings| findings.values("v.yaml", &values, AllowPlain::NOTHING)).unwrap();
        assert!(text.contains(says), "{text}");
    }
    for values in [
        serde_json::json!({"passwords": [CANARY]}),
        serde_json::json!({"env": {"DB_PASSWORD": {"value": CANARY}}}),
        serde_json::json!({"config": format!("user: x\npassword: {CANARY}\n")}),
        serde_json::json!({"command": format!("server --db-password={CANARY} --port 1")}),
        serde_json::json!({"args": ["--password", CANARY]}),
        serde_json::json!({"url": format!("jdbc:postgresql://db/x?user=a&password={CANARY}")}),
        serde_json::json!({"o": format!("addr=x,username=a,password={CANARY}")}),
        serde_json::json!({"secretEnv": {"db": CANARY}}),
        serde_json::json!({"app": {"secrets": {"first": CANARY, "name": "x"}}}),
        serde_json::json!({"rootPassword": 12_345_678}),
        serde_json::json!({"NEO4J_AUTH": format!("neo4j/{CANARY}")}),
        serde_json::json!({"file": format!("port 1\nrequirepass {CANARY}\n")}),
        serde_json::json!({"command": format!("redis-server --requirepass {CANARY}")}),
        serde_json::json!({"command": ["sh", "-c", format!("exec redis-server --requirepass {CANARY}")]}),
        serde_json::json!({"command": format!("server --password {CANARY}")}),
        serde_json::json!({"command": format!("redis-cli -a {CANARY} ping")}),
        serde_json::json!({"command": ["server", "-password", CANARY]}),
        serde_json::json!({"test": ["CMD", "mysqladmin", "ping", "-uroot", format!("-p{CANARY}")]}),
        serde_json::json!({"command": ["mongosh", "-u", "root", "-p", CANARY]}),
        serde_json::json!({"test": ["CMD", "/usr/bin/curl", "-u", format!("a:{CANARY}"), "http://x"]}),
        serde_json::json!({"JAVA_OPTS": format!("-Ddb.password={CANARY}")}),
        serde_json::json!({"config": format!("{{\"db\": {{\"password\": \"{CANARY}\"}}}}")}),
        serde_json::json!({"args": [format!("authorization: Bearer {CANARY}")]}),
        serde_json::json!({"AUTH": CANARY}),
        serde_json::json!({"init": format!("CREATE USER a IDENTIFIED BY '{CANARY}'")}),
        serde_json::json!({"environment": [format!("HEADERS=Authorization: Bearer {CANARY}")]}),
        serde_json::json!({"environment": [format!("HEADERS=X-Api-Key: {CANARY}")]}),
        serde_json::json!({"labels": [format!("headers=password: {CANARY}")]}),
        serde_json::json!({"environment": [format!("ARGS=--password {CANARY}")]}),
        serde_json::json!({"content": format!("headers = Authorization: Bearer {CANARY}")}),
        serde_json::json!({"environment": {"A": format!("${{PG_PASS:-{CANARY}}}")}}),
        serde_json::json!({"environment": [format!("A=${{DB_PASSWORD-{CANARY}}}")]}),
        serde_json::json!({"environment": {"A": format!("${{X:-${{DB_PASSWORD:-{CANARY}}}}}")}}),
        serde_json::json!({"command": format!("run --x ${{DB_PASSWORD:-{CANARY}}}")}),
        serde_json::json!({"labels": {"a": format!("x ${{ENCRYPTION_KEY:-{CANARY}}} y")}}),
    ] {
        assert!(
            refused(|findings| findings.values("v.yaml", &values, AllowPlain::NOTHING)).is_some(),
            "{values}"
        );
    }
    for values in [
        serde_json::json!({"environment": ["DB_PASSWORD=${ADMIN_PASSWORD:?}", "JWT_SECRET=${ADMIN_PASSWORD:?set it; & go}"]}),
        serde_json::json!({"environment": ["NEO4J_AUTH=secret.airlock.internal/X/"], "smtpAuth": "secret.airlock.internal/X/"}),
        serde_json::json!({"command": "celery flower --basic-auth=admin:${FLOWER_PASSWORD} --url_prefix=x"}),
        serde_json::json!({"test": ["CMD-SHELL", "mysqladmin ping -uroot -p$$MYSQL_ROOT_PASSWORD --password=$$MYSQL_PASSWORD"]}),
        serde_json::json!({"nginx": "server {\n  location / {\n    proxy_pass http://web:3000;\n  }\n}\n"}),
        serde_json::json!({"description": "Token: see the handbook", "algorithm": "token bucket", "image": "token-service:v2x"}),
        serde_json::json!({"labels": ["traefik.http.routers.x.rule=Host(`a`) && Path(`/token`)"]}),
        serde_json::json!({"labels": ["traefik.http.routers.token-service.rule=Host(`a.b`)", "a.secret-app.entrypoints=websecure"]}),
        serde_json::json!({"labels": {"traefik.http.middlewares.auth-token.forwardauth.address": "http://auth:9091/api"}}),
        serde_json::json!({"environment": {"PASSWORD_PROMPT": "Enter it", "SECRET_ID": "projects/x/secrets/y"}}),
        serde_json::json!({"environment": {"A": "${TOKEN_TTL:-3600} ${DB_PASSWORD:-} ${DB_PASSWORD:?set it} ${DB_USER:-shop}"}}),
    ] {
        assert_eq!(
            refused(|findings| findings.values("v.yaml", &values, AllowPlain::NOTHING)),
            None,
            "{values}"
        );
    }
    let values = serde_json::json!({"auth": {"existingSecret": "db", "secretName": "x", "password": "", "enabled": true, "token": 5},
            "imagePullSecrets": [{"name": "x"}], "pullSecrets": ["regcred"], "auths": {}, "volumes": ["app-secrets:/run/x"],
            "tokens": {"context": 4096}, "maxTokens": 4096, "externalSecrets": {"store": "vault"}, "credentials": {"secretName": "x", "username": "me"}});
    assert_eq!(
        refused(|findings| findings.values("v.yaml", &values, AllowPlain::NOTHING)),
        None
    );
}
