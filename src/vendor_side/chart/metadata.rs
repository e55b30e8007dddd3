//! `Chart.yaml`: who a chart says it is, and which charts it is made of.

use serde_json::Value;

use super::archive::wrong;
use crate::domain::{Class, Result};
use crate::yaml::as_helm;

/// What matters of `Chart.yaml`.
#[derive(Debug)]
pub(super) struct Metadata {
    /// The chart's name.
    pub(super) name: String,
    /// Its version.
    pub(super) version: String,
    /// Version of what it deploys, where it is said.
    pub(super) app_version: Option<String>,
    /// It brings templates for other charts and installs nothing.
    pub(super) library: bool,
    /// Charts that it is made of.
    pub(super) dependencies: Vec<Dependency>,
    /// The whole document as JSON: the config of an OCI chart.
    pub(super) json: Value,
}

/// A chart that another one is made of.
#[derive(Debug, Clone)]
pub(super) struct Dependency {
    /// Its name.
    pub(super) name: String,
    /// What its values are called.
    pub(super) alias: String,
    /// Where it is declared, as `FILE:LINE`.
    pub(super) place: String,
}

impl Metadata {
    /// Parses `Chart.yaml`, and `requirements.yaml` of charts of the first generation.
    ///
    /// # Errors
    ///
    /// `E-CONTENT chart`.
    pub(super) fn parse(
        label: &str,
        chart: &[u8],
        requirements: Option<&[u8]>,
        warn: &mut dyn FnMut(String),
    ) -> Result<Self> {
        let file = format!("{label}/Chart.yaml");
        let json = yaml(&file, chart, warn)?;
        let text = |key: &str| match json.get(key) {
            Some(Value::String(text)) => Some(text.clone()),
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        let name = text("name").unwrap_or_default();
        // The name becomes a file name at whoever unpacks the chart, and the end of a repository's name here.
        let fits = crate::domain::RepositoryName::under("localhost", &name).is_ok() && !name.contains('/');
        if !fits || name.len() > 250 {
            return Err(wrong(
                label,
                &format!("it calls itself {:?}", name.chars().take(80).collect::<String>()),
            )
            .expected("a name of a-z, 0-9 and single . _ - between them"));
        }
        let version = text("version").unwrap_or_default();
        if !is_version(&version) {
            return Err(wrong(
                label,
                &format!("its version is {:?}", version.chars().take(80).collect::<String>()),
            )
            .expected("a version that helm takes, like 2.0.0, v2.0.0 or 2.0"));
        }
        let mut dependencies = declared(&json, &file, chart);
        if let Some(requirements) = requirements {
            let file = format!("{label}/requirements.yaml");
            dependencies.extend(declared(&yaml(&file, requirements, warn)?, &file, requirements));
        }
        Ok(Self {
            name,
            version,
            app_version: text("appVersion"),
            dependencies,
            library: json.get("type").and_then(Value::as_str) == Some("library"),
            json,
        })
    }
}

fn declared(document: &Value, file: &str, bytes: &[u8]) -> Vec<Dependency> {
    let text = String::from_utf8_lossy(bytes);
    let list = document.get("dependencies").and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(|dependency| {
            let name = dependency.get("name")?.as_str()?.to_owned();
            let alias = dependency
                .get("alias")
                .and_then(Value::as_str)
                .unwrap_or(&name)
                .to_owned();
            let line = (1..)
                .zip(text.lines())
                .find(|(_, line)| {
                    line.trim_start_matches([' ', '-'])
                        .strip_prefix("name:")
                        .is_some_and(|rest| rest.trim().trim_matches(['"', '\'']) == name)
                })
                .map_or(1, |(number, _): (u64, _)| number);
            Some(Dependency {
                place: format!("{file}:{line}"),
                name,
                alias,
            })
        })
        .collect()
}

/// Parses YAML of a chart.
///
/// # Errors
///
/// `E-CONTENT chart` with file, line and column; `E-LIMIT yaml`.
pub(super) fn yaml(file: &str, bytes: &[u8], warn: &mut dyn FnMut(String)) -> Result<Value> {
    as_helm(file, bytes, warn).map_err(|error| match error.class() {
        Class::Limit => error,
        _ => error.reclassified(Class::Content, "chart"),
    })
}

/// A semantic version as helm takes it: perhaps with a `v` in front, with one or two numbers, with zeros before them. helm looks for the tag
/// that is spelt as the version is.
fn is_version(text: &str) -> bool {
    let text = text.strip_prefix('v').unwrap_or(text);
    let (rest, build) = text
        .split_once('+')
        .map_or((text, None), |(rest, build)| (rest, Some(build)));
    let (core, pre) = rest
        .split_once('-')
        .map_or((rest, None), |(core, pre)| (core, Some(pre)));
    let number = |part: &str| part.bytes().all(|c| c.is_ascii_digit()) && part.parse::<u64>().is_ok();
    let word = |part: &str| !part.is_empty() && part.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-');
    // Zeros before the numbers of the core are passed over, those before a number behind the dash are not.
    let has_zero = |part: &str| part.len() > 1 && part.starts_with('0') && part.bytes().all(|c| c.is_ascii_digit());
    text.len() <= 128
        && core.split('.').count() <= 3
        && core.split('.').all(number)
        && [pre, build].iter().flatten().all(|part| part.split('.').all(word))
        && !pre.is_some_and(|pre| pre.split('.').any(has_zero))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charts_say_who_they_are() {
        let good = b"apiVersion: v2\nname: erp\nversion: 2.0.0+1\nappVersion: 1.10\ndependencies:\n- name: db\n  alias: data\n";
        let chart = Metadata::parse("erp", good, None, &mut |_| ()).unwrap();
        assert_eq!((chart.name.as_str(), chart.version.as_str()), ("erp", "2.0.0+1"));
        let dependency = &chart.dependencies[0];
        assert_eq!(
            (dependency.alias.as_str(), dependency.place.as_str()),
            ("data", "erp/Chart.yaml:6")
        );
        for (version, spelt) in [
            ("1.2", "1.2"),
            ("v1", "v1"),
            ("01.2.3", "01.2.3"),
            ("1.2-rc1", "1.2-rc1"),
            ("1.2.3-0a.0+01", "1.2.3-0a.0+01"),
            ("18446744073709551615.0.0", "18446744073709551615.0.0"),
            ("\"1.10\"", "1.10"),
        ] {
            let text = format!("name: erp\nversion: {version}\n");
            let chart = Metadata::parse("erp", text.as_bytes(), None, &mut |_| ()).unwrap();
            assert_eq!(chart.version, spelt);
        }
        let mut said = Vec::new();
        let twice = b"name: erp\nversion: v1.18.2\nversion: v1.18.3\n";
        let chart = Metadata::parse("erp", twice, None, &mut |warning| said.push(warning)).unwrap();
        assert_eq!(chart.version, "v1.18.3");
        assert!(said[0].starts_with("erp/Chart.yaml:3"), "{said:?}");
        for (bad, says) in [
            ("name: ..\nversion: 1.0.0\n", "\"..\""),
            ("name: a/b\nversion: 1.0.0\n", "\"a/b\""),
            ("name: Erp\nversion: 1.0.0\n", "\"Erp\""),
            ("version: 1.0.0\n", "\"\""),
            ("name: erp\nversion: 1.2.3.4\n", "1.2.3.4"),
            ("name: erp\nversion: vv1.0.0\n", "vv1.0.0"),
            ("name: erp\nversion: v\n", "\"v\""),
            ("name: erp\nversion: 1.0.x\n", "1.0.x"),
            ("name: erp\nversion: 1.2.3-01\n", "1.2.3-01"),
            ("name: erp\nversion: 1.2.3-rc.00\n", "1.2.3-rc.00"),
            ("name: erp\nversion: 1.2.3-\n", "1.2.3-"),
            ("name: erp\nversion: 1.2.3+\n", "1.2.3+"),
            ("name: erp\nversion: 18446744073709551616.0.0\n", "18446744073709551616"),
            ("- name\n", "mapping"),
            ("", "\"\""),
        ] {
            let error = Metadata::parse("erp", bad.as_bytes(), None, &mut |_| ()).unwrap_err();
            assert_eq!((error.class(), error.code()), (Class::Content, "chart"), "{bad}");
            assert!(error.found().contains(says), "{error}");
        }
    }
}
