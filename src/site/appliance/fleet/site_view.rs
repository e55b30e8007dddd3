//! How agents reach this appliance. All of it comes from the configuration, nothing from a request (R11).

use std::net::IpAddr;

use crate::domain::{Class, Error, Result};

/// How agents reach this appliance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteView {
    address: String,
    secure: bool,
    interval: String,
    authority: Option<String>,
}

impl SiteView {
    /// How often agents ask, when nothing else is said: a time that does not divide 30 s, because of the agents' deadlock (D11).
    pub const INTERVAL: &'static str = "5.37s";

    /// Makes a view and checks what ends up in scripts and manifests.
    ///
    /// `address` is `host:port` or a host, `interval` a Go duration above zero, `authority` the PEM certificate of the
    /// appliance's own authority, where it vouches for the server.
    ///
    /// # Errors
    ///
    /// `E-USAGE agents`.
    pub fn new(address: &str, secure: bool, interval: &str, authority: Option<&str>) -> Result<Self> {
        let wrong = |what: String| Err(Error::new(Class::Usage, "agents", what));
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-:[]".contains(c);
        if address.is_empty() || address.len() > 255 || !address.chars().all(fits) || address.starts_with('-') {
            return wrong(format!("agents cannot be sent to {address:?}")).map_err(|error: Error| {
                error.expected("host:port, in lower case, as in appliance.plant.example:5443")
            });
        }
        if nanos(interval).is_none() {
            return wrong(format!("{interval:?} is no interval for agents"))
                .map_err(|error: Error| error.expected("a time above zero in h, m, s and ms, as in 5.37s or 1m30s"));
        }
        let authority = match authority.filter(|_| secure) {
            Some(pem) => match certificates(pem) {
                Some(certificates) => Some(certificates),
                None => return wrong("the authority's certificate is not in PEM form".to_owned()),
            },
            None => None,
        };
        Ok(Self {
            address: address.to_owned(),
            secure,
            interval: interval.to_owned(),
            authority,
        })
    }

    /// Returns `host:port`: the registry's name too.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Whether agents use HTTPS.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Whether that means to every machine itself.
    pub fn is_for_this_machine(&self) -> bool {
        let address = self.address();
        let host = address
            .rsplit_once(':')
            .map_or(address, |(host, port)| if port.ends_with(']') { address } else { host });
        host.trim_matches(['[', ']'])
            .parse::<IpAddr>()
            .map_or(host == "localhost", |ip| ip.is_loopback())
    }

    /// Returns scheme and address, as in `https://appliance:5443`.
    pub fn base(&self) -> String {
        format!("{}://{}", if self.secure { "https" } else { "http" }, self.address)
    }

    /// Returns how often agents ask.
    pub fn interval(&self) -> &str {
        &self.interval
    }

    /// Returns how long an interval is, in nanoseconds; nothing for what is none.
    pub fn interval_nanos(interval: &str) -> Option<u128> {
        nanos(interval)
    }

    /// Returns the certificate that agents must be told to trust, in PEM form with a line end.
    pub fn authority(&self) -> Option<&str> {
        self.authority.as_deref()
    }
}

/// Returns the nanoseconds of a Go duration above zero, made of decimal numbers with units; nothing for what is none.
fn nanos(text: &str) -> Option<u128> {
    let (mut rest, mut sum) = (text, 0_u128);
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(|c| c.is_ascii_digit() || *c == b'.').count();
        let (number, after) = rest.split_at(digits);
        let units = [
            ("ms", 1_000_000_u128),
            ("h", 3_600_000_000_000),
            ("m", 60_000_000_000),
            ("s", 1_000_000_000),
        ];
        let (unit, factor) = units.into_iter().find(|(unit, _)| after.starts_with(unit))?;
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        if !(1..=9).contains(&number.len()) || whole.is_empty() || part.contains('.') {
            return None;
        }
        let scale = 10_u128.checked_pow(u32::try_from(part.len()).ok()?)?;
        let part: u128 = if part.is_empty() { 0 } else { part.parse().ok()? };
        let whole: u128 = whole.parse().ok()?;
        sum = sum.saturating_add(whole.saturating_mul(factor));
        sum = sum.saturating_add(part.saturating_mul(factor).div_euclid(scale));
        rest = after.get(unit.len()..).unwrap_or_default();
    }
    (sum > 0).then_some(sum)
}

/// Returns the certificates of a PEM file, without whatever else stands in it: they go into manifests and scripts as they are.
fn certificates(text: &str) -> Option<String> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    let (mut out, mut inside) = (String::new(), false);
    for line in text.lines().map(str::trim) {
        match (inside, line) {
            (false, BEGIN) => inside = true,
            (false, _) => continue,
            (true, END) => inside = false,
            (true, line) if line.chars().all(|c| c.is_ascii_alphanumeric() || "+/=".contains(c)) => {}
            (true, _) => return None,
        }
        out += line;
        out.push('\n');
    }
    (!inside && !out.is_empty()).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEM: &str = "-----BEGIN CERTIFICATE-----\nMIIB+/=\n-----END CERTIFICATE-----\n";

    #[test]
    fn only_what_is_safe_in_scripts_becomes_a_view() {
        for address in [
            "localhost",
            "appliance.plant.example:5443",
            "10.0.0.1:5000",
            "[fd00::1]:5443",
        ] {
            assert_eq!(
                SiteView::new(address, true, SiteView::INTERVAL, Some(PEM))
                    .unwrap()
                    .address(),
                address
            );
        }
        for address in [
            "",
            "a'b",
            "a b",
            "$(reboot)",
            "a;b",
            "A.example",
            "a/b",
            "-o",
            "a\nb",
            "a\"b",
            "a`b",
        ] {
            let error = SiteView::new(address, true, SiteView::INTERVAL, None).unwrap_err();
            assert_eq!((error.class(), error.code()), (Class::Usage, "agents"), "{address}");
        }
        for interval in ["5s", "1m30s", "250ms", "0.5s"] {
            assert!(SiteView::new("a", true, interval, None).is_ok(), "{interval}");
        }
        for interval in ["", "5", "s", "0s", "0.0s", "-5s", "5s;", "1.2.3s", ".5s", "5 s", "5d"] {
            assert!(SiteView::new("a", true, interval, None).is_err(), "{interval}");
        }
        let nanos = |text| SiteView::interval_nanos(text).unwrap();
        assert_eq!(
            [
                nanos("5s"),
                nanos("1m30s"),
                nanos("250ms"),
                nanos("5.37s"),
                nanos("0.5h")
            ],
            [
                5_000_000_000,
                90_000_000_000,
                250_000_000,
                5_370_000_000,
                1_800_000_000_000
            ]
        );
        for pem in [
            "",
            "x",
            "-----BEGIN CERTIFICATE-----\nAIRLOCK\n$(x)\n-----END CERTIFICATE-----\n",
        ] {
            assert!(
                SiteView::new("a", true, SiteView::INTERVAL, Some(pem)).is_err(),
                "{pem}"
            );
        }
        // Nobody needs an authority without TLS.
        assert_eq!(
            SiteView::new("a", false, SiteView::INTERVAL, Some(PEM))
                .unwrap()
                .authority(),
            None
        );
    }
}
