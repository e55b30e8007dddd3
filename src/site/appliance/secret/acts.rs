//! What a person does about the values of secrets: enter one, let one be made, let one go. Every act is in the audit log, no value is.
//!
//! File before row: what stops in between leaves either the value of before or the new one, and a file that the next act removes.

use super::bound::Offered;
use super::list::{Needed, SecretView};
use super::missing::MissingSecret;
use super::prepare::{detail, keep};
use super::record::{self, Before};
use super::{files, make};
use crate::appliance::last_generation;
use crate::appliance::state::{Appliance, ImportLock};
use crate::bundle::desired::SecretSource;
use crate::crypto::SecretRecord;
use crate::db::site::kept_secrets::{self, KeptSecret, Origin};
use crate::db::site::release::{Activated, ReleaseRow};
use crate::db::site::targets::Undeploy;
use crate::db::site::{audit, targets};
use crate::domain::{Class, Error, Result, SecretValue, Timestamp};

/// What an act may take away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replaces {
    /// What was there when the secret was looked at, of which a person was told: a value or none.
    Seen,
    /// Whatever is there.
    Any,
}

/// What became of an act about a secret.
#[derive(Debug)]
pub struct SecretAct {
    /// Whether there was a value before.
    pub replaced: bool,
    /// What was there before cannot be read any more: texts that hold it may leave from now on.
    pub lost: bool,
    /// A release that waited for it, if any.
    pub waited: Option<Waited>,
}

/// What became of a release that waited.
#[derive(Debug)]
pub struct Waited {
    /// The release.
    pub release: ReleaseRow,
    /// What became of it.
    pub result: Result<WaitedFor>,
}

/// What a release that waited came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaitedFor {
    /// It is live now.
    Live(Activated),
    /// It lacks nothing, and whoever was asked did not let it go live.
    Declined,
    /// It waits for more.
    More(Vec<MissingSecret>),
}

/// Says whether a release that waited for a value alone goes live now. The value counts already, and nothing else changes meanwhile.
pub type MayGoLive<'a> = &'a mut dyn FnMut(&ReleaseRow) -> Result<bool>;

impl Appliance {
    /// Lets a value that a person entered count, and makes the release live that waited for it alone, where that may be.
    ///
    /// # Errors
    ///
    /// `E-USAGE secret-sealed` for one that the vendor seals, `secret-unused` for one that no release has; `E-LIMIT rendered` for one with
    /// which agents would get more than they may; `E-BUSY`, also `secret-changed` when another value was entered since it was looked at;
    /// `E-STATE`, `E-IO` and `E-SPACE`. The value of before counts then.
    pub fn set_secret(
        &self,
        view: &SecretView,
        value: SecretValue,
        replaces: Replaces,
        now: Timestamp,
        may_go_live: MayGoLive<'_>,
    ) -> Result<SecretAct> {
        let lock = self.lock_in_turn()?;
        let view = self.seen_again(view, replaces, "set --replace")?;
        self.check_settable(&view)?;
        self.put_secret(&lock, &view, (value, Origin::Entered), now, may_go_live)
    }

    /// Lets a new value count that is made as the release says, else of 32 letters and digits; as [`Appliance::set_secret`].
    ///
    /// # Errors
    ///
    /// As [`Appliance::set_secret`].
    pub fn generate_secret(
        &self,
        view: &SecretView,
        replaces: Replaces,
        now: Timestamp,
        may_go_live: MayGoLive<'_>,
    ) -> Result<SecretAct> {
        let lock = self.lock_in_turn()?;
        let view = self.seen_again(view, replaces, "generate --yes")?;
        self.check_settable(&view)?;
        let Some(declared) = &view.declared else {
            return Err(self.unused(&view)?);
        };
        let length = usize::try_from(declared.length()).unwrap_or(usize::MAX);
        let value = make::value(declared.alphabet(), length)?;
        self.put_secret(&lock, &view, (value, Origin::Generated), now, may_go_live)
    }

    /// Looks at a secret again, for who holds the lock: releases and values come and go while a person types.
    fn seen_again(&self, view: &SecretView, replaces: Replaces, act: &str) -> Result<SecretView> {
        let target = view.target.as_ref().map(|(id, _)| *id);
        let same = |other: &SecretView| {
            other.scope == view.scope && other.name == view.name && other.target.as_ref().map(|(id, _)| *id) == target
        };
        let now = self.secrets()?.into_iter().find(same).unwrap_or_else(|| view.gone());
        if replaces == Replaces::Any || now.file == view.file {
            return Ok(now);
        }
        let became = match now.kept {
            Some((origin, at)) => format!("one was {origin} at {at}"),
            None => "it was let go".to_owned(),
        };
        let command = self.secret_command(act, &view.scope, (&view.name, target))?;
        Err(Error::new(
            Class::Busy,
            "secret-changed",
            format!(
                "the value of {} changed while this was asked for: {became}",
                view.label()
            ),
        )
        .expected("the value that was there when the command began")
        .remedy(format!(
            "look at `airlock secret list`; `{command}` takes the place of whatever is there; nothing was changed"
        )))
    }

    fn put_secret(
        &self,
        lock: &ImportLock,
        view: &SecretView,
        (value, origin): (SecretValue, Origin),
        now: Timestamp,
        may_go_live: MayGoLive<'_>,
    ) -> Result<SecretAct> {
        files::tidy(self.folder(), &self.db)?;
        let target = view.target.as_ref().map(|(id, _)| *id);
        let offered = Offered {
            scope: &view.scope,
            place: (view.name.clone(), target),
            value: &value,
        };
        offered.check(self)?;
        let Before { values, is_lost } =
            record::before(self.folder(), &self.db, &view.scope, (&view.name, target), &value)?;
        let record = SecretRecord {
            scope: view.scope.clone(),
            name: view.name.clone(),
            target,
            value,
            earlier: values,
        };
        let row = keep(self.folder(), record, origin, now)?;
        let withdrawn = last_generation::forget(self.folder())?;
        let written = self.db.write(|transaction| {
            let before = kept_secrets::put(transaction, &row)?;
            targets::raise_edition(transaction)?;
            audit::append(
                transaction,
                now,
                "secret",
                &detail(&row.scope, (&row.name, row.target), origin.as_str()),
                &[],
            )?;
            Ok(before)
        });
        drop(withdrawn);
        let before = match written {
            Ok(before) => before,
            Err(error) => {
                return Err(match files::remove(self.folder(), &[row.file]) {
                    Ok(()) => error,
                    Err(left) => error.and_then(&left),
                });
            }
        };
        // Done already: a file that stays is removed by the next act.
        files::remove(self.folder(), before.as_slice()).ok();
        Ok(SecretAct {
            replaced: view.kept.is_some(),
            lost: is_lost,
            waited: self.go_on(lock, view, now, may_go_live)?,
        })
    }

    /// Says whether a value from here would be used.
    ///
    /// # Errors
    ///
    /// `E-USAGE secret-sealed` and `secret-unused`.
    pub fn check_settable(&self, view: &SecretView) -> Result<()> {
        let Some(declared) = &view.declared else {
            return Err(self.unused(view)?);
        };
        if declared.source != SecretSource::Sealed {
            return Ok(());
        }
        Err(Error::new(
            Class::Usage,
            "secret-sealed",
            format!(
                "the vendor seals the value of {} to this site: one from here would not be used",
                view.name
            ),
        )
        .expected("a secret that is entered or made at the site")
        .remedy("ask the vendor for a release with another value, and import it"))
    }

    /// Says whether a value can be let go.
    ///
    /// # Errors
    ///
    /// `E-POLICY secret-needed` while the live release needs it; `E-USAGE secret` when there is none.
    pub fn check_forgettable(&self, view: &SecretView) -> Result<()> {
        if view.forgotten.is_some() {
            return Ok(());
        }
        if view.kept.is_none() {
            return Err(Error::new(
                Class::Usage,
                "secret",
                format!("no value of {} was entered or made here", view.name),
            )
            .remedy("look at `airlock secret list`"));
        }
        let sealed = view
            .declared
            .as_ref()
            .is_some_and(|declared| declared.source == SecretSource::Sealed);
        if view.needed == Needed::Live && !sealed {
            let is_made = view
                .declared
                .as_ref()
                .is_some_and(|declared| declared.source == SecretSource::Generate);
            let (verb, act) = if is_made {
                ("make", "generate")
            } else {
                ("enter", "set --replace")
            };
            return Err(Error::new(
                Class::Policy,
                "secret-needed",
                format!(
                    "the live release of {} needs {}: {}",
                    view.scope,
                    view.name,
                    view.used_by.join(", ")
                ),
            )
            .expected("a secret that no live release needs")
            .remedy(format!(
                "{verb} another value with `{}`; or forget it once a release without it is live",
                self.secret_command(act, &view.scope, (&view.name, view.target.as_ref().map(|(id, _)| *id)))?
            )));
        }
        Ok(())
    }

    /// Lets a value go that nobody needs. It is still taken out of texts, until it is let go once more; one that cannot be read is let go
    /// for good. Returns whether it was.
    ///
    /// # Errors
    ///
    /// `E-POLICY secret-needed` while the live release needs it; `E-USAGE secret` when there is none; `E-BUSY`, also `secret-changed`;
    /// `E-STATE`, `E-IO`, `E-SPACE`.
    pub fn forget_secret(&self, view: &SecretView, replaces: Replaces, now: Timestamp) -> Result<bool> {
        let _lock = self.lock_in_turn()?;
        let view = &self.seen_again(view, replaces, "forget --yes")?;
        self.check_forgettable(view)?;
        files::tidy(self.folder(), &self.db)?;
        let target = view.target.as_ref().map(|(id, _)| *id);
        let rows = self.db.read(kept_secrets::list)?.into_iter();
        let mut kept = rows.filter(|row| row.scope == view.scope && row.name == view.name && row.target == target);
        let stays = match kept.next().filter(KeptSecret::counts) {
            Some(row) => record::readable(self.folder(), &row)?.is_some(),
            None => false,
        };
        let withdrawn = last_generation::forget(self.folder())?;
        let file = self.db.write(|transaction| {
            let (file, result) = if stays {
                kept_secrets::forget(transaction, &view.scope, (&view.name, target), now)?;
                (None, "forgotten")
            } else {
                let file = kept_secrets::remove(transaction, &view.scope, &view.name, target)?;
                (file, "forgotten for good")
            };
            targets::raise_edition(transaction)?;
            let detail = detail(&view.scope, (&view.name, target), result);
            audit::append(transaction, now, "secret", &detail, &[])?;
            Ok(file)
        })?;
        drop(withdrawn);
        files::remove(self.folder(), file.as_slice())?;
        Ok(!stays)
    }

    fn unused(&self, view: &SecretView) -> Result<Error> {
        let target = view.target.as_ref().map(|(id, _)| *id);
        let forget = self.secret_command("forget", &view.scope, (&view.name, target))?;
        let found = format!("no release here has the secret {} any more", view.name);
        Ok(Error::new(Class::Usage, "secret-unused", found)
            .expected("a secret that a release here has")
            .remedy(format!("look at `airlock secret list`; `{forget}` lets its value go")))
    }

    /// Makes the release of a scope live that waits for its secrets alone, once none is missing and where that may be. One that may not goes
    /// on waiting.
    fn go_on(
        &self,
        lock: &ImportLock,
        view: &SecretView,
        now: Timestamp,
        may_go_live: MayGoLive<'_>,
    ) -> Result<Option<Waited>> {
        let Some(release) = self.waiting_release(&view.scope)? else {
            return Ok(None);
        };
        let result = self.missing_secrets(&release).and_then(|missing| {
            if missing.is_empty() {
                if !may_go_live(&release)? {
                    return Ok(WaitedFor::Declined);
                }
                let activated = self.activate_held(lock, release.head, Undeploy::AsSigned, now)?;
                Ok(WaitedFor::Live(activated))
            } else {
                Ok(WaitedFor::More(missing))
            }
        });
        Ok(Some(Waited { release, result }))
    }
}
