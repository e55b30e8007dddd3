//! Sealed secrets of a release: which features they need, and what a site makes of them.

use zeroize::Zeroizing;

use super::*;
use crate::bundle::desired::{
    Deployment, DesiredState, DockerDeployment, DockerMode, SecretSource, SecretUse, Target, TargetKind,
};
use crate::crypto::{RecipientKey, SealedSecret, SealedSecrets};
use crate::domain::{SecretValue, SiteId};

const KEY: [u8; 32] = [9; 32];
const SITE: &str = "0123456789abcdef0123456789abcdef";

fn uuid(number: u8) -> Uuid {
    Uuid::from_random([number; 16])
}

fn head(content: &BundleContent) -> Result<Head> {
    BundleLayout::new(&release(), content, &chain(), SMALL).map(|plan| plan.head)
}

fn secret(name: &str, targets: &[u8]) -> SealedSecret {
    SealedSecret {
        name: name.parse().unwrap(),
        targets: targets.iter().map(|number| uuid(*number)).collect(),
        value: SecretValue::new(Zeroizing::new(b"c4n4ry".to_vec())).ok().unwrap(),
    }
}

fn document(secrets: Vec<SealedSecret>, change: impl Fn(&mut SealedSecrets), key: [u8; 32]) -> Vec<u8> {
    let release = release();
    let mut sealed = SealedSecrets {
        scope: crate::domain::Scope {
            domain: chain().domain(),
            product: release.product.clone(),
            channel: release.channel.clone(),
        },
        counter: release.counter(),
        site: SITE.parse().unwrap(),
        secrets,
    };
    change(&mut sealed);
    sealed.seal(&RecipientKey::of_secret(&key)).unwrap()
}

/// Target 1 stands everywhere and uses A and, of its own, B; target 2 stands at another site and uses C; D is asked for.
fn desired() -> DesiredState {
    let used = |name: &str, per_target, source| SecretUse {
        alphabet: None,
        length: None,
        name: name.parse().unwrap(),
        per_target,
        source,
    };
    let target = |number: u8, site: Option<SiteId>, secrets| Target {
        agent: uuid(9),
        autoheal_all: false,
        created_at: "2026-01-01T00:00:00Z".parse().unwrap(),
        deployments: vec![Deployment {
            application: "shop".parse().unwrap(),
            created_at: "2026-01-01T00:00:00Z".parse().unwrap(),
            docker: Some(DockerDeployment {
                compose: digest_of(b"x"),
                env: None,
                mode: DockerMode::Compose,
            }),
            force_restart: false,
            helm: None,
            id: uuid(number + 10),
            images: Vec::new(),
            revision: uuid(number + 20),
            secret_uses: Some(secrets),
            version: "1".into(),
        }],
        docker_socket: None,
        id: uuid(number),
        image_cleanup: true,
        kind: TargetKind::Docker,
        kubernetes: None,
        logs: true,
        logs_after: None,
        metrics: true,
        name: format!("press-{number}"),
        site,
        verifier: None,
    };
    DesiredState {
        agents: Vec::new(),
        removed: Vec::new(),
        targets: vec![
            target(
                1,
                None,
                vec![
                    used("A", false, SecretSource::Sealed),
                    used("B", true, SecretSource::Sealed),
                    used("D", false, SecretSource::Ask),
                ],
            ),
            target(
                2,
                Some("ffffffffffffffffffffffffffffffff".parse().unwrap()),
                vec![used("C", false, SecretSource::Sealed)],
            ),
        ],
    }
}

/// What a site makes of documents: whether it has its secrets, or class and code.
fn told(documents: &[Vec<u8>]) -> Result<bool, (Class, &'static str)> {
    let head = head(&content(&layers()).0).unwrap();
    let documents = documents.iter().map(Vec::as_slice);
    sealed_for(&head, documents, &desired(), &SITE.parse().unwrap(), &KEY)
        .map(|found| found.is_some())
        .map_err(|error| {
            assert!(!format!("{error:?}").contains("c4n4ry"), "{error:?}");
            (error.class(), error.code())
        })
}

#[test]
fn a_site_takes_its_own_document_of_this_release_alone() {
    let good = || vec![secret("A", &[]), secret("B", &[1])];
    let own = |change: fn(&mut SealedSecrets)| document(good(), change, KEY);
    let others = document(vec![secret("C", &[])], |_| (), [8; 32]);
    assert_eq!(told(&[others.clone(), own(|_| ())]), Ok(true));

    let foreign: [fn(&mut SealedSecrets); 6] = [
        |sealed| sealed.counter.sequence += 1,
        |sealed| sealed.counter.epoch += 1,
        |sealed| sealed.site = "f123456789abcdef0123456789abcdef".parse().unwrap(),
        |sealed| sealed.scope.product = "other".parse().unwrap(),
        |sealed| sealed.scope.channel = "other".parse().unwrap(),
        |sealed| sealed.scope.domain = Hash([3; 32]),
    ];
    for change in foreign {
        assert_eq!(told(&[own(change)]), Err((Class::Content, "secrets-scope")));
    }
    for not_used in [
        secret("C", &[]),
        secret("D", &[]),
        secret("A", &[1]),
        secret("B", &[1, 2]),
    ] {
        let mut secrets = good();
        secrets.retain(|secret| secret.name != not_used.name);
        secrets.push(not_used);
        secrets.sort_by(|a, b| a.name.cmp(&b.name));
        let document = document(secrets, |_| (), KEY);
        assert_eq!(told(&[document]), Err((Class::Content, "secrets-scope")));
    }
    let missing = Err((Class::Policy, "secrets-missing"));
    assert_eq!(told(&[]), missing);
    assert_eq!(told(&[others]), missing);
    assert_eq!(told(&[document(vec![secret("A", &[])], |_| (), KEY)]), missing);
    let wrong = Err((Class::Content, "secrets"));
    assert_eq!(told(&[own(|_| ()), own(|_| ())]), wrong);
    assert_eq!(told(&[b"age-encryption.org/v1\n".to_vec()]), wrong);
}

#[test]
fn a_release_with_sealed_secrets_says_so_and_holds_nothing_else_under_that_name() {
    let (mut content, blobs) = content(&layers());
    assert_eq!(head(&content).unwrap().requires, [""; 0]);
    content
        .documents
        .push((DocumentType::Secrets, document(vec![secret("A", &[])], |_| (), KEY)));
    let error = head(&content).unwrap_err();
    assert_eq!((error.class(), error.code()), (Class::Format, "requires"));
    content.requires.insert(Feature::Secrets);
    let mut stated = head(&content).unwrap();
    assert_eq!(stated.requires, ["secrets-1"]);
    read(packed(content.clone(), &blobs, SMALL), &mut Collect::default()).unwrap();
    for requires in [&[][..], &["secrets-1", "secrets-1"]] {
        stated.requires = requires.iter().map(ToString::to_string).collect();
        let error = stated.check().unwrap_err();
        assert_eq!((error.class(), error.code()), (Class::Format, "requires"));
    }
    content.documents.pop();
    content
        .documents
        .push((DocumentType::Secrets, b"DB_PASSWORD=c4n4ry".to_vec()));
    let error = head(&content).unwrap_err();
    assert_eq!((error.class(), error.code()), (Class::Content, "secrets"));
}
