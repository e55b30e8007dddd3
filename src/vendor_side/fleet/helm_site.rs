//! What a chart may be at a site although all its images are carried: pods that cannot pull, and secrets that are not what was entered.

use super::helm_question::Question;
use crate::bundle::desired::{SecretSource, SecretUse};
use crate::chart::{Pod, Reading};
use crate::values::{Values, empty_list_at};

/// Returns what deserves a word about a chart that came out like this.
pub(super) fn site_warnings(question: &Question<'_>, values: &Values, before: &Reading) -> Vec<String> {
    let site = Site {
        question,
        values,
        before,
    };
    let mut warnings = site.unquoted();
    warnings.extend(site.pull_secrets());
    warnings
}

struct Site<'a> {
    question: &'a Question<'a>,
    values: &'a Values,
    before: &'a Reading,
}

impl Site<'_> {
    /// Warns of pods that do not get what an agent adds.
    fn pull_secrets(&self) -> Option<String> {
        let (lists, has_own) = self.values.pull_secrets();
        let (name, before) = (self.question.name, self.before);
        if has_own && self.question.helm.is_some() {
            let added = self.question.pull_secret();
            let lacks = |pod: &&Pod| {
                let of_account = before.accounts.get(&pod.account);
                !pod.pull_secrets.contains(&added) && of_account.is_none_or(|secrets| !secrets.contains(&added))
            };
            let lacking: Vec<&Pod> = before.pods.iter().filter(lacks).collect();
            let first = lacking.first()?;
            let strange = lacking
                .iter()
                .flat_map(|pod| &pod.pull_secrets)
                .find(|written| written.contains(&added));
            return Some(match (strange, &lists[..]) {
                (Some(written), _) => format!(
                    "{name}: agents add {{name: {added}}} to lists of pull secrets, and the chart writes the name {written:?} of it (first: {}): \
                     where a site reads with credentials, pods cannot pull; have the templates write the list with toYaml",
                    first.place
                ),
                (None, []) => format!(
                    "{name}: pods come out without the pull secret that agents add to the lists in the deployment's values (first: {}): where \
                     a site reads with credentials, they cannot pull; have the templates use one of these pull secrets",
                    first.place
                ),
                (None, lists) => format!(
                    "{name}: pods come out without the pull secret that agents add to the lists in the deployment's values (first: {}): where \
                     a site reads with credentials, they cannot pull; the chart has more lists of pull secrets; add to a file under values: {}",
                    first.place,
                    lists
                        .iter()
                        .map(|list| empty_list_at(list))
                        .collect::<Vec<_>>()
                        .join(" and ")
                ),
            });
        }
        if has_own {
            return None;
        }
        Some(match lists.first() {
            Some(list) => format!(
                "{name}: the values that the deployment gives (the chart's own do not count) have no list of pull secrets, and agents add \
                 theirs only to one that is there: where a site reads with credentials, pods cannot pull; add to a file under values: {}",
                empty_list_at(list)
            ),
            None => format!(
                "{name}: the values that the deployment gives (the chart's own do not count) have no list of pull secrets, and agents add \
                 theirs only to one that is there: where a site reads with credentials, pods cannot pull; add to a file under values: \
                 imagePullSecrets: [], and have the templates use it"
            ),
        })
    }

    /// Warns of secrets that a template writes without quotes, where their values may be anything.
    fn unquoted(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let is_harmless = |used: &SecretUse| {
            let letters = used.alphabet().chars().filter(char::is_ascii_alphabetic).count();
            used.source == SecretSource::Generate
                && letters.saturating_mul(2) >= used.alphabet().len()
                && used.alphabet().chars().all(|c| c.is_ascii_alphanumeric())
        };
        for (place, name) in &self.before.unquoted {
            let uses = self.question.secrets.get(name).map_or(&[][..], Vec::as_slice);
            if !uses.is_empty() && uses.iter().all(is_harmless) {
                continue;
            }
            warnings.push(format!(
                "{}: {place}: the template writes the secret {name} without quotes: a value like 12345678 or a: b becomes something else there, \
                 or spoils it; have the template quote it",
                self.question.name
            ));
        }
        warnings
    }
}
