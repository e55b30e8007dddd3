//! Copies what is live into another registry: blobs side by side, then repositories side by side, in each the manifests, each behind what it
//! names, and then the tags. What is there already is passed over, so a second run goes on where the first one stopped.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::push::{REFUSED, Target};
use crate::appliance::registry::{MirroredManifest, MirroredRepository, Registry};
use crate::domain::{Class, Digest, Error, Result};

/// Blobs that are copied at one time, and then repositories.
const WORKERS: usize = 6;
/// How often it is told how far the copy is.
const TICK: Duration = Duration::from_millis(200);
/// Media type of the list that stands for referrers where a registry keeps none (distribution specification 1.1, referrers tag schema).
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// What a copy came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Copied {
    /// Blobs that were sent, and their bytes.
    pub blobs: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// Blobs that were there.
    pub blobs_there: u64,
    /// Manifests and indexes that were sent.
    pub manifests: u64,
    /// Those that were there.
    pub manifests_there: u64,
    /// Tags that were moved or made.
    pub tags: u64,
    /// Tags that were as they should be.
    pub tags_there: u64,
    /// Lists of referrers that were written for a registry that keeps none.
    pub referrer_lists: u64,
    /// What the registry refused, a line each.
    pub refused: Vec<String>,
}

/// What a copy tells on the way.
#[derive(Debug, Clone)]
pub enum MirrorEvent {
    /// Bytes of blobs that are settled, sent or there, of all.
    Progress {
        /// So many.
        done: u64,
        /// Of so many.
        total: u64,
    },
    /// Repositories whose manifests and tags are settled, of all.
    Named {
        /// So many.
        done: u64,
        /// Of so many.
        total: u64,
    },
    /// The registry has said nothing for a while: what is waited for, in words.
    Waiting(String),
}

/// Copies repositories to where `name` says.
///
/// # Errors
///
/// `E-IO mirror` when the registry does not answer, `E-USAGE mirror-login`; `E-STATE` for what is damaged here. What a registry refuses of
/// single things is in [`Copied::refused`], and does not end the rest.
pub fn mirror(
    registry: &Arc<Registry>,
    target: Target,
    repositories: &[MirroredRepository],
    name: &dyn Fn(&MirroredRepository) -> String,
    events: &mut dyn FnMut(MirrorEvent),
) -> Result<Copied> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("mirror")
        .enable_all()
        .build()
        .map_err(|error| Error::new(Class::Io, "io", format!("cannot start a thread: {error}")))?;
    let names: Vec<String> = repositories.iter().map(name).collect();
    runtime.block_on(async {
        let target = Arc::new(target);
        let mut copied = blobs(registry, &target, repositories, &names, events).await?;
        copied.add(named(registry, &target, repositories, &names, events).await?);
        Ok(copied)
    })
}

impl Copied {
    fn add(&mut self, part: Self) {
        self.blobs += part.blobs;
        self.bytes += part.bytes;
        self.blobs_there += part.blobs_there;
        self.manifests += part.manifests;
        self.manifests_there += part.manifests_there;
        self.tags += part.tags;
        self.tags_there += part.tags_there;
        self.referrer_lists += part.referrer_lists;
        self.refused.extend(part.refused);
    }
}

/// Waits for workers, and tells meanwhile how far they are, or what is waited for.
async fn ended<T: 'static>(
    mut workers: JoinSet<Result<T>>,
    target: &Target,
    events: &mut dyn FnMut(MirrorEvent),
    far: &dyn Fn() -> MirrorEvent,
) -> Result<Vec<T>> {
    let (mut parts, mut ticks) = (Vec::new(), tokio::time::interval(TICK));
    loop {
        tokio::select! {
            ended = workers.join_next() => match ended {
                None => return Ok(parts),
                Some(ended) => {
                    let ended = ended.map_err(|error| {
                        Error::new(Class::Internal, "mirror", format!("a worker ended: {error}"))
                    })?;
                    parts.push(ended?);
                }
            },
            _ = ticks.tick() => events(target.waits_for().map_or_else(far, MirrorEvent::Waiting)),
        }
    }
}

/// A blob, and where it goes first; the other repositories take it from there.
struct Job {
    digest: Digest,
    size: u64,
    to: Vec<String>,
}

async fn blobs(
    registry: &Arc<Registry>,
    target: &Arc<Target>,
    repositories: &[MirroredRepository],
    names: &[String],
    events: &mut dyn FnMut(MirrorEvent),
) -> Result<Copied> {
    let mut jobs: BTreeMap<Digest, Job> = BTreeMap::new();
    for (repository, to) in repositories.iter().zip(names) {
        for (digest, size) in &repository.blobs {
            let job = jobs.entry(*digest).or_insert(Job {
                digest: *digest,
                size: *size,
                to: Vec::new(),
            });
            if !job.to.contains(to) {
                job.to.push(to.clone());
            }
        }
    }
    let total = jobs.values().map(|job| job.size).fold(0, u64::saturating_add);
    let mut jobs: Vec<Job> = jobs.into_values().collect();
    // The largest first, so that none of them is left for the end.
    jobs.sort_by_key(|job| std::cmp::Reverse(job.size));
    let queue = Arc::new(Mutex::new(VecDeque::from(jobs)));
    let done = Arc::new(AtomicU64::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..WORKERS {
        workers.spawn(work(registry.clone(), target.clone(), queue.clone(), done.clone()));
    }
    let far = || MirrorEvent::Progress {
        done: done.load(Ordering::Relaxed),
        total,
    };
    let mut copied = Copied::default();
    for part in ended(workers, target, events, &far).await? {
        copied.add(part);
    }
    Ok(copied)
}

async fn work(
    registry: Arc<Registry>,
    target: Arc<Target>,
    queue: Arc<Mutex<VecDeque<Job>>>,
    done: Arc<AtomicU64>,
) -> Result<Copied> {
    let mut copied = Copied::default();
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let Some(job) = next else { return Ok(copied) };
        let mut from: Option<&String> = None;
        for to in &job.to {
            if target.has_blob(to, &job.digest, job.size).await? {
                copied.blobs_there += 1;
            } else {
                let (registry, digest, size) = (registry.clone(), job.digest, job.size);
                let opened = tokio::task::spawn_blocking(move || registry.mirrored_blob(&digest, size));
                let opened = opened
                    .await
                    .map_err(|error| Error::new(Class::Internal, "mirror", format!("a reader ended: {error}")))?;
                let from = from.map(String::as_str);
                let sent = |_| ();
                match target
                    .push_blob(to, &digest, size, from, Arc::new(opened?), &sent)
                    .await
                {
                    Ok(is_sent) => {
                        copied.blobs += 1;
                        copied.bytes += if is_sent { size } else { 0 };
                    }
                    Err(error) if error.is(REFUSED) => {
                        copied.refused.push(error.found().to_owned());
                        continue;
                    }
                    Err(error) => return Err(error),
                }
            }
            from = Some(to);
        }
        done.fetch_add(job.size, Ordering::Relaxed);
    }
}

/// Manifests and tags of all repositories, those of several at one time.
async fn named(
    registry: &Arc<Registry>,
    target: &Arc<Target>,
    repositories: &[MirroredRepository],
    names: &[String],
    events: &mut dyn FnMut(MirrorEvent),
) -> Result<Copied> {
    let jobs = repositories.iter().cloned().zip(names.iter().cloned()).enumerate();
    let queue = Arc::new(Mutex::new(jobs.collect::<VecDeque<_>>()));
    let done = Arc::new(AtomicU64::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..WORKERS {
        let (registry, target, queue, done) = (registry.clone(), target.clone(), queue.clone(), done.clone());
        workers.spawn(async move {
            let mut parts = Vec::new();
            loop {
                let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                let Some((number, (repository, to))) = next else {
                    return Ok(parts);
                };
                let mut copied = Copied::default();
                manifests(&registry, &target, &repository, &to, &mut copied).await?;
                parts.push((number, copied));
                done.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let far = || MirrorEvent::Named {
        done: done.load(Ordering::Relaxed),
        total: repositories.len() as u64,
    };
    let mut parts: Vec<(usize, Copied)> = ended(workers, target, events, &far)
        .await?
        .into_iter()
        .flatten()
        .collect();
    // What was refused is told in the order of the repositories, whoever was first.
    parts.sort_by_key(|(number, _)| *number);
    let mut copied = Copied::default();
    for (_, part) in parts {
        copied.add(part);
    }
    Ok(copied)
}

async fn manifests(
    registry: &Arc<Registry>,
    target: &Arc<Target>,
    repository: &MirroredRepository,
    to: &str,
    copied: &mut Copied,
) -> Result<()> {
    let mut unlisted: BTreeMap<Digest, Vec<&MirroredManifest>> = BTreeMap::new();
    let mut here: HashMap<Digest, &str> = HashMap::new();
    // What was not there before no tag there named.
    let mut sent: HashSet<Digest> = HashSet::new();
    for manifest in &repository.manifests {
        here.insert(manifest.digest, &manifest.media_type);
        if let Some(subject) = manifest.subject {
            unlisted.entry(subject).or_default().push(manifest);
        }
        let digest = manifest.digest.to_string();
        if target
            .has_manifest(to, &digest, (&manifest.digest, &manifest.media_type))
            .await?
        {
            copied.manifests_there += 1;
            continue;
        }
        let bytes = registry.mirrored_manifest(&manifest.digest)?;
        match target.put_manifest(to, &digest, &manifest.media_type, bytes).await {
            Ok(()) => {
                copied.manifests += 1;
                sent.insert(manifest.digest);
            }
            Err(error) if error.is(REFUSED) => {
                let hint = match manifest.left_out {
                    0 => String::new(),
                    1 => " (an index of which one platform was left out on purpose: this registry wants all of them)"
                        .to_owned(),
                    count => format!(
                        " (an index of which {count} platforms were left out on purpose: this registry wants all of them)"
                    ),
                };
                copied.refused.push(format!("{}{hint}", error.found()));
                // Its tags cannot be had there either.
                here.remove(&manifest.digest);
            }
            Err(error) => return Err(error),
        }
    }
    for (subject, referrers) in unlisted {
        list_referrers(target, to, &subject, &referrers, copied).await?;
    }
    for (tag, digest) in &repository.tags {
        let Some(media_type) = here.get(digest) else { continue };
        let tag = tag.as_str();
        if !sent.contains(digest) && target.has_manifest(to, tag, (digest, media_type)).await? {
            copied.tags_there += 1;
            continue;
        }
        let bytes = registry.mirrored_manifest(digest)?;
        match target.put_manifest(to, tag, media_type, bytes).await {
            Ok(()) => copied.tags += 1,
            Err(error) if error.is(REFUSED) => copied.refused.push(error.found().to_owned()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Writes what refers to a subject into the list that stands for it where the registry keeps none, beside what stands there.
async fn list_referrers(
    target: &Target,
    to: &str,
    subject: &Digest,
    referrers: &[&MirroredManifest],
    copied: &mut Copied,
) -> Result<()> {
    if target.keeps_referrers(to, subject).await? {
        return Ok(());
    }
    let tag = subject.to_string().replace(':', "-");
    let before = target.read_manifest(to, &tag, INDEX).await?;
    #[expect(clippy::disallowed_methods, reason = "a list in somebody's registry, bounded")]
    let before: Value = before
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default();
    let mut listed: Vec<Value> = before["manifests"].as_array().cloned().unwrap_or_default();
    let count = listed.len();
    for manifest in referrers {
        let digest = manifest.digest.to_string();
        if listed.iter().any(|entry| entry["digest"] == digest.as_str()) {
            continue;
        }
        let mut entry = json!({"mediaType": manifest.media_type, "digest": digest, "size": manifest.size});
        if let Some(members) = entry.as_object_mut() {
            members.extend(
                manifest
                    .artifact_type
                    .iter()
                    .map(|kind| ("artifactType".to_owned(), json!(kind))),
            );
            if !manifest.annotations.is_empty() {
                members.insert("annotations".into(), json!(manifest.annotations));
            }
        }
        listed.push(entry);
    }
    if listed.len() == count {
        return Ok(());
    }
    let list = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": listed}).to_string();
    match target.put_manifest(to, &tag, INDEX, list.into_bytes()).await {
        Ok(()) => copied.referrer_lists += 1,
        Err(error) if error.is(REFUSED) => copied.refused.push(error.found().to_owned()),
        Err(error) => return Err(error),
    }
    Ok(())
}
