//! Values of secrets, whatever is in them: what a compose reads of the documents that an appliance fills is the value, byte for byte.

use airlock::bundle::{SecretForm, Substitution};
use airlock::domain::{SecretName, SecretValue};
use airlock::vendor_side::compose::Environment;
use serde_json::Value;

use super::program::{composes, say};
use super::write;
use crate::support::vendor_folder::{VendorFolder, desired};

const FILE: &str = r#"services:
  a:
    image: example.com/web:2
    environment:
      PLAIN: {{ .Secrets.HARD }}
      BESIDE: "$GREETING, {{.Secrets.HARD}} $$ {{ .Values.other }}"
      FROM_FILE: ${HARD}
  b:
    image: example.com/web:2
    environment:
      - LISTED={{- .Secrets.HARD }}
    configs: [{source: c, target: /c}]
configs:
  c:
    content: |
      {{ alert }} # {{ .Secrets.HARD -}}
      end
"#;
const REST: &str = "agents:\n- name: 3.1.0\n  docker: {source: 'oci:hello:1.0', name: 'a.example.com/d:1'}\n  \
    autoheal: {source: 'oci:hello:1.0', name: 'a.example.com/h:1'}\n\
    applications:\n- {name: one, version: \"1\", images: {'example.com/web:2': 'oci:hello:1.0'}, compose: c.yaml, env_file: c.env}\n\
    targets:\n- {name: press-1, kind: docker, deployments: [{application: one}]}\n\
    secrets:\n- {name: HARD, value: {site: generate}}\n";
const HARD: [&str; 5] = [
    "  $HOME ${X:-y} $$ # '\" \\ \\n {{ .Secrets.HARD }} {% x %}: , [ ",
    "line\nline\n\n\ttab\r\n end",
    "\u{1f600}\u{e9}\u{a0}\u{2028}x\u{85}\u{feff}",
    "registry.airlock.internal",
    "\\",
];

/// Fills a document, and reads every text of it as compose does.
fn filled(document: &str, value: &SecretValue) -> String {
    let name: SecretName = "HARD".parse().unwrap();
    let form = if document.contains("services") {
        SecretForm::Compose
    } else {
        SecretForm::Environment
    };
    let substitution = Substitution::new("registry.test:5000", "https://registry.test:5000").with_project("p".into());
    let bytes = substitution
        .with_secrets(form, [(&name, value)])
        .whole(document.as_bytes());
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn check(config: &Value, hard: &str, variable: Option<&str>) {
    let of = |service: &str, name: &str| -> String {
        let said = &config["services"][service]["environment"];
        let text = match said {
            Value::Array(list) => list
                .iter()
                .filter_map(Value::as_str)
                .find_map(|text| text.strip_prefix(name)?.strip_prefix('=')),
            map => map[name].as_str(),
        };
        let text = text.unwrap_or_else(|| panic!("{name} in {said}"));
        text.replace("$$", "$")
    };
    assert_eq!(of("a", "PLAIN"), hard);
    assert_eq!(of("b", "LISTED"), hard);
    if let Some(variable) = variable {
        assert_eq!(of("a", "BESIDE"), format!("hello, {hard} $ {{{{ .Values.other }}}}"));
        assert_eq!(of("a", "FROM_FILE"), variable);
        let content = config["configs"]["c"]["content"].as_str().unwrap().replace("$$", "$");
        assert_eq!(content, format!("{{{{ alert }}}} # {hard}end\n"));
    }
}

#[test]
fn what_compose_reads_is_the_value_whatever_is_in_it() {
    let mut folder = VendorFolder::new();
    folder.write("c.yaml", FILE);
    folder.write("c.env", "GREETING=hello\nHARD='{{ .Secrets.HARD }}'\n");
    let (built, _) = folder.build(REST, 1).unwrap();
    let docker = desired(&built).targets[0].deployments[0].docker.clone().unwrap();
    let contents = folder.contents();
    let (compose, env) = (contents.text(docker.compose), contents.text(docker.env.unwrap()));
    assert_eq!(compose.matches("{{ .Secrets.HARD }}").count(), 4, "{compose}");
    assert!(env.contains("HARD=\"{{ .Secrets.HARD }}\"\n"), "{env}");

    let composes = composes();
    if composes.is_empty() {
        say("none is there: values of secrets are read by our own readers alone");
    }
    for hard in HARD {
        let value = SecretValue::new(zeroize::Zeroizing::new(hard.as_bytes().to_vec()))
            .ok()
            .unwrap();
        let (compose, env) = (filled(&compose, &value), filled(&env, &value));
        let read = Environment::parse(std::path::Path::new("c.env"), env.as_bytes()).unwrap();
        assert_eq!(read.get("HARD"), Some(hard));
        // What reads YAML replaces no variables: those of the file stay.
        check(&serde_saphyr::from_str(&compose).unwrap(), hard, None);

        let site = tempfile::tempdir().unwrap();
        write(site.path(), &[("compose.yaml", &compose), ("app.env", &env)]);
        for program in &composes {
            let config = program.config(site.path(), &["compose.yaml"], &[]);
            match config {
                // Compose 1 knows neither content nor these quotes.
                _ if program.old => {}
                config => check(&config.unwrap(), hard, Some(hard)),
            }
        }
    }
}
