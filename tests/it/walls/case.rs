//! What a hostile vendor does to a prepared appliance, and how it is judged: the import's own answer, A's world, A's next release.

use std::collections::BTreeMap;

use airlock::appliance::{Options, Outcome};
use airlock::domain::{Result, Uuid};

use super::forge::{Goods, Vendor};
use super::neighbour::{Issue, Neighbour};
use super::stage::{Ground, Prepared, Stage};
use super::world::{Depth, Questions, World, token_of, trespasses};

/// What an import must answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expect {
    /// Imported and live.
    Live,
    /// Imported, and not live.
    Available,
    /// A dry run without objection.
    Passes,
    /// Class, code, step.
    Refused(&'static str, &'static str, &'static str),
}

/// One import.
pub(super) struct Act {
    pub(super) bundle: Vec<u8>,
    pub(super) options: Options,
    pub(super) expect: Expect,
}

/// One hostile vendor.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) ground: Ground,
    pub(super) what: What,
    /// Whether it is one more of a kind, for the long run only.
    pub(super) slow: bool,
}

/// What happens.
pub(super) enum What {
    /// Imports, after which nothing of A is another.
    Imports {
        acts: Vec<Act>,
        /// A target of the guest's that is live afterwards: its agent sees nothing of A's. The goods are what the guest carried.
        intruder: Option<(Uuid, Box<Goods>)>,
        /// Questions that may be answered in another way, because the rules say so.
        allowed: fn(&str) -> bool,
        /// The same, once A's next release is there.
        allowed_later: fn(&str) -> bool,
    },
    /// A story of its own: what is wrong.
    Story(Story),
}

/// Tells what is wrong.
pub(super) type Story = fn(&Theatre) -> Vec<String>;

/// The question of the certificate that is shown: every process has one of its own.
const SHOWN: &str = "the certificate shown";

/// Everything that cases share.
pub(super) struct Theatre {
    pub(super) a: Neighbour,
    pub(super) b: Vendor,
    pub(super) questions: Questions,
    pub(super) prepared: BTreeMap<Ground, Prepared>,
    /// A's world on each ground.
    before: BTreeMap<Ground, World>,
    /// A's world after its next release, on an appliance that nobody else ever used.
    after: BTreeMap<Ground, World>,
}

/// What an import came to, in the words of [`Expect`].
pub(super) fn word(result: &Result<Outcome>) -> String {
    match result {
        Ok(Outcome::Published { activated: Some(_), .. }) => format!("{:?}", Expect::Live),
        Ok(Outcome::Published { activated: None, .. }) => format!("{:?}", Expect::Available),
        Ok(Outcome::DryRun { .. }) => format!("{:?}", Expect::Passes),
        Ok(other) => format!("{other:?}"),
        Err(error) => {
            let step = error.step().map(|step| step.to_string()).unwrap_or_default();
            format!("Refused({:?}, {:?}, {step:?})", error.class().name(), error.code())
        }
    }
}

impl Theatre {
    pub(super) fn open() -> Self {
        let (a, b) = (Neighbour::new(), Vendor::new(&["app"]));
        let empty = Prepared::empty(&[a.vendor.pin(), b.pin()]);
        let live = empty.live(&a);
        let standby = live.and(Ground::Standby, &a, Issue::Wider, true);
        let second = live.and(Ground::Second, &a, Issue::Second, false);
        let prepared: BTreeMap<Ground, Prepared> = [empty, live, standby, second]
            .into_iter()
            .map(|prepared| (prepared.ground, prepared))
            .collect();
        let questions = Questions::of(&a);
        let mut theatre = Self {
            a,
            b,
            questions,
            prepared,
            before: BTreeMap::new(),
            after: BTreeMap::new(),
        };
        for ground in theatre.prepared.keys().copied().collect::<Vec<_>>() {
            let stage = theatre.stage(ground);
            if let Some(issue) = ground.issue() {
                let world = theatre.look(&stage, Depth::Whole, ground, issue);
                theatre.before.insert(ground, world);
            }
            let result = stage.import(&theatre.a.bundle(ground.next()), &Options::default());
            assert_eq!(word(&result), format!("{:?}", Expect::Live), "{ground:?}: {result:?}");
            let world = theatre.look(&stage, Depth::Names, ground, ground.next());
            theatre.after.insert(ground, world);
        }
        theatre
    }

    pub(super) fn stage(&self, ground: Ground) -> Stage {
        Stage::of(&self.prepared[&ground])
    }

    /// How many questions make a world.
    pub(super) fn size(&self) -> usize {
        self.before[&Ground::Live].len()
    }

    pub(super) fn look(&self, stage: &Stage, depth: Depth, ground: Ground, issue: Issue) -> World {
        let passes = &self.prepared[&ground].passes;
        World::of((stage, depth), &self.a, &self.questions, passes, issue)
    }

    /// Imports A's next release and compares with what becomes of it where nobody else is.
    pub(super) fn check_next(&self, stage: &Stage, ground: Ground, allowed: fn(&str) -> bool) -> Vec<String> {
        let result = stage.import(&self.a.bundle(ground.next()), &Options::default());
        if word(&result) != format!("{:?}", Expect::Live) {
            return vec![format!("A's next release: {}: {result:?}", word(&result))];
        }
        let world = self.look(stage, Depth::Names, ground, ground.next());
        let allowed = |question: &str| question == SHOWN || allowed(question);
        let differences = self.after[&ground].differences(&world, allowed);
        told("after A's next release", &differences)
    }

    /// Plays a case: everything that is wrong. `with_next`: also after A's next release.
    pub(super) fn play(&self, case: &Case, with_next: bool) -> Vec<String> {
        let (acts, intruder, allowed, allowed_later) = match &case.what {
            What::Story(story) => return story(self),
            What::Imports {
                acts,
                intruder,
                allowed,
                allowed_later,
            } => (acts, intruder, *allowed, *allowed_later),
        };
        let ground = case.ground;
        let issue = ground.issue().expect("A is there");
        let stage = self.stage(ground);
        // What a running server remembers must not outlive an import: this is where it begins to remember.
        let warm = self.look(&stage, Depth::Clients, ground, issue);
        let before = &self.before[&ground];
        let mut wrong = Vec::new();
        for act in acts {
            let result = stage.import(&act.bundle, &act.options);
            if word(&result) != format!("{:?}", act.expect) {
                let said = result.err().map(|error| error.to_string()).unwrap_or_default();
                wrong.push(format!("the import is not {:?}, but {said}", act.expect));
            }
        }
        let after = self.look(&stage, Depth::Whole, ground, issue);
        let differences = before.differences(&after, |question| question == SHOWN || allowed(question));
        wrong.extend(told("after the import", &differences));
        if warm.answer(SHOWN) != after.answer(SHOWN) {
            wrong.push("another certificate is shown after the import".to_owned());
        }
        if let Some((target, goods)) = intruder
            && stage.hub.targets().iter().any(|view| view.id == *target)
        {
            let token = token_of(&stage, target);
            let found = trespasses(&stage, &self.questions, &token, |digest| goods.carries(digest));
            wrong.extend(told("after the import", &found));
        }
        if with_next {
            wrong.extend(self.check_next(&stage, ground, allowed_later));
        }
        wrong
    }
}

/// The first of many differences, and how many there are.
fn told(when: &str, differences: &[String]) -> Vec<String> {
    let Some(first) = differences.first() else {
        return Vec::new();
    };
    vec![format!("{when}, {} answers differ:\n      {first}", differences.len())]
}
