//! What cannot be carried, gathered into one refusal (D10).

use crate::domain::{Class, Error};

/// Problems found so far.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<Error>);

impl Problems {
    /// Notes a problem of an image.
    pub(crate) fn note(&mut self, image: &str, error: &Error) {
        self.take(&format!("{image}: "), error);
    }

    /// Notes a problem that says itself what it is about.
    pub(crate) fn add(&mut self, error: &Error) {
        self.take("", error);
    }

    fn take(&mut self, about: &str, error: &Error) {
        let noted = match error.expectation() {
            // Behind the last line of a list it would be of that alone.
            Some(expected) if is_list(error) => error.retold(about, "").expected(expected),
            Some(expected) => error.retold(about, &format!(" (expected {expected})")),
            None => error.retold(about, ""),
        };
        // Shared content is met once for every image that has it.
        if self
            .0
            .iter()
            .any(|known| known.found() == noted.found() && known.is_like(error))
        {
            return;
        }
        self.0.push(match error.advice() {
            Some(advice) => noted.remedy(advice),
            None => noted,
        });
    }

    /// Notes something that an image refers to and that is not there.
    pub(super) fn missing(&mut self, image: &str, what: impl Into<String>) {
        self.note(image, &Error::new(Class::Content, "missing", what));
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Ends with one error that lists every problem: of their class and code when they agree, else `E-CONTENT problems`.
    pub(crate) fn into_result(self) -> Result<(), Error> {
        let Some(first) = self.0.first() else { return Ok(()) };
        let same = self.0.iter().all(|error| error.is_like(first));
        let (class, code) = if same {
            (first.class(), first.code())
        } else {
            (Class::Content, "problems")
        };
        Err(self.listed(class, code))
    }

    /// Makes one error that lists every problem, of the class and code of one that weighs more than the others.
    pub(crate) fn into_error_like(self, error: &Error) -> Error {
        self.listed(error.class(), error.code())
    }

    fn listed(self, class: Class, code: &'static str) -> Error {
        if self.0.len() == 1 {
            return self.0.into_iter().next().expect("there is one");
        }
        // One remedy for all is said once, at the end.
        let advice = self.0.first().and_then(|first| first.advice().map(ToOwned::to_owned));
        let common = self.0.iter().all(|error| error.advice() == advice.as_deref());
        let with_advice = |error: &Error| match error.advice().filter(|_| !common && !is_list(error)) {
            Some(advice) => error.retold("", &format!("; {advice}")),
            None => error.retold("", ""),
        };
        let problems: Vec<Error> = self.0.iter().map(with_advice).collect();
        let mut of_lists: Vec<&str> = Vec::new();
        for advice in self.0.iter().filter(|error| is_list(error)).filter_map(Error::advice) {
            if !of_lists.contains(&advice) {
                of_lists.push(advice);
            }
        }
        let of_lists = of_lists.join("; ");
        let found = format!("{} things cannot be carried:", self.0.len());
        let refusal = Error::listing_errors(class, code, found, &problems);
        match advice {
            Some(advice) if common => refusal.remedy(advice),
            _ if !of_lists.is_empty() => refusal.remedy(of_lists),
            // What is to be done stands beside each; that of the class is for one medium.
            _ if class == Class::Io => refusal.settled(),
            _ => refusal,
        }
    }
}

fn is_list(error: &Error) -> bool {
    !error.things().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_complete_and_keeps_a_common_class() {
        assert!(Problems::default().into_result().is_ok());
        let mut problems = Problems::default();
        problems.missing("a", "x is not there");
        problems.missing("a", "x is not there");
        problems.missing("b", "y is not there");
        let error = problems.into_result().unwrap_err();
        assert_eq!((error.class(), error.code()), (Class::Content, "missing"));
        assert!(error.found().contains("a: x is not there") && error.found().contains("b: y is not there"));
        assert!(error.found().starts_with("2 things"));

        let mut problems = Problems::default();
        problems.missing("a", "x is not there");
        problems.note("b", &Error::new(Class::Limit, "nesting", "too deep"));
        let error = problems.into_result().unwrap_err();
        assert_eq!((error.class(), error.code()), (Class::Content, "problems"));
    }

    #[test]
    fn what_is_to_be_done_about_a_list_stands_below_it() {
        let mut problems = Problems::default();
        let list = Error::listing(Class::Policy, "secret", "2 secrets would travel:", &["a", "b"]);
        problems.add(&list.expected("none").remedy("take them out"));
        problems.note(
            "x",
            &Error::new(Class::Content, "missing", "is not there").remedy("put it there"),
        );
        let error = problems.into_result().unwrap_err();
        assert_eq!(
            error.to_string(),
            "2 things cannot be carried:\n  2 secrets would travel:\n    a\n    b\n  x: is not there; put it there\ntake them out"
        );
    }
}
