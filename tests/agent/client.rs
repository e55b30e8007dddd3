//! The agents' HTTP client: kept connections, the token, its refresh 30 s before the end, and one new login after a 401.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use ::airlock::protocol::distr::{LoginAnswer, user_agent};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Serialize;
use serde_json::Value;

use super::settings::Settings;
use super::tls::{Stream, open};
use super::{Outcome, failure};

/// Seconds before its end at which agents replace a token.
const MARGIN: f64 = 30.0;

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// By lower-case name.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Outcome<Value> {
        Ok(serde_json::from_str(&self.text())?)
    }
}

/// An agent's way to its hub and registry.
pub(crate) struct Client {
    settings: Settings,
    connections: BTreeMap<String, BufReader<Box<dyn Stream>>>,
    token: Option<(String, f64)>,
    /// Logins so far.
    pub(crate) logins: u32,
    /// Method and address of every request.
    pub(crate) sent: Vec<(String, String)>,
}

impl Client {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            connections: BTreeMap::new(),
            token: None,
            logins: 0,
            sent: Vec::new(),
        }
    }

    /// Puts another secret in, as a new manifest would.
    pub(crate) fn replace_secret(&mut self, secret: &str) {
        secret.clone_into(&mut self.settings.secret);
    }

    /// The present token, which is the password for the registry too.
    pub(crate) fn token(&mut self) -> Outcome<String> {
        let now = now();
        if let Some((token, end)) = &self.token
            && *end >= now + MARGIN
        {
            return Ok(token.clone());
        }
        match (self.login(), &self.token) {
            (Ok(token), _) => Ok(token),
            // A token that still holds is used on when no new one can be had.
            (Err(_), Some((token, end))) if *end > now => Ok(token.clone()),
            (Err(error), _) => Err(error),
        }
    }

    /// Sends a request with the token; after a 401 once more with a new one.
    pub(crate) fn call(&mut self, method: &str, url: &str, body: Option<&impl Serialize>) -> Outcome<Answer> {
        let body = body.map(serde_json::to_vec).transpose()?;
        for last in [false, true] {
            let headers = [
                ("Authorization", format!("Bearer {}", self.token()?)),
                ("Content-Type", "application/json".to_owned()),
            ];
            let answer = self.send(method, url, &headers, body.as_deref())?;
            if answer.status != 401 || last {
                return Ok(answer);
            }
            self.token = None;
        }
        failure("unreachable: the second try answers")
    }

    /// Sends a request whose answer must be a success, as agents see it.
    pub(crate) fn succeed(&mut self, method: &str, url: &str, body: Option<&impl Serialize>) -> Outcome<Answer> {
        let answer = self.call(method, url, body)?;
        if (200..300).contains(&answer.status) {
            return Ok(answer);
        }
        failure(format!("{method} {url}: {} {}", answer.status, answer.text().trim()))
    }

    /// The login ping of the registry: without credentials, and with them when it asks.
    pub(crate) fn ping(&mut self, host: &str, user: &str, password: &str) -> Outcome {
        let scheme = if self.settings.plain_http { "http" } else { "https" };
        let url = format!("{scheme}://{host}/v2/");
        let agent = ("User-Agent", "oras-go".to_owned());
        let first = self.send("GET", &url, std::slice::from_ref(&agent), None)?;
        if first.status == 200 {
            return Ok(());
        }
        let asked = first.headers.get("www-authenticate");
        if first.status != 401 || !asked.is_some_and(|value| value.starts_with("Basic")) {
            return failure(format!("the registry answers {} {asked:?}", first.status));
        }
        let basic = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        let answer = self.send("GET", &url, &[agent, ("Authorization", basic)], None)?;
        if answer.status == 200 {
            Ok(())
        } else {
            failure(format!("docker login failed: {}", answer.status))
        }
    }

    fn login(&mut self) -> Outcome<String> {
        self.logins += 1;
        let credentials = STANDARD.encode(format!("{}:{}", self.settings.target, self.settings.secret));
        let url = self.settings.login.clone();
        let answer = self.send("POST", &url, &[("Authorization", format!("Basic {credentials}"))], None)?;
        if answer.status != 200 {
            return failure(format!("login: {} {}", answer.status, answer.text().trim()));
        }
        let LoginAnswer::<String> { token, .. } = serde_json::from_str(&answer.text())?;
        let payload = token.split('.').nth(1).ok_or("no JWT")?;
        let claims: Value = serde_json::from_str(std::str::from_utf8(&URL_SAFE_NO_PAD.decode(payload)?)?)?;
        let end = claims["exp"].as_f64().ok_or("a token without end")?;
        self.token = Some((token.clone(), end));
        Ok(token)
    }

    /// Sends one request on the host's connection; on one that was closed meanwhile, again on a new one.
    pub(crate) fn send(
        &mut self,
        method: &str,
        url: &str,
        headers: &[(&str, String)],
        body: Option<&[u8]>,
    ) -> Outcome<Answer> {
        self.sent.push((method.to_owned(), url.to_owned()));
        let (scheme, rest) = url.split_once("://").ok_or("no address")?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let mut head = format!("{method} /{path} HTTP/1.1\r\nHost: {authority}\r\nAccept-Encoding: gzip\r\n");
        if !headers.iter().any(|(name, _)| *name == "User-Agent") {
            head += &format!("User-Agent: {}\r\n", user_agent("3.1.0"));
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        if body.is_some() || matches!(method, "POST" | "PUT") {
            head += &format!("Content-Length: {}\r\n", body.map_or(0, <[u8]>::len));
        }
        head += "\r\n";
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body.unwrap_or_default());
        if let Some(mut stream) = self.connections.remove(authority)
            && let Ok(answer) = exchange(&mut stream, method, &bytes)
        {
            self.keep(authority, stream, &answer);
            return Ok(answer);
        }
        let trusted = self.settings.authority.as_deref();
        let mut stream = BufReader::new(open(authority, scheme == "http", trusted)?);
        let answer = exchange(&mut stream, method, &bytes)?;
        self.keep(authority, stream, &answer);
        Ok(answer)
    }

    fn keep(&mut self, authority: &str, stream: BufReader<Box<dyn Stream>>, answer: &Answer) {
        let closes = answer.headers.get("connection");
        if closes.is_none_or(|word| !word.eq_ignore_ascii_case("close")) {
            self.connections.insert(authority.to_owned(), stream);
        }
    }
}

fn exchange(stream: &mut BufReader<Box<dyn Stream>>, method: &str, bytes: &[u8]) -> Outcome<Answer> {
    stream.get_mut().write_all(bytes)?;
    stream.get_mut().flush()?;
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let status = line.split(' ').nth(1).ok_or("no answer")?.parse()?;
    let mut headers = BTreeMap::new();
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let mut body = Vec::new();
    if headers.contains_key("transfer-encoding") {
        loop {
            line.clear();
            stream.read_line(&mut line)?;
            let size = usize::from_str_radix(line.trim(), 16)?;
            let mut chunk = vec![0; size + 2];
            stream.read_exact(&mut chunk)?;
            chunk.truncate(size);
            if size == 0 {
                break;
            }
            body.append(&mut chunk);
        }
    } else if method != "HEAD" && status != 204 && status != 304 {
        let length = headers.get("content-length").map_or(Ok(0), |text| text.parse())?;
        body = vec![0; length];
        stream.read_exact(&mut body)?;
    }
    Ok(Answer { status, headers, body })
}

/// Seconds since 1970. Agents judge tokens by the clock of their machine.
#[expect(
    clippy::disallowed_methods,
    reason = "the agent is another program, with a clock of its own"
)]
pub(crate) fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}
