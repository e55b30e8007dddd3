//! Which dates a vendor signs, judged by its own clock at the moment of signing.
//!
//! A date is a promise that no later signature takes back: a site moves this vendor's time floor to the `issued_at` of what it
//! took in, and a release that has expired, or stands under a root that has, is refused wherever it is carried. So the vendor is
//! told before it signs, with the class and the sub-code that a site would give at X8: the same mistake has one name on both
//! sides, and a retry helps in the same cases (after the clock or the date is put right; never, for what has expired).
//!
//! - `E-CLOCK issued-ahead`: issued more than an hour ahead of the clock. A future date can be meant (`--allow-future`).
//! - `E-EXPIRED bundle`, `E-EXPIRED root`: over already. Nobody can mean that, so no option lets it pass.
//! - `E-CLOCK issued-after-root`: issued when the root that vouches for it is over.
//!
//! **The tolerance is one hour.** It covers what honest clocks differ by: machines of one vendor, a signing room without network
//! whose clock ran free for a year (some seconds a day), a clock set to daylight saving time by mistake. A site refuses from 48
//! hours on, which leaves 47 for the site's own clock, and moves its floor by no more than that hour before it is true.
//!
//! Nothing here goes into what is signed: the same inputs give the same bytes on any day on which they are signed at all.

use crate::crypto::RootDocument;
use crate::domain::{Class, Error, Result, Timestamp};

/// How far ahead of the clock a date may lie without a word.
const SKEW_SECONDS: i64 = 60 * 60;

/// The moment of signing, and whether a later date is meant.
#[derive(Debug, Clone, Copy)]
pub struct SigningTime {
    /// What the machine's clock says.
    pub now: Timestamp,
    /// `--allow-future`: a time of issue ahead of the clock is meant.
    pub allow_future: bool,
}

impl SigningTime {
    /// Makes the moment at which only what is past or present is signed.
    pub fn at(now: Timestamp) -> Self {
        Self {
            now,
            allow_future: false,
        }
    }

    /// Checks the times of a release.
    ///
    /// # Errors
    ///
    /// `E-CLOCK issued-ahead`, `E-EXPIRED bundle`.
    pub fn check_release(self, issued_at: Timestamp, expires: Timestamp) -> Result<()> {
        self.check_issued(
            "the release",
            issued_at,
            "sites then refuse it until 48 hours before that date, or until a person there confirms the date",
        )?;
        if expires > self.now {
            return Ok(());
        }
        Err(
            Error::new(Class::Expired, "bundle", format!("the release expired at {expires}"))
                .expected(format!(
                    "an expiry after {}, the time of this machine's clock",
                    self.now
                ))
                .remedy(
                    "give it a later expiry (expires, expires_in or --expires) and make it again, or set the clock",
                ),
        )
    }

    /// Checks that a root vouches for a release which is issued at a certain time, and does so now.
    ///
    /// # Errors
    ///
    /// `E-EXPIRED root`, `E-CLOCK issued-after-root`.
    pub(super) fn check_vouching(self, root: &RootDocument, issued_at: Timestamp) -> Result<()> {
        let renew = "renew the root with `airlock vendor trust set --expires-years 5`, or with any other change to it";
        if root.expires <= self.now {
            return Err(self
                .root_expired(root.expires)
                .remedy(format!("{renew}; or set the clock")));
        }
        if root.expires <= issued_at {
            return Err(Error::new(
                Class::Clock,
                "issued-after-root",
                format!("the release is issued at {issued_at}, when its trust root has expired"),
            )
            .expected(format!("a time before {}", root.expires))
            .remedy(format!("put the date right; or {renew}")));
        }
        Ok(())
    }

    /// Checks the times of a root document.
    ///
    /// # Errors
    ///
    /// `E-CLOCK issued-ahead`, `E-EXPIRED root`.
    pub(super) fn check_root(self, root: &RootDocument) -> Result<()> {
        self.check_issued("the trust root", root.issued_at, "no site waits for that date")?;
        if root.expires > self.now {
            return Ok(());
        }
        Err(self
            .root_expired(root.expires)
            .remedy("make it with a later --expires or with --expires-years, or set the clock"))
    }

    fn check_issued(self, what: &str, issued_at: Timestamp, outcome: &str) -> Result<()> {
        if self.allow_future || issued_at <= self.now.plus_seconds(SKEW_SECONDS) {
            return Ok(());
        }
        Err(Error::new(
            Class::Clock,
            "issued-ahead",
            format!(
                "{what} is issued at {issued_at}, and this machine's clock says {}",
                self.now
            ),
        )
        .expected("a time of issue at most an hour ahead of the clock")
        .remedy(format!(
            "put the date or the clock right; --allow-future takes it as it is: {outcome}"
        )))
    }

    fn root_expired(self, expires: Timestamp) -> Error {
        Error::new(Class::Expired, "root", format!("the trust root expired at {expires}")).expected(format!(
            "an expiry after {}, the time of this machine's clock",
            self.now
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Workspace;
    use super::super::workspace::tests::sample;
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn at(now: &str) -> SigningTime {
        SigningTime::at(time(now))
    }

    fn meant(now: &str) -> SigningTime {
        SigningTime {
            allow_future: true,
            ..at(now)
        }
    }

    fn verdict(result: Result<()>) -> Option<(Class, &'static str)> {
        result.err().map(|error| (error.class(), error.code()))
    }

    const AHEAD: Option<(Class, &str)> = Some((Class::Clock, "issued-ahead"));
    const AFTER_ROOT: Option<(Class, &str)> = Some((Class::Clock, "issued-after-root"));
    const EXPIRED: Option<(Class, &str)> = Some((Class::Expired, "bundle"));
    const ROOT_EXPIRED: Option<(Class, &str)> = Some((Class::Expired, "root"));

    #[test]
    fn a_release_is_neither_ahead_of_the_clock_nor_over() {
        let (issued, expires) = (time("2026-06-01T12:00:00Z"), time("2026-06-02T12:00:00Z"));
        for (signing, expected) in [
            (at("1970-01-01T00:00:00Z"), AHEAD),
            (at("2026-06-01T10:59:59Z"), AHEAD),
            (meant("2026-06-01T10:59:59Z"), None),
            (at("2026-06-01T11:00:00Z"), None),
            (at("2026-06-02T11:59:59Z"), None),
            (at("2026-06-02T12:00:00Z"), EXPIRED),
            (meant("2026-06-02T12:00:00Z"), EXPIRED),
            (at("9999-12-31T23:59:59Z"), EXPIRED),
        ] {
            assert_eq!(verdict(signing.check_release(issued, expires)), expected, "{signing:?}");
        }
    }

    #[test]
    fn a_root_is_neither_ahead_nor_over_and_vouches_for_no_release_after_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace::init(&folder.path().join("w"), &sample(), None).unwrap();
        // 2026 to 2031.
        let root = workspace.chain().newest();
        for (signing, expected) in [
            (at("2025-12-31T22:59:59Z"), AHEAD),
            (meant("2025-12-31T22:59:59Z"), None),
            (at("2025-12-31T23:00:00Z"), None),
            (at("2030-12-31T23:59:59Z"), None),
            (at("2031-01-01T00:00:00Z"), ROOT_EXPIRED),
            (meant("2031-01-01T00:00:00Z"), ROOT_EXPIRED),
        ] {
            assert_eq!(verdict(signing.check_root(root)), expected, "{signing:?}");
        }
        for (signing, issued_at, expected) in [
            (at("2030-12-31T23:59:59Z"), "2030-12-31T23:59:59Z", None),
            (at("2030-12-31T23:59:59Z"), "2031-01-01T00:00:00Z", AFTER_ROOT),
            (meant("2026-06-01T00:00:00Z"), "2031-01-01T00:00:00Z", AFTER_ROOT),
            (at("2031-01-01T00:00:00Z"), "2026-06-01T00:00:00Z", ROOT_EXPIRED),
            (meant("2031-01-01T00:00:00Z"), "2026-06-01T00:00:00Z", ROOT_EXPIRED),
        ] {
            let result = signing.check_vouching(root, time(issued_at));
            assert_eq!(verdict(result), expected, "{signing:?} {issued_at}");
        }
    }
}
