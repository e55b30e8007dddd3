//! Charts and secrets: what helm makes of values with secrets in them, images that secrets name, and clear text that looks like one.
#![allow(clippy::disallowed_methods, reason = "tests write what they read")]

use std::process::Command;

use airlock::bundle::{SecretForm, Substitution};
use airlock::domain::{SecretName, SecretValue};
use airlock::vendor_side::HelmChoice;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::chart_table::helm;
use crate::support::vendor_folder::{VendorFolder, desired};

const REST: &str = "agents:\n- name: 3.1.0\n  kubernetes: {source: 'oci:hello:1.0', name: 'agents.example.com/k:3.1.0'}\n\
    images: [{source: 'oci:hello:1.0', name: 'docker.io/acme/web:1'}]\n\
    applications:\n- {name: app, version: \"1\", chart: own, values: v.yaml, image_values: [image]}\n\
    targets:\n- {name: hall, kind: kubernetes, namespace: shop, deployments: [{application: app}]}\n";
const SECRETS: &str = "secrets:\n- {name: DB_PASSWORD, value: {site: ask}}\n- {name: TLS_KEY, value: {site: ask}}\n";

/// Secrets as charts write them: quoted, as a block of values, encoded, in a file of configuration.
const TEMPLATE: &str = "apiVersion: v1
kind: Secret
metadata: {name: a}
stringData:
  quoted: {{ .Values.db.password | quote }}
  address: {{ printf \"postgres://app:%s@db\" .Values.db.password | quote }}
data:
  encoded: {{ .Values.db.password | b64enc }}
  key: {{ .Values.tls.key | b64enc }}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: a}
spec:
  template:
    spec:
      imagePullSecrets: {{- toYaml .Values.imagePullSecrets | nindent 8 }}
      containers:
      - name: a
        image: {{ .Values.image }}
        env: {{- toYaml .Values.env | nindent 8 }}
        args: {{ .Values.args | toJson }}
";
const DEFAULTS: &str =
    "image: acme/web:1\nimagePullSecrets: []\ndb: {password: \"\"}\ntls: {key: \"\"}\nenv: []\nargs: []\n";
const OWN: &str = "imagePullSecrets: []
db:
  password: \"{{ .Secrets.DB_PASSWORD }}\"
tls:
  key: |-
    {{ .Secrets.TLS_KEY }}
env:
  - {name: PASSWORD, value: \"{{ .Secrets.DB_PASSWORD }}\"}
args: [\"--dsn=app:{{ .Secrets.DB_PASSWORD }}@db\"]
";

fn folder() -> VendorFolder {
    let folder = VendorFolder::new();
    folder.write("own/Chart.yaml", "apiVersion: v2\nname: own\nversion: 1.0.0\n");
    folder.write("own/values.yaml", DEFAULTS);
    folder.write("own/templates/a.yaml", TEMPLATE);
    folder.write("v.yaml", OWN);
    folder
}

/// Values of a deployment as an agent gets them, with these values of secrets.
fn served(values: &str, secrets: &[(&str, &str)]) -> Vec<u8> {
    let secrets: Vec<(SecretName, SecretValue)> = secrets
        .iter()
        .map(|(name, value)| {
            let value = zeroize::Zeroizing::new(value.as_bytes().to_vec());
            (name.parse().unwrap(), SecretValue::new(value).ok().unwrap())
        })
        .collect();
    let substitution = Substitution::new("registry.test:5000", "https://registry.test:5000");
    let substitution = substitution.with_secrets(SecretForm::Values, secrets.iter().map(|(name, value)| (name, value)));
    substitution.whole(values.as_bytes()).to_vec()
}

#[test]
fn what_helm_makes_of_secrets_in_values_is_the_value_whatever_is_in_it() {
    let Some(helm) = helm() else {
        println!("left out: no helm on this machine");
        return;
    };
    let mut folder = folder();
    // Worked out and read alike: the places change no image.
    for (number, choice) in (1..).zip([HelmChoice::Off, HelmChoice::Named(helm.clone())]) {
        folder.overrides.helm = choice;
        let (built, _) = folder.build(&format!("{REST}{SECRETS}"), number).unwrap();
        assert!(folder.warnings.is_empty(), "{:?}", folder.warnings);
        let deployment = &desired(&built).targets[0].deployments[0];
        assert_eq!(deployment.secrets().len(), 2);
        let values = folder.contents().text(deployment.helm.as_ref().unwrap().values);
        assert_eq!(values.matches("{{ .Secrets.DB_PASSWORD }}").count(), 3, "{values}");
        for hard in [
            " $HOME ${X:-y} # '\" \\ \\n {{ .Values.image }} {{ .Secrets.TLS_KEY }} {% x %}: , [ ",
            "line\nline\n\n\ttab\r\n end",
            "\u{1f600}\u{e9}\u{a0}\u{2028}x\u{85}",
            "0123",
        ] {
            let key = "-----BEGIN KEY-----\nbody: \"x\"\n-----END KEY-----\n";
            let filled = served(&values, &[("DB_PASSWORD", hard), ("TLS_KEY", key)]);
            folder.write("served.json", filled);
            let output = Command::new(&helm)
                .args(["template", "app", "own", "-n", "shop", "-f", "served.json"])
                .current_dir(folder.path(""))
                .env("HOME", folder.path("home"))
                .output()
                .unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let mut documents = text
                .split("---\n")
                .skip(1)
                .map(|text| serde_saphyr::from_str::<Value>(text).unwrap());
            let (secret, pods) = (documents.next().unwrap(), documents.next().unwrap());
            let encoded = |name: &str| STANDARD.decode(secret["data"][name].as_str().unwrap()).unwrap();
            assert_eq!(String::from_utf8(encoded("encoded")).unwrap(), hard);
            assert_eq!(String::from_utf8(encoded("key")).unwrap(), key);
            let quoted = secret["stringData"]["quoted"].as_str();
            assert_eq!(quoted, Some(hard));
            let address = secret["stringData"]["address"].as_str().unwrap();
            assert_eq!(address, format!("postgres://app:{hard}@db"));
            // Helm's functions leave what ends lines in some YAML as it is.
            if hard.contains('\u{85}') {
                continue;
            }
            let container = &pods["spec"]["template"]["spec"]["containers"][0];
            assert_eq!(container["env"][0]["value"].as_str(), Some(hard));
            assert_eq!(container["args"][0].as_str().unwrap(), format!("--dsn=app:{hard}@db"));
        }
    }
}

#[test]
fn an_image_of_a_chart_is_written_out_and_no_secret() {
    let helm = helm();
    let mut folder = folder();
    let own = std::fs::read_to_string(folder.path("v.yaml")).unwrap();
    let secrets = format!("{SECRETS}- {{name: IMAGE, value: {{site: ask}}}}\n");
    let choices = [Some(HelmChoice::Off), helm.map(HelmChoice::Named)];
    for (number, choice) in (1..).zip(choices.into_iter().flatten()) {
        folder.overrides.helm = choice;
        for image in [
            "{{ .Secrets.IMAGE }}",
            "acme/web:{{ .Secrets.IMAGE }}",
            "{{ .Secrets.IMAGE }}/acme/web:1",
        ] {
            folder.write("v.yaml", format!("{own}image: \"{image}\"\n"));
            let (class, code, text) = folder.refused(&format!("{REST}{secrets}"), number);
            assert_eq!((class, code), ("E-CONTENT", "template"), "{image}: {text}");
            for says in [
                "the image image in the values is named by a secret",
                "write the name of the image out",
            ] {
                assert!(text.contains(says), "{says}: {text}");
            }
        }
        folder.write("v.yaml", format!("{own}image: acme/web:1\n"));
        folder.build(&format!("{REST}{SECRETS}"), number).unwrap();
    }
}

#[test]
fn clear_text_in_a_chart_that_looks_like_a_secret_is_refused_by_its_place() {
    const CANARY: &str = "c4n4ry-9d1e";
    let mut folder = folder();
    let release = |more: &str| {
        format!("{REST}{SECRETS}").replace("image_values: [image]", &format!("image_values: [image]{more}"))
    };
    let token = format!("ghp_{}", CANARY.replace('-', "x").repeat(4));
    let mut number = 0;
    for (file, text, says, allowed) in [
        (
            "own/values.yaml",
            format!("{DEFAULTS}smtp: {{password: {CANARY}}}\n"),
            "smtp.password",
            "smtp.password",
        ),
        (
            "own/values.yaml",
            format!("{DEFAULTS}smtp: {{apiKey: {CANARY}}}\n"),
            "smtp.apiKey",
            "'smtp.*'",
        ),
        (
            "own/values.yaml",
            format!("{DEFAULTS}more:\n- name: APP_KEY\n  value: {CANARY}\n"),
            "APP_KEY",
            "APP_KEY",
        ),
        (
            "own/files/app.conf",
            format!("a = 1\nb = {token}\n"),
            "files/app.conf:2: a token of GitHub",
            "app.conf",
        ),
        (
            "own/templates/b.yaml",
            format!("a: 1\nurl: postgres://app:{CANARY}@db/x\n"),
            "b.yaml:2: an address with a password in it",
            "b.yaml",
        ),
        (
            "own/templates/b.yaml",
            format!("kind: Secret\nstringData:\n  password: {CANARY}\n"),
            "b.yaml:3: password",
            "password",
        ),
        (
            "own/templates/b.yaml",
            format!("kind: Secret\ndata:\n  db: {}\n", STANDARD.encode(CANARY)),
            "b.yaml:3: db",
            "db",
        ),
        (
            "own/templates/b.yaml",
            format!("# {{{{ .Values.x }}}}\nkey: {{{{ .Values.smtp.password | default \"{CANARY}\" | quote }}}}\n"),
            "b.yaml:2: password",
            "b.yaml",
        ),
        (
            "own/templates/b.yaml",
            format!("env:\n- name: SMTP_PASSWORD\n  value: {CANARY}\n"),
            "b.yaml:3: SMTP_PASSWORD",
            "'SMTP_*'",
        ),
        (
            "own/templates/b.yaml",
            format!("kind: ConfigMap\ndata:\n  redis.conf: |\n    requirepass {CANARY}\n"),
            "b.yaml:4: requirepass",
            "requirepass",
        ),
        (
            "own/values.yaml",
            format!("{DEFAULTS}secretEnv: {{mail: {CANARY}}}\n"),
            "secretEnv.mail",
            "secretEnv.mail",
        ),
        (
            "own/values.yaml",
            format!(
                "{DEFAULTS}smtp: {{password: \"x{{{{ .Values.{} }}}}\"}}\n",
                CANARY.replace('-', "_")
            ),
            "smtp.password",
            "smtp.password",
        ),
    ] {
        let before = std::fs::read(folder.path(file)).ok();
        folder.write(file, text);
        let (class, code, said) = folder.refused(&release(""), number + 1);
        assert_eq!((class, code), ("E-POLICY", "secret"), "{said}");
        assert!(said.contains(says) && !said.contains(CANARY), "{says}: {said}");
        number += 1;
        folder
            .build(&release(&format!(", allow_plain: [{allowed}]")), number)
            .unwrap();
        match before {
            Some(before) => folder.write(file, before),
            None => std::fs::remove_file(folder.path(file)).unwrap(),
        }
    }
    // A default that the deployment replaces is nobody's secret: as the refusal says, with a place in its stead.
    folder.write(
        "own/values.yaml",
        DEFAULTS.replace("password: \"\"", &format!("password: {CANARY}")),
    );
    folder.build(&release(""), number + 1).unwrap();
    // Names and places of what is kept elsewhere, examples, remarks and what a template puts together are none.
    folder.write(
        "own/values.yaml",
        format!(
            "{DEFAULTS}auth:\n  existingSecret: app-secret\n  secretKeys: {{adminPasswordKey: postgres-password}}\n  passwordKey: password\n  \
             tokenTTL: 24h\n  maxTokens: \"4096\"\n  passwordFile: /run/password\n  # password: {CANARY}\n  password: \"\"\n  \
             url: 'postgres://app:$(PASSWORD)@db'\nvolumes: [{{name: app-secrets, mountPath: /etc/secrets}}]\n"
        ),
    );
    folder.write(
        "own/README.md",
        format!("Say `--set smtp.password={CANARY}`, or https://app:{CANARY}@host.\n"),
    );
    folder.write("own/examples/a.yaml", format!("url: https://app:{CANARY}@host\n"));
    folder.write(
        "own/templates/c.yaml",
        "url: {{ printf \"https://app:%s@host\" .Values.db.password }}\n",
    );
    folder.write(
        "own/templates/d.yaml",
        "kind: Secret\nstringData:\n  username: app\n  password: {{ .Values.db.password | default (randAlphaNum 20) | quote }}\n",
    );
    folder.build(&release(""), number + 2).unwrap();
    // What a template reads travels as it is; what nothing reads is none of the application.
    folder.write("own/files/app.conf", format!("port 1\nrequirepass {CANARY}\n"));
    folder.build(&release(""), number + 3).unwrap();
    folder.write(
        "own/templates/e.yaml",
        "a: {{ .Files.Get \"files/app.conf\" | quote }}\n",
    );
    let (class, code, said) = folder.refused(&release(""), number + 4);
    assert_eq!((class, code), ("E-POLICY", "secret"), "{said}");
    assert!(
        said.contains("files/app.conf:2: requirepass") && !said.contains(CANARY),
        "{said}"
    );
    folder.build(&release(", allow_plain: [app.conf]"), number + 4).unwrap();
}

#[test]
fn a_password_in_a_template_is_written_where_the_message_says() {
    let mut folder = folder();
    let release = format!("{REST}{SECRETS}");
    let secret = |value: &str| format!("kind: Secret\nstringData:\n  password: {value}\n");
    folder.write("own/templates/b.yaml", secret("hunter2"));
    let (_, _, said) = folder.refused(&release, 1);
    let remedy = "write a value of the chart in its place, and that secret into the values of the deployment; what is no secret is \
                  named in the application's allow_plain: [password]";
    assert!(said.ends_with(remedy), "{said}");
    // Beside another one, in the values.
    folder.write("v.yaml", OWN.replace("{{ .Secrets.DB_PASSWORD }}", "hunter3"));
    let (_, _, said) = folder.refused(&release, 1);
    for says in [
        "in place of the value, with the quotes",
        "in a template or file of a chart write a value of the chart",
    ] {
        assert!(said.contains(says), "{says}: {said}");
    }
    folder.write("v.yaml", OWN);
    folder.write("own/templates/b.yaml", secret("{{ .Values.db.password | quote }}"));
    folder.build(&release, 1).unwrap();
}
