//! Whether a server runs on the state folder, and what it says of itself: it alone knows what it holds open and has in memory.
//! Asked is a loopback address, and no other: nothing leaves this machine.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use crate::appliance::doctor::Finding;
use crate::appliance::served;
use crate::domain::{Class, Error, Result};
use crate::stream::read_bounded;

const PART: &str = "server";
/// How long a server may take to take the question, and for each part of its answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of an answer.
const BYTES: u64 = 8 << 20;

/// What `/readyz` says, as far as it is told here.
#[derive(Deserialize)]
struct Ready {
    problems: Vec<Told>,
}

#[derive(Deserialize)]
struct Told {
    part: String,
    error: String,
    what: String,
    remedy: String,
}

/// Asks the server that runs on a state folder how it is; one finding for each thing that it says is wrong.
pub(super) fn look(state: &Path) -> Vec<Finding> {
    let served = match served(state) {
        Ok(Some(served)) => served,
        Ok(None) => {
            let error = Error::new(Class::Other, "not-served", "no server runs on this state folder")
                .remedy("start the service (`systemctl start airlock.service`), or `airlock serve`");
            return vec![Finding::look(PART, &error)];
        }
        Err(error) => return vec![Finding::broken(PART, &error)],
    };
    let base = &served.base;
    let Some(address) = served.plain else {
        let found = format!(
            "a server runs on this state folder, serves this machine over HTTPS alone, and was not asked how it is: {base}/readyz says it"
        );
        let finding = Finding::look(PART, &Error::new(Class::Other, "not-asked", found));
        return vec![Finding {
            remedy: None,
            ..finding
        }];
    };
    match ask(address) {
        Ok(told) if told.is_empty() => vec![Finding::good(
            PART,
            format!("a server runs on this state folder, says that it is well, and agents find it at {base}"),
        )],
        Ok(mut told) => {
            // What two parts of it met is one thing.
            let mut known = BTreeSet::new();
            told.retain(|told| known.insert(told.what.clone()));
            told.into_iter().map(finding).collect()
        }
        Err(error) => vec![Finding::broken(PART, &error)],
    }
}

fn finding(told: Told) -> Finding {
    let found = format!(
        "the server that runs says of {}: {} ({})",
        told.part, told.what, told.error
    );
    let error = Error::new(Class::State, "not-ready", found);
    Finding {
        remedy: Some(told.remedy),
        ..Finding::broken(PART, &error)
    }
}

/// Asks what stands at an address of this machine for `/readyz`.
///
/// # Errors
///
/// `E-IO no-answer` when there is none, or another one than a server of airlock gives.
fn ask(address: SocketAddr) -> Result<Vec<Told>> {
    let silent = |what: String| {
        Error::new(
            Class::Io,
            "no-answer",
            format!("a server runs on this state folder, and at {address} {what}"),
        )
        .expected("what /readyz says")
        .remedy("look at its log (`journalctl -u airlock.service`); then end it, and start it again")
    };
    let asked = || {
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        Ok(stream)
    };
    let answer =
        asked().map_err(|error: std::io::Error| silent(format!("does not answer: {error}")).with_source(error))?;
    let answer = read_bounded(answer, BYTES, "what the server says")
        .map_err(|error| silent(format!("does not answer: {}", error.found())).with_source(error))?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let first = head.lines().next().unwrap_or_default();
    let ready = serde_json::from_str::<Ready>(body)
        .map_err(|error| silent(format!("answers {first:?}, without what it should say")).with_source(error))?;
    Ok(ready.problems)
}
