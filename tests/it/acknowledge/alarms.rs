//! M-107, M-110: what a vendor found is shown whatever becomes of the rest, and what a site makes of packages that it never signed.

use airlock::crypto::{Acknowledgement, Alarm, AlarmCode};
use serde_json::{Value, json};

use super::both::Both;
use crate::support::appliance::{Ended, Serving};

fn alarm(code: AlarmCode, number: u64) -> Alarm {
    Alarm { code, number }
}

/// The words of the alarms that a command showed.
fn shown(ended: &Ended) -> Vec<String> {
    let warnings = ended
        .stderr
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let texts = warnings.filter_map(|event| Some(event["text"].as_str()?.to_owned()));
    let alarms = texts.filter_map(|text| Some(text.strip_prefix("ALARM ")?.to_owned()));
    alarms
        .map(|text| text.split([',', ':']).next().unwrap().to_owned())
        .collect()
}

/// The words of those that stand: the list of releases and `doctor` say the same.
#[track_caller]
fn listed(both: &Both) -> Vec<String> {
    let words = shown(&both.bench.run("release list"));
    let examined = both.bench.run("doctor");
    let findings = examined.result["findings"].as_array().unwrap();
    let found = findings.iter().filter(|finding| finding["part"] == "alarms");
    let expected: Vec<(String, Value)> = match &words[..] {
        [] => vec![("good".into(), Value::Null)],
        words => words
            .iter()
            .map(|word| ("look".into(), format!("E-STATE {word}").into()))
            .collect(),
    };
    let found: Vec<(String, Value)> = found
        .map(|finding| {
            (
                finding["verdict"].as_str().unwrap().to_owned(),
                finding["error"].clone(),
            )
        })
        .collect();
    assert_eq!(found, expected);
    words
}

fn acknowledge(both: &Both, says: &Acknowledgement) -> Ended {
    both.write("by-hand.ack", says, "acme", "ack");
    both.bench.run("status acknowledge by-hand.ack")
}

#[test]
fn alarms_are_shown_whatever_becomes_of_the_rest_and_stand_until_the_next_says_otherwise() {
    let both = Both::new();
    let package = both.sign(both.reach(100));
    let mut says = both.says(1, &[&package]);
    says.alarms = vec![alarm(AlarmCode::Branches, 3), alarm(AlarmCode::ForeignRelease, 1)];
    let words = ["branches", "foreign-release"];
    assert_eq!(listed(&both), [""; 0]);
    // Somebody else's says nothing here.
    let mut foreign = says.clone();
    foreign.site = "0".repeat(32).parse().unwrap();
    assert_eq!(shown(&acknowledge(&both, &foreign)), [""; 0]);
    let mut forged = says.clone();
    both.write("forged", &forged, "acme", "release");
    assert_eq!(shown(&both.bench.run("status acknowledge forged")), [""; 0]);
    assert_eq!(listed(&both), [""; 0]);
    // One that is refused for what follows is heard.
    forged.records = 1_000;
    let ended = acknowledge(&both, &forged);
    assert_eq!(ended.refusal.as_ref().unwrap().1, "ack-beyond");
    assert_eq!(shown(&ended), words);
    assert_eq!(listed(&both), words);
    // So is one that is applied; and the server says it in its log.
    let ended = acknowledge(&both, &says);
    assert_eq!(
        (ended.word(), shown(&ended)),
        ("applied", words.map(str::to_owned).to_vec())
    );
    assert_eq!(ended.result["alarms"], json!(says.alarms));
    // An older one shows what was found then, and what stands stays.
    let mut older = says.clone();
    (older.number, older.alarms) = (1, vec![alarm(AlarmCode::Record, 2)]);
    let ended = acknowledge(&both, &older);
    assert_eq!(
        (ended.refusal.as_ref().unwrap().1.as_str(), shown(&ended)),
        ("ack-older", vec!["record".to_owned()])
    );
    assert_eq!(listed(&both), ["record"], "the same number was heard last");
    // The next one takes all of it back.
    let next = both.sign(both.reach(120));
    assert_eq!(shown(&acknowledge(&both, &both.says(2, &[&next]))), [""; 0]);
    assert_eq!(listed(&both), [""; 0]);
    let mut late = older;
    late.alarms = vec![alarm(AlarmCode::Branches, 3)];
    assert_eq!(shown(&acknowledge(&both, &late)), ["branches"]);
    assert_eq!(listed(&both), [""; 0], "what an old one found is not what stands");
    Serving::start(&both.bench.state()).stop();
}

/// M-110: of a life that is over nothing is to be done; of one that is not known, and of packages that the present one never signed, the
/// site is told what it must be.
#[test]
fn what_was_never_signed_here_says_whether_the_state_was_turned_back_or_lives_twice() {
    let both = Both::new();
    let early = both.sign(both.reach(100));
    both.bench.good("recover --yes --as restored");
    let over = both.says(1, &[&early]);
    let ended = both.refuse(&over, "never-exported");
    assert_eq!(shown(&ended), [""; 0]);
    assert!(ended.stderr.contains("which is over here"), "{}", ended.stderr);
    assert_eq!(listed(&both), [""; 0]);
    // The present one, and a package that it does not know.
    let package = both.sign(both.reach(120));
    let mut older = both.says(1, &[&package]);
    older.packages[0].number = 9;
    let ended = both.refuse(&older, "never-exported");
    assert_eq!(shown(&ended), ["state-older"]);
    assert!(
        ended.stderr.contains("airlock recover --as restored"),
        "{}",
        ended.stderr
    );
    assert_eq!(listed(&both), ["state-older"]);
    // Somebody says so: it is done, and what went before is told again.
    both.bench.good("recover --yes --as restored");
    assert_eq!(listed(&both), [""; 0]);
    let mut other = both.says(1, &[&package]);
    other.instance = "ab".repeat(16).parse().unwrap();
    let ended = both.refuse(&other, "never-exported");
    assert_eq!(shown(&ended), ["other-instance"]);
    assert!(ended.stderr.contains("airlock recover --as cloned"), "{}", ended.stderr);
    assert_eq!(listed(&both), ["other-instance"]);
    both.bench.good("recover --yes --as cloned");
    assert_eq!(listed(&both), [""; 0]);
    both.refuse(&other, "never-exported");
    assert_eq!(listed(&both), ["other-instance"]);
    // One that is applied ends it too.
    let last = both.sign(both.reach(130));
    assert_eq!(both.apply(&both.says(2, &[&last]))["result"], "applied");
    assert_eq!(listed(&both), [""; 0]);
}

/// What was found of a life that is over was told: whoever said `recover` is not told again to say it, as long as the vendor goes on naming
/// it. What is found anew is told.
#[test]
fn alarms_of_a_life_that_is_over_are_told_once() {
    let both = Both::new();
    let early = both.sign(both.reach(100));
    let mut says = both.says(1, &[&early]);
    says.alarms = vec![alarm(AlarmCode::ForeignRelease, 1), alarm(AlarmCode::PackageNumber, 1)];
    assert_eq!(shown(&acknowledge(&both, &says)), ["foreign-release", "package-number"]);
    both.bench.good("recover --yes --as restored");
    // What has nothing to do with lives stands.
    assert_eq!(listed(&both), ["foreign-release"]);
    let mut number = 2;
    let mut next = |alarms: Vec<Alarm>| {
        let package = both.sign(both.reach(100 + number));
        let mut says = both.says(number, &[&package]);
        says.alarms = alarms;
        number += 1;
        let ended = acknowledge(&both, &says);
        assert_eq!(ended.word(), "applied", "{}", ended.stderr);
        ended
    };
    for _ in 0..2 {
        let ended = next(says.alarms.clone());
        assert_eq!(shown(&ended), ["foreign-release"]);
        assert!(!ended.stderr.contains("recover"), "{}", ended.stderr);
        assert_eq!(listed(&both), ["foreign-release"]);
        // The log keeps all of it.
        let log = both.bench.good("audit export -o log.jsonl");
        let text = String::from_utf8(crate::support::appliance::read(&both.bench.path("log.jsonl"))).unwrap();
        let last = text
            .lines()
            .nth(usize::try_from(log["rows"].as_u64().unwrap()).unwrap() - 1);
        assert!(last.unwrap().contains("package-number"), "{last:?}");
        std::fs::remove_file(both.bench.path("log.jsonl")).unwrap();
    }
    // Another package, and one that ended and comes back, are of now.
    assert_eq!(
        shown(&next(vec![alarm(AlarmCode::PackageNumber, 2)])),
        ["package-number"]
    );
    assert_eq!(
        shown(&next(vec![alarm(AlarmCode::PackageNumber, 1)])),
        ["package-number"]
    );
    assert_eq!(listed(&both), ["package-number"]);
}

/// An answer to a life that is over may be the first that tells of what was found of it: that is said once, and nothing is asked for.
#[test]
fn an_answer_to_a_life_that_is_over_asks_for_nothing() {
    let both = Both::new();
    let early = both.sign(both.reach(100));
    let mut late = both.says(1, &[&early]);
    late.alarms = vec![alarm(AlarmCode::Previous, 1)];
    both.bench.good("recover --yes --as restored");
    for first in [true, false] {
        let ended = acknowledge(&both, &late);
        assert_eq!(ended.refusal.as_ref().unwrap().1, "never-exported");
        assert_eq!(shown(&ended), [""; 0]);
        assert_eq!(ended.stderr.contains("of a life of this site that is over here"), first);
        assert_eq!(listed(&both), [""; 0]);
    }
}
