//! Hostile dates: in releases, in root links, in links that reset the time; accepted, refused, for another site (K20, K22).

use airlock::appliance::Options;
use airlock::domain::Timestamp;

use super::case::{Act, Case, Expect, What};
use super::forge::{Goods, Statement, Vendor};
use super::guest;
use super::neighbour::another_site;
use super::stage::{Ground, now};

const AHEAD: Expect = Expect::Refused("E-CLOCK", "issued-ahead", "X8");
const HOUR: i64 = 3600;

/// What becomes of the bundle that carries a link.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Accepted,
    Expired,
    AnotherSite,
}

fn dates() -> [(&'static str, Timestamp); 4] {
    [
        ("1970", "1970-01-02T00:00:00Z".parse().unwrap()),
        ("9998", "9998-01-01T00:00:00Z".parse().unwrap()),
        ("six months ahead", "2027-09-01T00:00:00Z".parse().unwrap()),
        ("49 h ahead", now().plus_seconds(49 * HOUR)),
    ]
}

fn goods() -> Goods {
    let mut goods = Goods::default();
    goods.tagged("registry.b.test/app/web", "1", "B web");
    goods
}

fn case(name: String, acts: Vec<Act>) -> Case {
    Case {
        slow: false,
        name,
        ground: Ground::Live,
        what: What::Imports {
            acts,
            intruder: None,
            allowed: |_| false,
            allowed_later: |_| false,
        },
    }
}

fn act(vendor: &Vendor, statement: &Statement, options: Options, expect: Expect) -> Act {
    Act {
        bundle: vendor.bundle(statement, &goods()),
        options,
        expect,
    }
}

/// A release that is good, or good for something else.
fn fated(fate: Fate) -> (Statement, Expect) {
    let release = guest::release();
    match fate {
        Fate::Accepted => (release, Expect::Live),
        Fate::Expired => {
            let expires = now().plus_seconds(-HOUR);
            (
                Statement { expires, ..release },
                Expect::Refused("E-EXPIRED", "bundle", "X8"),
            )
        }
        Fate::AnotherSite => {
            let audience = another_site();
            (
                Statement { audience, ..release },
                Expect::Refused("E-AUDIENCE", "site", "X6"),
            )
        }
    }
}

pub(super) fn cases(b: &Vendor) -> Vec<Case> {
    let mut cases = releases(b);
    for (word, date) in dates() {
        for reset in [false, true] {
            for fate in [Fate::Accepted, Fate::Expired, Fate::AnotherSite] {
                let vendor = b.linked(|root| {
                    root.issued_at = date;
                    root.time_reset = reset;
                });
                let (statement, expect) = fated(fate);
                let link = if reset { "time reset" } else { "root link" };
                // The past matters where time is set anew, the far future where it is not.
                let telling = word == if reset { "1970" } else { "9998" };
                let case = case(
                    format!("{link} of {word}, {fate:?}"),
                    vec![act(&vendor, &statement, Options::default(), expect)],
                );
                cases.push(Case { slow: !telling, ..case });
            }
        }
    }
    let (statement, expect) = fated(Fate::Accepted);
    let vendor = b.rotated(|root| root.issued_at = dates()[1].1);
    cases.push(case(
        "rotation of 9998".into(),
        vec![act(&vendor, &statement, Options::default(), expect)],
    ));
    let vendor = b.linked(|root| root.issued_at = dates()[1].1).linked(|root| {
        root.issued_at = dates()[0].1;
        root.time_reset = true;
    });
    cases.push(case(
        "root link of 9998, then time reset of 1970".into(),
        vec![act(&vendor, &statement, Options::default(), expect)],
    ));
    cases
}

fn releases(b: &Vendor) -> Vec<Case> {
    let mut cases = Vec::new();
    let dated = |issued_at: Timestamp, more: Statement| Statement {
        issued_at,
        expires: if issued_at < now() {
            more.expires
        } else {
            issued_at.plus_seconds(100 * 24 * HOUR)
        },
        ..more
    };
    let confirmed = |date| Options {
        confirmed_date: Some(date),
        ..Options::default()
    };
    let dry = Options {
        dry_run: true,
        ..Options::default()
    };
    for (word, date) in dates() {
        let (past, release) = (date < now(), dated(date, guest::release()));
        let expect = if past { Expect::Live } else { AHEAD };
        let default = Options::default();
        cases.push(case(
            format!("release of {word}"),
            vec![act(b, &release, default.clone(), expect)],
        ));
        let expect = if past { Expect::Passes } else { AHEAD };
        let rehearsed = case(
            format!("release of {word}, dry run"),
            vec![act(b, &release, dry.clone(), expect)],
        );
        cases.push(Case {
            slow: true,
            ..rehearsed
        });
        let elsewhere = dated(date, fated(Fate::AnotherSite).0);
        let expect = Expect::Refused("E-AUDIENCE", "site", "X6");
        let elsewhere = case(
            format!("release of {word}, AnotherSite"),
            vec![act(b, &elsewhere, default, expect)],
        );
        cases.push(Case {
            slow: true,
            ..elsewhere
        });
        if !past {
            cases.push(case(
                format!("release of {word}, its date confirmed"),
                vec![act(b, &release, confirmed(date), Expect::Live)],
            ));
        }
    }
    let near = dated(now().plus_seconds(47 * HOUR), guest::release());
    cases.push(case(
        "release 47 h ahead".into(),
        vec![act(b, &near, Options::default(), Expect::Live)],
    ));
    cases
}
