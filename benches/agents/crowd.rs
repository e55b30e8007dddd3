//! A crowd of simulated agents: each has a connection of its own that it keeps, asks for its resources, posts one status, and
//! waits for its next turn, as the docker agent does in steady state.
//!
//! The client is as bare as can be (no HTTP library, one buffer per agent), because it shares the machine with the server.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// One simulated agent.
#[derive(Clone)]
pub(crate) struct Agent {
    pub(crate) target: String,
    pub(crate) revision: String,
    pub(crate) token: String,
    /// Every status says something new, so that each of them can be looked for afterwards.
    pub(crate) distinct: bool,
}

/// What the crowd has seen.
#[derive(Default)]
pub(crate) struct Seen {
    /// Microseconds from the first byte of a request to the last of its answer.
    pub(crate) polls: Vec<u32>,
    pub(crate) statuses: Vec<u32>,
    /// Requests that were answered with something else than 200, or not at all while the server was meant to be there.
    pub(crate) failed: u64,
    /// Turns that began later than a whole interval after they should have.
    pub(crate) late: u64,
    /// Messages with an answer, by target: only of agents whose messages are distinct.
    pub(crate) acknowledged: Vec<(String, String)>,
}

/// How a crowd behaves.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) interval: Duration,
    pub(crate) length: Duration,
}

/// Lets all agents live for a while, spread evenly over the interval. `end` stops them early.
pub(crate) async fn live(address: SocketAddr, agents: Vec<Agent>, pace: Pace, end: Arc<AtomicBool>) -> Seen {
    let count = u32::try_from(agents.len()).unwrap();
    let start = Instant::now() + Duration::from_millis(200);
    let mut tasks = JoinSet::new();
    for (number, agent) in (0..count).zip(agents) {
        let first = start + pace.interval.mul_f64(f64::from(number) / f64::from(count));
        tasks.spawn(one(
            address,
            agent,
            first,
            start + pace.length,
            pace.interval,
            end.clone(),
        ));
    }
    let mut all = Seen::default();
    while let Some(seen) = tasks.join_next().await {
        let seen = seen.unwrap();
        all.polls.extend(seen.polls);
        all.statuses.extend(seen.statuses);
        all.failed += seen.failed;
        all.late += seen.late;
        all.acknowledged.extend(seen.acknowledged);
    }
    all
}

async fn one(
    address: SocketAddr,
    agent: Agent,
    first: Instant,
    last: Instant,
    interval: Duration,
    end: Arc<AtomicBool>,
) -> Seen {
    let mut seen = Seen::default();
    let mut stream: Option<TcpStream> = None;
    let mut buffer = vec![0_u8; 8 << 10];
    let poll = format!(
        "GET /api/v1/agent/resources HTTP/1.1\r\nHost: {address}\r\nUser-Agent: DistrAgentClient/3.1.0\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\n\r\n",
        agent.token
    );
    let mut turn = first;
    let mut number = 0_u64;
    while turn < last && !end.load(Ordering::Relaxed) {
        tokio::time::sleep_until(turn.into()).await;
        if turn.elapsed() > interval {
            seen.late += 1;
        }
        number += 1;
        let message = if agent.distinct {
            format!("status {number}")
        } else {
            "status check results: 2 healthy".to_owned()
        };
        let body = format!(
            r#"{{"revisionId":"{}","type":"healthy","message":"{message}"}}"#,
            agent.revision
        );
        let status = format!(
            "POST /api/v1/agent/status HTTP/1.1\r\nHost: {address}\r\nUser-Agent: DistrAgentClient/3.1.0\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            agent.token,
            body.len()
        );
        for (request, is_status) in [(&poll, false), (&status, true)] {
            let begun = Instant::now();
            let answered = exchange(address, &mut stream, request, &mut buffer).await;
            if !matches!(answered, Ok(200)) {
                stream = None;
                if !end.load(Ordering::Relaxed) {
                    seen.failed += 1;
                }
                continue;
            }
            let taken = u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX);
            if is_status {
                seen.statuses.push(taken);
                if agent.distinct {
                    seen.acknowledged.push((agent.target.clone(), message.clone()));
                }
            } else {
                seen.polls.push(taken);
            }
        }
        turn += interval;
    }
    seen
}

/// Sends a request and reads the whole answer; returns its status.
async fn exchange(
    address: SocketAddr,
    stream: &mut Option<TcpStream>,
    request: &str,
    buffer: &mut Vec<u8>,
) -> io::Result<u16> {
    if stream.is_none() {
        let fresh = TcpStream::connect(address).await?;
        fresh.set_nodelay(true)?;
        *stream = Some(fresh);
    }
    let stream = stream.as_mut().unwrap();
    stream.write_all(request.as_bytes()).await?;
    let mut filled = 0;
    let (head, status, length) = loop {
        if filled == buffer.len() {
            buffer.resize(filled * 2, 0);
        }
        let count = stream.read(&mut buffer[filled..]).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        filled += count;
        if let Some(end) = buffer[..filled].windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let head = std::str::from_utf8(&buffer[..end]).map_err(io::Error::other)?;
            let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
            let length = head
                .lines()
                .find_map(|line| {
                    line.to_ascii_lowercase()
                        .strip_prefix("content-length:")
                        .map(str::to_owned)
                })
                .and_then(|text| text.trim().parse::<usize>().ok());
            break (end + 4, status.unwrap_or(0), length.unwrap_or(0));
        }
    };
    let mut missing = (head + length).saturating_sub(filled);
    while missing > 0 {
        let space = buffer.len();
        let count = stream.read(&mut buffer[..missing.min(space)]).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        missing -= count;
    }
    Ok(status)
}
