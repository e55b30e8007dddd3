//! `airlock vendor trust`: who may sign, and how that changes.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;

use super::output_place::{self, Makes};
use super::passphrase::{self, PassphraseArgs};
use super::times::{RootTimes, SigningTimeArgs};
use super::ui::{Ui, escape};
use super::workspace_folder::WorkspaceArgs;
use crate::crypto::{KeyId, PublicKey, RoleName, RootDocument, SigningKey, open_key, replace_signing_key};
use crate::domain::{Class, Error, Name, Result, counted, limits};
use crate::stream::{open_named, read_bounded, write_atomically};
use crate::vendor_side::{KeyRing, NewRoot, RootChange, Workspace, adopt, apply, propose, sign_proposal};

/// Show and change the trust root.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(super) enum TrustCommand {
    /// Show the roots, their fingerprint, and which keys may sign what
    #[command(after_help = "Example:\n  airlock vendor trust show -w acme")]
    Show(ShowArgs),
    /// Add a key to a role: a new one, or one made elsewhere
    ///
    /// Makes and signs the next root. Bundles made from now on carry it; sites follow by themselves.
    #[command(after_help = "Examples:\n  airlock vendor trust add release -w acme\n  \
                            airlock vendor trust add release --public $(cat hsm.pub) --threshold release=2 -w acme")]
    Add(AddArgs),
    /// Take a key from a role
    #[command(after_help = "Example:\n  airlock vendor trust remove release 3f1c… -w acme")]
    Remove(RemoveArgs),
    /// Replace a key of a role by a new one
    #[command(after_help = "Examples:\n  airlock vendor trust rotate release 3f1c… -w acme\n  \
                            airlock vendor trust rotate ack -w acme      # a role with one key")]
    Rotate(RotateArgs),
    /// Change thresholds, expiry, epochs, products or the sites' time floor, and no key
    #[command(
        after_help = "Examples:\n  airlock vendor trust set --threshold release=2 -w acme\n  \
                            airlock vendor trust set --epoch acme-erp/stable=1 --expires-years 3 -w acme\n  \
                            airlock vendor trust set --time-reset -w acme      # a wrong date went out"
    )]
    Set(SetArgs),
    /// Write the next root as a file without signatures, for root keys that are kept elsewhere
    ///
    /// Carry the file to each root key, `sign` it there, carry it back and `adopt` it. A threshold of the old and of the new root
    /// keys must have signed.
    #[command(
        after_help = "Example:\n  airlock vendor trust propose --add-public release=$(cat hsm.pub) -w acme -o root-2.json\n  \
                            airlock vendor trust sign root-2.json --key /media/safe/root-1.pem\n  \
                            airlock vendor trust adopt root-2.json -w acme"
    )]
    Propose(ProposeArgs),
    /// Add one key's signature to a proposed root; needs no workspace
    #[command(after_help = "Example:\n  airlock vendor trust sign root-2.json --key /media/erika/root-2.pem")]
    Sign(SignArgs),
    /// Take a proposed root that enough root keys have signed
    #[command(after_help = "Example:\n  airlock vendor trust adopt root-2.json -w acme")]
    Adopt(AdoptArgs),
    /// Give key files a passphrase, another one, or none
    ///
    /// The keys stay the same, and so do roots and bundles. Each file is replaced as a whole; what it held before may still be found on
    /// the disk, so a key that lay open where others could read it is better rotated.
    #[command(after_help = "Examples:\n  airlock vendor trust passphrase acme/keys/*.pem\n  \
                            airlock vendor trust passphrase --remove acme/keys/release-1.pem")]
    Passphrase(PassphraseChangeArgs),
}

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    #[command(flatten)]
    workspace: WorkspaceArgs,
}

// Changes that may go with every new root.
#[derive(Debug, Clone, Args)]
pub(super) struct CommonArgs {
    #[command(flatten)]
    workspace: WorkspaceArgs,
    /// How many keys of a role must sign from now on (may repeat)
    #[arg(long = "threshold", value_name = "ROLE=N", value_parser = threshold)]
    thresholds: Vec<(RoleName, usize)>,
    /// Begin a higher epoch, to recover from a sequence number that ran away (may repeat)
    #[arg(long = "epoch", value_name = "PRODUCT/CHANNEL=N", value_parser = epoch)]
    epochs: Vec<(Name, Name, u64)>,
    /// One more product that may be signed for (may repeat)
    #[arg(long = "product", value_name = "NAME")]
    products: Vec<Name>,
    /// Set this vendor's time floor at the sites anew, after a wrong date went out
    ///
    /// A site remembers the newest date that a vendor has signed and judges the vendor's expiry by it, so that a clock that is set
    /// back brings nothing old back to life. Where a release went out that was dated far ahead, everything with a right date looks
    /// expired there. A root with this mark lets each site start again at the root's time of issue or at its own clock, whichever
    /// is earlier. It reaches a site with any bundle that carries it, also one that is refused. Floors of other vendors, counters
    /// and what is live stay as they are; the root after it does not repeat the mark. Then make a release with a right date.
    #[arg(long)]
    time_reset: bool,
    #[command(flatten)]
    times: RootTimes,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

#[derive(Debug, Args)]
pub(super) struct AddArgs {
    /// ack, licence, release, root or withdrawal
    #[arg(value_parser = role)]
    role: RoleName,
    /// Public key made elsewhere, 64 hex digits; without it a new key is made in keys/
    #[arg(long, value_name = "HEX")]
    public: Option<PublicKey>,
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Debug, Args)]
pub(super) struct RemoveArgs {
    /// ack, licence, release, root or withdrawal
    #[arg(value_parser = role)]
    role: RoleName,
    /// Id of the key, as `trust show` prints it
    key: KeyId,
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Debug, Args)]
pub(super) struct RotateArgs {
    /// ack, licence, release, root or withdrawal
    #[arg(value_parser = role)]
    role: RoleName,
    /// Id of the key to replace; may be left out when the role has one key
    key: Option<KeyId>,
    /// Public key made elsewhere, 64 hex digits; without it a new key is made in keys/
    #[arg(long, value_name = "HEX")]
    public: Option<PublicKey>,
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Debug, Args)]
pub(super) struct SetArgs {
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Debug, Args)]
pub(super) struct ProposeArgs {
    /// Key that joins a role (may repeat)
    #[arg(long = "add-public", value_name = "ROLE=HEX", value_parser = added)]
    add: Vec<(RoleName, PublicKey)>,
    /// Key that leaves a role (may repeat)
    #[arg(long = "remove", value_name = "ROLE=KEYID", value_parser = removed)]
    remove: Vec<(RoleName, KeyId)>,
    /// The file to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Debug, Args)]
pub(super) struct SignArgs {
    /// The proposed root
    file: PathBuf,
    /// Private key file
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    #[command(flatten)]
    signing: SigningTimeArgs,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

#[derive(Debug, Args)]
pub(super) struct AdoptArgs {
    /// The signed proposal
    file: PathBuf,
    #[command(flatten)]
    workspace: WorkspaceArgs,
    #[command(flatten)]
    signing: SigningTimeArgs,
}

#[derive(Debug, Args)]
pub(super) struct PassphraseChangeArgs {
    /// Private key files
    #[arg(value_name = "PEM", required = true)]
    keys: Vec<PathBuf>,
    /// File whose first line is the new passphrase; without it the terminal is asked, twice
    #[arg(long, value_name = "FILE")]
    new_passphrase_file: Option<PathBuf>,
    /// Leave the files without a passphrase
    #[arg(long, conflicts_with = "new_passphrase_file")]
    remove: bool,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

/// Runs a trust command.
pub(super) fn run(command: TrustCommand, ui: &mut Ui) -> Result<()> {
    match command {
        TrustCommand::Show(args) => show(&args.workspace.open()?, ui),
        TrustCommand::Add(args) => change(&args.common, args.role, None, args.public, ui),
        TrustCommand::Rotate(args) => {
            let workspace = args.common.workspace.open()?;
            let old = match args.key {
                Some(key) => key,
                None => only_key(workspace.chain().newest(), args.role)?,
            };
            change(&args.common, args.role, Some(old), args.public, ui)
        }
        TrustCommand::Remove(args) => {
            let RemoveArgs { role, key, common } = args;
            take(&common, &[RootChange::Remove { role, key }], ui)
        }
        TrustCommand::Set(args) => {
            if args.common.changes().is_empty() && args.common.times.expires(args.common.times.issued_at()?).is_none() {
                return Err(Error::new(Class::Usage, "no-change", "no change is asked for")
                    .expected("--threshold, --epoch, --product, --time-reset, --expires or --expires-years"));
            }
            take(&args.common, &[], ui)
        }
        TrustCommand::Propose(args) => write_proposal(&args, ui),
        TrustCommand::Sign(args) => sign(&args, ui),
        TrustCommand::Adopt(args) => {
            let mut workspace = args.workspace.open()?;
            adopt(&mut workspace, &read_proposal(&args.file)?, args.signing.signing_time())?;
            show(&workspace, ui)
        }
        TrustCommand::Passphrase(args) => change_passphrase(&args, ui),
    }
}

fn change_passphrase(args: &PassphraseChangeArgs, ui: &mut Ui) -> Result<()> {
    let mut asker = args.passphrase.asker();
    // What is wrong with the files is said before anybody thinks of a new passphrase, and before the first is written.
    let keys = args
        .keys
        .iter()
        .map(|path| open_key(path, &mut |path| asker.ask(path)))
        .collect::<Result<Vec<_>>>()?;
    let new = match &args.new_passphrase_file {
        _ if args.remove => None,
        Some(file) => Some(passphrase::read_file(file)?),
        None => Some(passphrase::ask_twice("new passphrase: ")?),
    };
    if new.as_ref().is_some_and(|new| new.is_empty()) {
        return Err(Error::new(Class::Usage, "passphrase", "the new passphrase is empty")
            .expected("a passphrase; nothing was changed")
            .remedy("give --remove to leave the files without one"));
    }
    for (path, key) in args.keys.iter().zip(&keys) {
        replace_signing_key(path, key, new.as_ref().map(|new| new.as_str()))?;
    }
    let ids: Vec<KeyId> = keys.iter().map(|key| key.public().id()).collect();
    let what = if args.remove {
        "without a passphrase"
    } else {
        "has the new passphrase"
    };
    let lines: Vec<String> = args
        .keys
        .iter()
        .zip(&ids)
        .map(|(path, id)| format!("{id}  {}  {what}", escape(&path.display().to_string())))
        .collect();
    let list: Vec<_> = args
        .keys
        .iter()
        .zip(&ids)
        .map(|(path, id)| json!({"file": path.display().to_string(), "key": id, "passphrase": !args.remove}))
        .collect();
    ui.result(&list, lines.join("\n"))
}

impl CommonArgs {
    fn times(&self) -> Result<NewRoot> {
        let issued_at = self.times.issued_at()?;
        Ok(NewRoot {
            time: self.times.signing.signing_time(),
            issued_at,
            expires: self.times.expires(issued_at),
        })
    }

    /// Thresholds change before keys leave, so that a lower one lets them go.
    fn changes(&self) -> Vec<RootChange> {
        let thresholds = self.thresholds.iter().map(|(role, threshold)| RootChange::Threshold {
            role: *role,
            threshold: *threshold,
        });
        let epochs = self.epochs.iter().map(|(product, channel, epoch)| RootChange::Epoch {
            product: product.clone(),
            channel: channel.clone(),
            epoch: *epoch,
        });
        let products = self.products.iter().cloned().map(RootChange::Product);
        let time_reset = self.time_reset.then_some(RootChange::TimeReset);
        products.chain(thresholds).chain(epochs).chain(time_reset).collect()
    }
}

/// Adds a key and, in a rotation, takes the old one away. A key made for a change that is refused is taken back.
fn change(
    common: &CommonArgs,
    role: RoleName,
    old: Option<KeyId>,
    public: Option<PublicKey>,
    ui: &mut Ui,
) -> Result<()> {
    let ring = common.workspace.open()?.keys();
    let (key, made) = if let Some(key) = public {
        (key, None)
    } else {
        let key = SigningKey::generate()?;
        let passphrase = passphrase_for_new(&ring, &common.passphrase)?;
        let path = ring.add(role, &key, passphrase.as_ref().map(|text| text.as_str()))?;
        (key.public(), Some(path))
    };
    let mut changes = vec![RootChange::Add { role, key }];
    changes.extend(old.map(|key| RootChange::Remove { role, key }));
    let taken = take(common, &changes, ui);
    if let (Err(_), Some(path)) = (&taken, &made) {
        let unused = Workspace::open(&common.workspace.workspace)
            .is_ok_and(|workspace| workspace.chain().newest().keys.iter().all(|known| known.public != key));
        if unused {
            KeyRing::forget(path);
        }
    }
    taken
}

/// Where the other keys have a passphrase, a new one gets it too.
fn passphrase_for_new(ring: &KeyRing, args: &PassphraseArgs) -> Result<Option<zeroize::Zeroizing<String>>> {
    match args.in_file()? {
        Some(passphrase) => Ok(Some(passphrase)),
        None => match ring.first_locked()? {
            Some(path) => {
                let passphrase = args.asker().ask(&path)?;
                crate::crypto::KeyFile::read(&path)?.signing_key(Some(&passphrase))?;
                Ok(Some(passphrase))
            }
            None => Ok(None),
        },
    }
}

fn take(common: &CommonArgs, changes: &[RootChange], ui: &mut Ui) -> Result<()> {
    let mut workspace = common.workspace.open()?;
    let mut all = common.changes();
    all.extend_from_slice(changes);
    let mut asker = common.passphrase.asker();
    apply(&mut workspace, &all, common.times()?, &mut |path| asker.ask(path))?;
    show(&workspace, ui)
}

fn write_proposal(args: &ProposeArgs, ui: &mut Ui) -> Result<()> {
    output_place::check(&args.output, Makes::Proposal, [])?;
    let workspace = args.common.workspace.open()?;
    let mut changes = args.common.changes();
    changes.extend(
        args.add
            .iter()
            .map(|(role, key)| RootChange::Add { role: *role, key: *key }),
    );
    changes.extend(
        args.remove
            .iter()
            .map(|(role, key)| RootChange::Remove { role: *role, key: *key }),
    );
    let (root, file) = propose(&workspace, &changes, args.common.times()?)?;
    write_atomically(&args.output, &file, 0o644)?;
    ui.result(
        &json!({"version": root.version, "file": args.output.display().to_string(), "root": root}),
        format_args!(
            "{}\nwritten without signatures to {}",
            describe(&root),
            escape(&args.output.display().to_string())
        ),
    )
}

fn sign(args: &SignArgs, ui: &mut Ui) -> Result<()> {
    let mut asker = args.passphrase.asker();
    let proposal = read_proposal(&args.file)?;
    let time = args.signing.signing_time();
    let (root, key, file) = sign_proposal(&proposal, &args.key, time, &mut |path| asker.ask(path))?;
    write_atomically(&args.file, &file, 0o644)?;
    let stays = root.roles.root.iter().any(|rule| rule.keys.contains(&key));
    ui.result(
        &json!({"version": root.version, "key": key, "in_new_root_role": stays, "root": root}),
        format_args!("{}\nsigned by    {key}", describe(&root)),
    )?;
    if !stays {
        ui.warn("this key is not in the root role of the document it signed; that is right only for a key that leaves");
    }
    Ok(())
}

fn show(workspace: &Workspace, ui: &mut Ui) -> Result<()> {
    let chain = workspace.chain();
    let root = chain.newest();
    let names = workspace.keys().names()?;
    let file_of = |id: KeyId| {
        names
            .iter()
            .find(|(_, known)| *known == Some(id))
            .map(|(name, _)| name.as_str())
    };
    let roles: serde_json::Map<String, serde_json::Value> = RoleName::ALL
        .iter()
        .map(|role| {
            let rules: Vec<_> = root
                .roles
                .get(*role)
                .iter()
                .map(|rule| {
                    let keys: Vec<_> = rule
                        .keys
                        .iter()
                        .map(|id| json!({"id": id, "file": file_of(*id)}))
                        .collect();
                    json!({"threshold": rule.threshold, "keys": keys})
                })
                .collect();
            (role.as_str().to_owned(), json!(rules))
        })
        .collect();
    let mut text = describe(root);
    text += &format!(
        "\ndomain       {}\nfingerprint  {}",
        chain.domain(),
        chain.fingerprint().spoken()
    );
    for role in RoleName::ALL {
        for rule in root.roles.get(role) {
            text += &format!("\n{:<12} {} of {}", role.as_str(), rule.threshold, rule.keys.len());
            for id in &rule.keys {
                text += &format!(
                    "\n  {id}  {}",
                    file_of(*id).map_or_else(|| "(not here)".to_owned(), escape)
                );
            }
        }
    }
    ui.result(
        &json!({
            "vendor": root.vendor, "version": root.version, "domain": chain.domain(),
            "fingerprint": chain.fingerprint(), "issued_at": root.issued_at, "expires": root.expires,
            "products": root.products, "epochs": root.epochs, "time_reset": root.time_reset, "roles": roles,
        }),
        text,
    )
}

fn describe(root: &RootDocument) -> String {
    let products: Vec<&str> = root.products.iter().map(Name::as_str).collect();
    let mut text = format!(
        "trust root   {} of {}\nissued       {}\nexpires      {}\nproducts     {}",
        root.version,
        escape(&root.vendor),
        root.issued_at,
        root.expires,
        products.join(", ")
    );
    for rule in &root.epochs {
        text += &format!("\nepoch        {} of {}/{}", rule.epoch, rule.product, rule.channel);
    }
    if root.time_reset {
        text += "\ntime reset   sites set this vendor's time floor to the time of issue, or to their clock if that is earlier";
    }
    text
}

fn only_key(root: &RootDocument, role: RoleName) -> Result<KeyId> {
    let ids: Vec<&KeyId> = root.roles.get(role).iter().flat_map(|rule| &rule.keys).collect();
    if let [id] = ids.as_slice() {
        return Ok(**id);
    }
    let named: Vec<String> = ids.iter().map(ToString::to_string).collect();
    Err(Error::new(
        Class::Usage,
        "which-key",
        format!(
            "the role {} has {}: {}",
            role.as_str(),
            counted(ids.len() as u64, "key"),
            named.join(", ")
        ),
    )
    .expected("the id of the key to replace, behind the role")
    .remedy("look at the key ids and their files with `airlock vendor trust show`, and name one behind the role"))
}

fn read_proposal(path: &Path) -> Result<Vec<u8>> {
    let file = open_named(path, "open the proposed root")?;
    read_bounded(file, limits::TRUST_BYTES, "a root proposal")
}

fn role(text: &str) -> Result<RoleName, String> {
    RoleName::ALL
        .into_iter()
        .find(|role| role.as_str() == text)
        .ok_or_else(|| "a role is ack, licence, release, root or withdrawal".to_owned())
}

fn pair(text: &str) -> Result<(&str, &str), String> {
    text.split_once('=')
        .ok_or_else(|| "two parts with = between them are expected".to_owned())
}

fn threshold(text: &str) -> Result<(RoleName, usize), String> {
    let (name, number) = pair(text)?;
    let number = number.parse().map_err(|_| format!("{number:?} is no number"))?;
    Ok((role(name)?, number))
}

fn epoch(text: &str) -> Result<(Name, Name, u64), String> {
    let (scope, number) = pair(text)?;
    let (product, channel) = scope
        .split_once('/')
        .ok_or_else(|| format!("{scope:?} is not PRODUCT/CHANNEL"))?;
    let name = |text: &str| text.parse::<Name>().map_err(|error| error.to_string());
    let number = number.parse().map_err(|_| format!("{number:?} is no number"))?;
    Ok((name(product)?, name(channel)?, number))
}

fn added(text: &str) -> Result<(RoleName, PublicKey), String> {
    let (name, key) = pair(text)?;
    Ok((role(name)?, key.parse().map_err(|error: Error| error.to_string())?))
}

fn removed(text: &str) -> Result<(RoleName, KeyId), String> {
    let (name, key) = pair(text)?;
    let key = key
        .parse()
        .map_err(|error: crate::domain::ParseDigestError| error.to_string())?;
    Ok((role(name)?, key))
}
