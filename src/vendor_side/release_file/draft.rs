//! A release file to begin with: it loads as it stands, and says what else may be said.

use crate::domain::{Name, Timestamp};

/// What a draft is made for.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The product.
    pub product: Name,
    /// The channel.
    pub channel: Name,
    /// Its next free number.
    pub sequence: u64,
    /// When the release is issued.
    pub issued_at: Timestamp,
}

impl Draft {
    /// Returns the text of the file.
    pub fn text(&self) -> String {
        let Self {
            product,
            channel,
            sequence,
            issued_at,
        } = self;
        format!(
            "\
# A release of {product}: who gets what. `airlock bundle create -f THIS -w WORKSPACE -o FILE` makes the bundle, and --dry-run shows it before.
# All keys: bundle-spec/schemas/examples/release.example.yaml
product: {product}
channel: {channel}
version: \"{sequence}\"                      # a label for people
sequence: {sequence}                       # higher with every release; `bundle create --next` takes the next free one
issued_at: {issued_at}
expires_in: 365d                  # afterwards sites do not import it any more
audience: any                     # or a list of sites: [plant-7, plant-9]
# platforms: [linux/amd64]        # all, where nothing is said
# home_hosts: [registry.example.com]   # its names are found at the site without the host too, and are yours alone there

images:
  - registry.example.com/team/app:1.0              # a registry
  # - docker:team/app:1.0                          # this machine's Docker engine
  # - docker-archive:build/app.tar                 # what `docker save` wrote
  # - source: oci:build/app.tar:1.0                # an OCI layout
  #   name: registry.example.com/team/app:1.0

# notes: |
#   What is new, for the people at the sites.
# fixes: [CVE-2026-41234]         # kept in your ledger, so that it can say who lacks a fix

# Applications, and the targets that run them:
# agents:
#   - name: 3.1.0
#     docker: ghcr.io/distr-sh/distr/docker-agent:3.1.0
#     autoheal: ghcr.io/distr-sh/distr/docker-autoheal:3.1.0
# applications:
#   - name: shop
#     version: \"1.0\"
#     compose: compose.yaml
#     env_file: shop.env
# targets:
#   - name: press-1
#     kind: docker
#     deployments: [{{application: shop}}]
# secrets:
#   - name: DB_PASSWORD
#     value: {{site: generate}}     # or {{site: ask}}, {{file: ../private/x}}, {{env: VARIABLE}}
"
        )
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::release_file::ReleaseFile;

    fn draft() -> String {
        Draft {
            product: "erp".parse().unwrap(),
            channel: "stable".parse().unwrap(),
            sequence: 8,
            issued_at: "2026-01-01T00:00:00Z".parse().unwrap(),
        }
        .text()
    }

    #[test]
    fn a_draft_loads_as_it_stands() {
        let file = ReleaseFile::parse(Path::new("/b/release.yaml"), &draft()).unwrap();
        assert_eq!((file.sequence, file.version.as_deref()), (Some(8), Some("8")));
        assert_eq!(file.images.len(), 1);
    }

    #[test]
    fn what_is_commented_out_loads_too() {
        let text: String = draft()
            .lines()
            .map(|line| match line.split_once("# ") {
                // Sentences stay remarks.
                Some((before, after)) if before.trim().is_empty() && !after.starts_with(|c: char| c.is_uppercase()) => {
                    format!("{before}{after}\n")
                }
                _ => format!("{line}\n"),
            })
            .collect();
        let file = ReleaseFile::parse(Path::new("/b/release.yaml"), &text).unwrap();
        assert_eq!((file.images.len(), file.targets.len(), file.secrets.len()), (4, 1, 1));
        assert!(file.notes.is_some() && file.fixes.len() == 1 && file.platforms.len() == 1);
    }
}
