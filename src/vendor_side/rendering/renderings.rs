//! Under which circumstances a chart is worked out: as it is installed, and where its templates ask for more, otherwise too.

use std::collections::BTreeSet;
use std::fmt;

use super::helm::Capabilities;
use crate::chart::Ask;

/// Most that a chart is worked out for questions that decide on images.
const MOST: usize = 24;

/// Circumstances.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) struct Rendering {
    /// As a release that is upgraded.
    pub(super) upgrade: bool,
    /// Version of kubernetes, where it is another one than the application's.
    pub(super) kube_version: Option<String>,
    /// APIs of the cluster besides the application's.
    pub(super) api_versions: Vec<String>,
}

impl fmt::Display for Rendering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.upgrade { "upgraded" } else { "installed" })?;
        if let Some(version) = &self.kube_version {
            write!(f, " on kubernetes {version}")?;
        }
        if !self.api_versions.is_empty() {
            write!(f, " with {}", self.api_versions.join(" and "))?;
        }
        Ok(())
    }
}

/// Circumstances, and the questions that are answered when a chart was worked out under all of them.
#[derive(Debug, Default)]
pub(in super::super) struct Renderings {
    pub(in super::super) all: Vec<Rendering>,
    pub(in super::super) settled: BTreeSet<Ask>,
}

/// Plans what to work out. `deciding` are the open questions that decide on images, `asked` all of a chart.
pub(in super::super) fn renderings(
    capabilities: &Capabilities,
    deciding: &BTreeSet<Ask>,
    asked: &BTreeSet<Ask>,
) -> Renderings {
    let apis = |asks: &BTreeSet<Ask>| -> Vec<String> {
        let apis = asks.iter().filter_map(|ask| match ask {
            Ask::Api(api) if capabilities.api_versions.is_none() => Some(api.clone()),
            _ => None,
        });
        apis.collect()
    };
    let mut plan = Renderings {
        all: vec![Rendering::default()],
        settled: BTreeSet::new(),
    };
    // Once with everything that is asked for, whatever it decides.
    let widest = Rendering {
        upgrade: asked.contains(&Ask::Age),
        kube_version: None,
        api_versions: apis(asked),
    };
    if widest != Rendering::default() {
        plan.all.push(widest);
    }
    let ages = if deciding.contains(&Ask::Age) {
        plan.settled.insert(Ask::Age);
        vec![false, true]
    } else {
        vec![false]
    };
    let mut sets: Vec<Vec<String>> = vec![Vec::new()];
    let deciding_apis = apis(deciding);
    if deciding_apis.len() <= 4 {
        for api in deciding_apis {
            let with: Vec<Vec<String>> = sets
                .iter()
                .map(|set| set.iter().cloned().chain([api.clone()]).collect())
                .collect();
            sets.extend(with);
            plan.settled.insert(Ask::Api(api));
        }
    }
    let mut versions: Vec<Option<String>> = vec![None];
    if capabilities.kube_version.is_none() {
        let constraints: Vec<&String> = deciding
            .iter()
            .filter_map(|ask| match ask {
                Ask::Version(constraint) => Some(constraint),
                _ => None,
            })
            .collect();
        let points: BTreeSet<(u64, u64, u64)> = constraints.iter().flat_map(|text| around(text)).collect();
        if ages.len().saturating_mul(sets.len()).saturating_mul(points.len()) < MOST {
            let point = |(major, minor, patch)| Some(format!("v{major}.{minor}.{patch}"));
            versions.extend(points.into_iter().map(point));
            plan.settled
                .extend(constraints.into_iter().map(|text| Ask::Version(text.clone())));
        }
    }
    for upgrade in ages {
        for api_versions in &sets {
            for kube_version in &versions {
                let rendering = Rendering {
                    upgrade,
                    kube_version: kube_version.clone(),
                    api_versions: api_versions.clone(),
                };
                if !plan.all.contains(&rendering) {
                    plan.all.push(rendering);
                }
            }
        }
    }
    plan
}

impl Renderings {
    /// Takes back what was to be answered by circumstances under which a chart cannot be worked out.
    pub(in super::super) fn failed(&mut self, rendering: &Rendering) {
        self.settled.retain(|ask| match ask {
            Ask::Age => !rendering.upgrade,
            Ask::Api(api) => !rendering.api_versions.contains(api),
            Ask::Version(_) => rendering.kube_version.is_none(),
            _ => true,
        });
    }
}

/// Versions at which a constraint may turn: just before, at and behind each version in it.
fn around(constraint: &str) -> BTreeSet<(u64, u64, u64)> {
    let mut found = BTreeSet::new();
    let is_part = |c: char| c.is_ascii_digit() || c == '.';
    for word in constraint
        .split(|c: char| !is_part(c))
        .filter(|word| word.contains('.'))
    {
        let mut parts = word.split('.').map(|part| part.parse::<u64>().unwrap_or(0));
        let (major, minor, patch) = (
            parts.next().unwrap_or(0),
            parts.next().unwrap_or(0),
            parts.next().unwrap_or(0),
        );
        if major == 0 {
            continue;
        }
        found.extend([(major, minor, patch), (major, minor.saturating_add(1), 0)]);
        if let Some(before) = patch.checked_sub(1) {
            found.extend([(major, minor, before), (major, minor, patch.saturating_add(1))]);
        } else if let Some(before) = minor.checked_sub(1) {
            found.insert((major, before, 99));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(deciding: &[Ask], asked: &[Ask], capabilities: &Capabilities) -> (Vec<String>, usize) {
        let plan = renderings(
            capabilities,
            &deciding.iter().cloned().collect(),
            &asked.iter().cloned().collect(),
        );
        (plan.all.iter().map(ToString::to_string).collect(), plan.settled.len())
    }

    #[test]
    fn a_chart_is_worked_out_as_often_as_its_questions_need() {
        let unknown = Capabilities::default();
        let api = |name: &str| Ask::Api(name.to_owned());
        assert_eq!(shown(&[], &[], &unknown), (vec!["installed".to_owned()], 0));
        assert_eq!(
            shown(&[], &[Ask::Age, api("x.io/v1"), Ask::Cluster], &unknown),
            (vec!["installed".to_owned(), "upgraded with x.io/v1".to_owned()], 0)
        );
        let (found, settled) = shown(&[Ask::Age, api("x.io/v1")], &[], &unknown);
        assert_eq!(
            (found, settled),
            (
                [
                    "installed",
                    "installed with x.io/v1",
                    "upgraded",
                    "upgraded with x.io/v1"
                ]
                .map(str::to_owned)
                .to_vec(),
                2
            )
        );
        let version = Ask::Version(">=1.21-0".to_owned());
        let (found, settled) = shown(std::slice::from_ref(&version), &[], &unknown);
        assert_eq!(
            (found, settled),
            (
                [
                    "installed",
                    "installed on kubernetes v1.20.99",
                    "installed on kubernetes v1.21.0",
                    "installed on kubernetes v1.22.0"
                ]
                .map(str::to_owned)
                .to_vec(),
                1
            )
        );
        // What is said is not asked.
        let said = Capabilities {
            kube_version: Some("v1.30.0".to_owned()),
            api_versions: Some(Vec::new()),
        };
        assert_eq!(
            shown(&[version.clone(), api("x.io/v1")], &[api("x.io/v1")], &said),
            (vec!["installed".to_owned()], 0)
        );
        // Too many are left open.
        let many: Vec<Ask> = (0..5).map(|n| api(&format!("x{n}.io/v1"))).collect();
        assert_eq!(shown(&many, &[], &unknown).1, 0);
        let many: Vec<Ask> = (10..30).map(|n| Ask::Version(format!(">1.{n}"))).collect();
        assert_eq!(shown(&many, &[], &unknown), (vec!["installed".to_owned()], 0));
    }

    #[test]
    fn what_cannot_be_worked_out_answers_nothing() {
        let deciding = BTreeSet::from([Ask::Age, Ask::Api("x.io/v1".to_owned())]);
        let mut plan = renderings(&Capabilities::default(), &deciding, &BTreeSet::new());
        let upgraded = plan
            .all
            .iter()
            .find(|one| one.upgrade && one.api_versions.is_empty())
            .cloned();
        plan.failed(&upgraded.unwrap());
        assert_eq!(plan.settled, BTreeSet::from([Ask::Api("x.io/v1".to_owned())]));
    }
}
