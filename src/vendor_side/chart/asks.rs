//! What templates ask that only a cluster knows, or nobody: whatever follows from that may come out otherwise at the site than here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::actions::{Piece, Word, pieces};
use super::template::Template;

/// Groups of APIs that kubernetes brings itself: helm has every version of them that ever was, clusters have not.
const BUILT_IN: &[&str] = &[
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "apps",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "extensions",
    "flowcontrol.apiserver.k8s.io",
    "internal.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
    "storagemigration.k8s.io",
];

/// Functions whose result is another one each time.
const CHANCE: &[&str] = &[
    "randInt",
    "randAlphaNum",
    "randAlpha",
    "randNumeric",
    "randAscii",
    "randBytes",
    "shuffle",
    "uuidv4",
    "now",
    "ago",
    "genPrivateKey",
    "genCA",
    "genCAWithKey",
    "genSelfSignedCert",
    "genSelfSignedCertWithKey",
    "genSignedCert",
    "genSignedCertWithKey",
    "htpasswd",
    "bcrypt",
    "encryptAES",
    "getHostByName",
];

/// A question whose answer is not known where a chart is worked out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) enum Ask {
    /// Whether the release is installed or upgraded.
    Age,
    /// Whether the cluster has this API, which kubernetes does not bring itself.
    Api(String),
    /// Which APIs the cluster has, in another way.
    Apis,
    /// Whether the version of the cluster fits a constraint.
    Version(String),
    /// The version of the cluster, in another way.
    KubeVersion,
    /// What stands in the cluster.
    Cluster,
    /// How often the release was upgraded.
    Revision,
    /// Chance, and the time.
    Chance,
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Age => f.write_str("whether the release is upgraded"),
            Self::Api(api) => write!(f, "whether the cluster has {api}"),
            Self::Apis => f.write_str("the APIs of the cluster"),
            Self::Version(_) | Self::KubeVersion => f.write_str("the cluster's version of kubernetes"),
            Self::Cluster => f.write_str("what stands in the cluster (lookup)"),
            Self::Revision => f.write_str("the revision of the release"),
            Self::Chance => f.write_str("chance or the time"),
        }
    }
}

/// A named template.
#[derive(Debug, Default, Clone)]
struct Named {
    asks: BTreeSet<Ask>,
    /// Something in it names images.
    speaks: bool,
}

/// What is known of the named templates of a chart, and of templates in its values.
#[derive(Debug, Default)]
pub(super) struct Asking {
    named: BTreeMap<String, Named>,
    /// What templates among the values ask.
    values: BTreeSet<Ask>,
}

impl Asking {
    /// Looks through everything that a chart defines. `values` are the templates among its values.
    pub(super) fn new(templates: &[Template], values: &[String]) -> Self {
        let mut asking = Self::default();
        for text in values {
            asking.values.extend(asks_in(text));
        }
        let defines = |template: &&Template| template.text.contains("define") || template.text.contains("block");
        let sources: Vec<Vec<Piece<'_>>> = templates
            .iter()
            .filter(defines)
            .map(|template| pieces(&template.text))
            .collect();
        // What one includes is as if it stood there, and so on, until nothing new is learned.
        loop {
            let before = asking.size();
            for source in &sources {
                asking.define(source);
            }
            if asking.size() == before {
                return asking;
            }
        }
    }

    fn size(&self) -> (usize, usize) {
        let asks = self.named.values().map(|named| named.asks.len()).sum();
        (asks, self.named.values().filter(|named| named.speaks).count())
    }

    fn define(&mut self, source: &[Piece<'_>]) {
        // Names of the open blocks; nothing for those that define nothing.
        let mut open: Vec<Option<String>> = Vec::new();
        let mut variables = BTreeMap::new();
        for piece in source {
            let inside = open.iter().rev().find_map(Clone::clone);
            let words = match piece {
                Piece::Text(text) => {
                    if let Some(name) = inside {
                        self.named.entry(name).or_default().speaks |= speaks(text);
                    }
                    continue;
                }
                Piece::Action { words, .. } => words,
            };
            match words.first() {
                Some(Word::Name(word)) if matches!(word.as_str(), "define" | "block") => {
                    open.push(match words.get(1) {
                        Some(Word::Text(name)) => Some(name.clone()),
                        _ => None,
                    });
                    variables.clear();
                }
                Some(Word::Name(word)) if matches!(word.as_str(), "if" | "with" | "range") => open.push(None),
                Some(Word::Name(word)) if word == "end" => {
                    open.pop();
                }
                _ => {}
            }
            let Some(name) = inside else { continue };
            let asks = self.asks_of(words, &variables);
            let says = self.speaks(words)
                || words
                    .iter()
                    .any(|word| matches!(word, Word::Text(text) if speaks(text)));
            let named = self.named.entry(name).or_default();
            named.speaks |= says;
            match &words[..] {
                // What a variable holds counts where it is used.
                [Word::Field(variable, _), Word::Declare | Word::Assign, ..] => {
                    let held: &mut BTreeSet<Ask> = variables.entry(variable.clone()).or_default();
                    held.extend(asks);
                }
                _ => named.asks.extend(asks),
            }
        }
    }

    /// Returns what an action asks; `variables` are what those hold that stand in it.
    pub(super) fn asks_of(&self, words: &[Word], variables: &BTreeMap<String, BTreeSet<Ask>>) -> BTreeSet<Ask> {
        let mut asks = own_asks(words);
        for word in words {
            match word {
                Word::Field(base, _) => asks.extend(variables.get(base).into_iter().flatten().cloned()),
                Word::Name(name) if name == "tpl" => asks.extend(self.values.iter().cloned()),
                _ => {}
            }
        }
        for name in included(words) {
            match name {
                Some(name) => asks.extend(self.named.get(&name).into_iter().flat_map(|known| known.asks.clone())),
                // Whichever it is.
                None => asks.extend(self.named.values().flat_map(|known| known.asks.clone())),
            }
        }
        compared(words, &mut asks);
        asks
    }

    /// Whether an action puts something in its place that names images.
    pub(super) fn speaks(&self, words: &[Word]) -> bool {
        included(words)
            .flatten()
            .any(|name| self.named.get(&name).is_some_and(|known| known.speaks))
    }
}

/// Returns what a text with actions in it asks.
pub(super) fn asks_in(text: &str) -> BTreeSet<Ask> {
    let mut asks = BTreeSet::new();
    for piece in pieces(text) {
        if let Piece::Action { words, .. } = piece {
            let mut own = own_asks(&words);
            compared(&words, &mut own);
            asks.extend(own);
        }
    }
    asks
}

/// Whether a text may ask anything: a cheap look before a thorough one.
pub(super) fn may_ask(text: &str) -> bool {
    let words = [
        "Capabilities",
        "APIVersions",
        "KubeVersion",
        "lookup",
        "IsUpgrade",
        "IsInstall",
        "Revision",
    ];
    words.iter().chain(CHANCE).any(|word| text.contains(word))
}

fn speaks(text: &str) -> bool {
    ["mage:", "mageName:", "ontainers:", "mageRef:", "mage\":"]
        .iter()
        .any(|key| text.contains(key))
}

/// Names of templates that an action puts in its place; nothing for a name that is made.
fn included(words: &[Word]) -> impl Iterator<Item = Option<String>> + '_ {
    words.iter().enumerate().filter_map(|(at, word)| match word {
        Word::Name(name) if matches!(name.as_str(), "include" | "template") => match words.get(at.saturating_add(1)) {
            Some(Word::Text(name)) => Some(Some(name.clone())),
            _ => Some(None),
        },
        _ => None,
    })
}

fn own_asks(words: &[Word]) -> BTreeSet<Ask> {
    let mut asks = BTreeSet::new();
    for (at, word) in words.iter().enumerate() {
        match word {
            Word::Name(name) if name == "lookup" => {
                asks.insert(Ask::Cluster);
            }
            Word::Name(name) if CHANCE.contains(&name.as_str()) => {
                asks.insert(Ask::Chance);
            }
            Word::Field(_, fields) => {
                let has = |key: &str| fields.iter().any(|field| field == key);
                if has("APIVersions") {
                    asks.insert(match words.get(at.saturating_add(1)) {
                        Some(Word::Text(api)) if has("Has") => asked(api),
                        _ => Ask::Apis,
                    });
                } else if has("KubeVersion") {
                    asks.insert(Ask::KubeVersion);
                } else if fields.last().is_some_and(|field| field == "Capabilities") {
                    asks.extend([Ask::KubeVersion, Ask::Apis]);
                } else if has("IsUpgrade") || has("IsInstall") {
                    asks.insert(Ask::Age);
                } else if has("Revision") && (has("Release") || fields.len() == 1) {
                    asks.insert(Ask::Revision);
                }
            }
            _ => {}
        }
    }
    asks
}

fn asked(api: &str) -> Ask {
    let group = api.split_once('/').map_or("", |(group, _)| group);
    // `v1`, and kinds of it.
    if group.is_empty() || !group.contains('.') || BUILT_IN.contains(&group) {
        Ask::Apis
    } else {
        Ask::Api(api.to_owned())
    }
}

/// A version that is only compared matters as far as the comparison goes.
fn compared(words: &[Word], asks: &mut BTreeSet<Ask>) {
    let mut constraints = Vec::new();
    for (at, word) in words.iter().enumerate() {
        if matches!(word, Word::Name(name) if name == "semverCompare") {
            let Some(Word::Text(constraint)) = words.get(at.saturating_add(1)) else {
                return;
            };
            constraints.push(Ask::Version(constraint.clone()));
        }
    }
    if !constraints.is_empty() && asks.remove(&Ask::KubeVersion) {
        asks.extend(constraints);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(action: &str) -> Vec<String> {
        asks_in(&format!("{{{{ {action} }}}}"))
            .iter()
            .map(|ask| format!("{ask:?}"))
            .collect()
    }

    #[test]
    fn what_only_a_cluster_knows_is_asked_for() {
        for (action, expected) in [
            ("if .Release.IsUpgrade", "Age"),
            ("if $.Capabilities.APIVersions.Has \"x.io/v1\"", "Api(\"x.io/v1\")"),
            ("if .Capabilities.APIVersions.Has \"batch/v1\"", "Apis"),
            ("if .Capabilities.APIVersions.Has (printf \"x\")", "Apis"),
            (
                "if semverCompare \">=1.20-0\" .root.Capabilities.KubeVersion.Version",
                "Version(\">=1.20-0\")",
            ),
            (".Capabilities.KubeVersion.Minor", "KubeVersion"),
            ("$s := (lookup \"v1\" \"Secret\" \"a\" \"b\")", "Cluster"),
            ("gt (int .Release.Revision) 1", "Revision"),
            ("randAlphaNum 3", "Chance"),
        ] {
            assert_eq!(asks(action), [expected], "{action}");
            assert!(may_ask(action), "{action}");
        }
        for action in [
            "if .Values.lookup",
            "include \"x\" .",
            ".Values.Revision",
            "semverCompare \">1\" .Values.v",
        ] {
            assert!(asks(action).is_empty(), "{action}");
        }
    }
}
