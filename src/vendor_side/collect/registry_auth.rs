//! Challenges of registries, and the credentials that answer them (RFC 9110 section 11, Docker token authentication).
//!
//! Credentials come from where docker and podman keep them: `$REGISTRY_AUTH_FILE`, Docker's `config.json` (`$DOCKER_CONFIG`, else
//! `~/.docker`), podman's `auth.json` (`$XDG_RUNTIME_DIR/containers`, `~/.config/containers`), and the helpers that these name. They are
//! read when a registry first asks, and go to that registry and to its token service, never in clear unless the registry itself is reached in clear.
//!
//! Where the token service is, the registry says (`realm`), and anybody who can answer for a registry could name a host of his own. So a
//! password goes to a realm on the registry's own host, on the host that belongs to a well-known registry, or on one that the person
//! named (`--token-realm HOST=REALM`). Without credentials any realm may be asked: there is nothing to lose.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use docker_credential::{CredentialRetrievalError, DockerCredential, get_credential_from_reader};

use super::registry_host::name_of;
use crate::domain::{Class, Code, Error, Result};
use crate::stream::read_bounded;

/// Sub-code of a registry that cannot be read with the credentials that are here.
pub(super) const REGISTRY_CREDENTIALS: Code = Code::new("registry-credentials");

/// Sub-code of a registry that wants its credentials sent to a host that nobody allowed.
pub(super) const TOKEN_REALM: Code = Code::new("token-realm");

/// Registries whose token service has a host of its own, known to everybody.
const KNOWN_REALMS: [(&str, &str); 1] = [("docker.io", "auth.docker.io")];

/// Checks that the credentials of a registry may go to a token service. Both are hosts, with their ports unless those are the scheme's
/// own; `allowed` are pairs of registry and token service.
///
/// # Errors
///
/// `E-USAGE token-realm`.
pub(super) fn check_realm(registry: &str, realm: &str, allowed: &[(String, String)]) -> Result<()> {
    let is_known = KNOWN_REALMS.contains(&(registry, realm));
    if name_of(registry) == name_of(realm)
        || is_known
        || allowed.iter().any(|pair| (&*pair.0, &*pair.1) == (registry, realm))
    {
        return Ok(());
    }
    Err(Error::new(
        Class::Usage,
        TOKEN_REALM,
        format!("{registry} wants the credentials for it sent to {realm}"),
    )
    .expected(format!("a token service on {}", name_of(registry)))
    .remedy(format!(
        "find out whether that host belongs to the registry; if so, allow it with --token-realm {registry}={realm}"
    )))
}

/// Bytes of a file with credentials.
const FILE_BYTES: u64 = 4 << 20;
/// Key of Docker Hub in Docker's configuration.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// What a registry wants to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// User name and password with every request.
    Basic,
    /// A token of a token service.
    Bearer {
        /// Address of the token service.
        realm: String,
        /// Its name for the registry.
        service: Option<String>,
        /// What the token must allow.
        scope: Option<String>,
    },
}

impl Challenge {
    /// Reads the `WWW-Authenticate` headers of an answer; of several challenges, Bearer is taken.
    pub(super) fn parse<'a>(headers: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let mut basic = None;
        for (scheme, parameters) in headers.into_iter().flat_map(challenges) {
            let value = |name: &str| {
                parameters
                    .iter()
                    .find(|(key, _)| key.eq_ignore_ascii_case(name))
                    .map(|(_, value)| value.clone())
            };
            if scheme.eq_ignore_ascii_case("bearer")
                && let Some(realm) = value("realm")
            {
                return Some(Self::Bearer {
                    realm,
                    service: value("service"),
                    scope: value("scope"),
                });
            }
            if scheme.eq_ignore_ascii_case("basic") {
                basic = Some(Self::Basic);
            }
        }
        basic
    }
}

type Parameters = Vec<(String, String)>;

/// Splits a header into schemes with their parameters.
fn challenges(header: &str) -> Vec<(String, Parameters)> {
    let mut found: Vec<(String, Parameters)> = Vec::new();
    let mut rest = header.trim_start_matches([' ', '\t', ',']);
    while !rest.is_empty() {
        let end = rest.find([' ', '\t', '=', ',']).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let after = after.trim_start_matches([' ', '\t']);
        if let (Some(value), Some((_, parameters))) = (after.strip_prefix('='), found.last_mut()) {
            let (value, after) = parameter_value(value.trim_start_matches([' ', '\t']));
            parameters.push((word.to_owned(), value));
            rest = after;
        } else if after.starts_with('=') || word.is_empty() {
            // A parameter without a scheme: not a challenge that can be answered.
            break;
        } else {
            found.push((word.to_owned(), Vec::new()));
            rest = after;
        }
        rest = rest.trim_start_matches([' ', '\t', ',']);
    }
    found
}

/// Takes a token or quoted string off the front.
fn parameter_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        let (value, after) = text.split_at(end);
        return (value.to_owned(), after);
    };
    let mut value = String::new();
    let mut escaped = false;
    for (place, c) in quoted.char_indices() {
        match c {
            _ if escaped => {
                value.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return (value, quoted.get(place.saturating_add(1)..).unwrap_or_default()),
            other => value.push(other),
        }
    }
    (value, "")
}

/// Who we are to a registry.
#[derive(Clone)]
pub(super) enum Credential {
    /// Nobody in particular.
    Anonymous,
    /// A user with a password.
    Password(String, String),
    /// A refresh token of the token service.
    Identity(String),
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Anonymous => "Anonymous",
            Self::Password(..) => "Password",
            Self::Identity(_) => "Identity",
        })
    }
}

/// Looks up the credentials of a repository where docker and podman keep them.
///
/// # Errors
///
/// `E-USAGE registry-credentials` when a file or a helper cannot be read. What a helper printed is not repeated: it may be a secret.
pub(super) fn credential(host: &str, path: &str) -> Result<Credential> {
    for file in files() {
        let Some(bytes) = read(&file, host)? else { continue };
        for name in names(host, path) {
            match get_credential_from_reader(&bytes[..], &name) {
                Ok(DockerCredential::UsernamePassword(user, password)) => {
                    return Ok(Credential::Password(user, password));
                }
                Ok(DockerCredential::IdentityToken(token)) => return Ok(Credential::Identity(token)),
                Err(CredentialRetrievalError::NoCredentialConfigured | CredentialRetrievalError::ConfigNotFound) => {}
                Err(CredentialRetrievalError::HelperFailure { stdout, stderr, .. })
                    if stdout.contains("not found") || stderr.contains("not found") => {}
                Err(error) => {
                    let what = match error {
                        CredentialRetrievalError::HelperFailure { helper, .. } => format!("the helper {helper} failed"),
                        other => other.to_string(),
                    };
                    return Err(unreadable(host, &file, &what));
                }
            }
        }
    }
    Ok(Credential::Anonymous)
}

/// Files with credentials, in the order in which they are asked.
fn files() -> Vec<PathBuf> {
    let variable = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let home = variable("HOME");
    let docker = variable("DOCKER_CONFIG").or_else(|| home.as_ref().map(|home| home.join(".docker")));
    let configuration = variable("XDG_CONFIG_HOME").or_else(|| home.map(|home| home.join(".config")));
    let containers = |folder: PathBuf| folder.join("containers/auth.json");
    [
        variable("REGISTRY_AUTH_FILE"),
        docker.map(|folder| folder.join("config.json")),
        variable("XDG_RUNTIME_DIR").map(containers),
        configuration.map(containers),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What a repository may be called in such a file, the narrowest name first: podman has credentials for parts of a registry.
fn names(host: &str, path: &str) -> Vec<String> {
    let whole = format!("{host}/{path}");
    let narrow = whole
        .match_indices('/')
        .map(|(at, _)| whole.get(..at).unwrap_or_default().to_owned());
    let mut names: Vec<String> = narrow.collect();
    names.push(whole.clone());
    names.reverse();
    if host == "docker.io" {
        names.push(DOCKER_HUB.to_owned());
    } else {
        names.extend(["", "/v1/", "/v2/"].map(|end| format!("https://{host}{end}")));
    }
    names
}

/// Reads a file with credentials, if it is there.
fn read(file: &Path, host: &str) -> Result<Option<Vec<u8>>> {
    match File::open(file) {
        Ok(opened) => read_bounded(opened, FILE_BYTES, "a file with credentials").map(Some),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(unreadable(host, file, &error.to_string())),
    }
}

fn unreadable(host: &str, file: &Path, what: &str) -> Error {
    let found = format!(
        "the credentials for {host} cannot be read from {}: {what}",
        file.display()
    );
    Error::new(Class::Usage, REGISTRY_CREDENTIALS, found)
        .expected("a file of docker or podman with a login for this registry, or none")
        .remedy(format!(
            "put that file and its credential helper right, then log in again with `docker login {host}`"
        ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_stay_with_the_registry() {
        let allowed = [("hub.example.com".to_owned(), "login.example.com:8443".to_owned())];
        for (registry, realm) in [
            ("docker.io", "auth.docker.io"),
            ("a.example.com", "a.example.com"),
            ("a.example.com:5000", "a.example.com:5001"),
            ("[::1]:5000", "[::1]:5001"),
            ("hub.example.com", "login.example.com:8443"),
        ] {
            check_realm(registry, realm, &allowed).unwrap();
        }
        for (registry, realm) in [
            ("docker.io", "auth.docker.io.example.com"),
            ("a.example.com", "auth.docker.io"),
            ("a.example.com", "evil.example.com"),
            ("a.example.com", "xa.example.com"),
            ("a.example.com", "example.com"),
            ("hub.example.com", "login.example.com"),
            ("other.example.com", "login.example.com:8443"),
            ("[::1]:5000", "[::2]:5000"),
            ("localhost", "127.0.0.1"),
        ] {
            let error = check_realm(registry, realm, &allowed).unwrap_err();
            assert_eq!(
                (error.class(), error.code()),
                (Class::Usage, "token-realm"),
                "{registry} {realm}"
            );
            let said = error.advice().unwrap();
            assert!(said.ends_with(&format!("--token-realm {registry}={realm}")), "{said}");
        }
    }

    #[test]
    fn the_narrowest_name_comes_first() {
        let names = names("quay.io", "a/b");
        assert_eq!(names[..3], ["quay.io/a/b", "quay.io/a", "quay.io"]);
        assert!(names.contains(&"https://quay.io/v1/".to_owned()));
        assert_eq!(super::names("docker.io", "library/x").last().unwrap(), DOCKER_HUB);
    }

    #[test]
    fn challenges_of_real_registries_are_read() {
        let bearer = |realm: &str, service: Option<&str>, scope: Option<&str>| {
            Some(Challenge::Bearer {
                realm: realm.to_owned(),
                service: service.map(str::to_owned),
                scope: scope.map(str::to_owned),
            })
        };
        for (header, challenge) in [
            ("Basic realm=\"Registry\"", Some(Challenge::Basic)),
            ("basic", Some(Challenge::Basic)),
            (
                "Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\",scope=\"repository:a/b:pull\"",
                bearer(
                    "https://auth.docker.io/token",
                    Some("registry.docker.io"),
                    Some("repository:a/b:pull"),
                ),
            ),
            (
                "Bearer realm=https://x/t, service=y",
                bearer("https://x/t", Some("y"), None),
            ),
            (
                "Basic realm=\"a, b=\\\"c\\\"\", Bearer realm=\"https://x/t\"",
                bearer("https://x/t", None, None),
            ),
            ("Negotiate", None),
            ("Bearer", None),
            ("realm=x", None),
            ("", None),
            (",,,", None),
            ("Bearer realm=\"unclosed", bearer("unclosed", None, None)),
        ] {
            assert_eq!(Challenge::parse([header]), challenge, "{header}");
        }
        assert_eq!(
            Challenge::parse(["Basic realm=x", "Bearer realm=y"]),
            bearer("y", None, None)
        );
    }
}
