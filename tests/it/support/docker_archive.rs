//! What engines save, made on the spot: the old list with plain layers, links, compressed layers; and an engine that hands it out.
#![allow(clippy::disallowed_methods, reason = "tests write what they read")]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

use super::image_set::digest_of;

/// An archive of docker: files, links, and what `manifest.json` says.
#[derive(Debug, Clone, Default)]
pub(crate) struct DockerArchive {
    pub(crate) files: Vec<(String, Vec<u8>)>,
    pub(crate) links: Vec<(String, String)>,
    pub(crate) list: Vec<Value>,
}

/// A tar of one file, as a layer is.
pub(crate) fn layer(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    append(&mut tar, name, bytes, 0);
    tar.into_inner().unwrap()
}

impl DockerArchive {
    /// Adds an image as engines before 25 write it: each layer in a folder of its own, one that was there before as a link. Returns its
    /// config.
    pub(crate) fn image(&mut self, tags: &[&str], layers: &[&[u8]]) -> Vec<u8> {
        let diff_ids: Vec<String> = layers.iter().map(|layer| digest_of(layer).to_string()).collect();
        let config = json!({
            "architecture": "amd64", "os": "linux", "config": {"Cmd": ["/hello"]},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        })
        .to_string()
        .into_bytes();
        let config_name = format!("{}.json", digest_of(&config).0);
        let mut names = Vec::new();
        for (number, bytes) in layers.iter().enumerate() {
            let name = format!("{}/layer.tar", digest_of(format!("{tags:?} {number}").as_bytes()).0);
            match self.files.iter().find(|(_, known)| known == bytes) {
                Some((known, _)) => self.links.push((name.clone(), format!("../{known}"))),
                None => self.files.push((name.clone(), bytes.to_vec())),
            }
            names.push(name);
        }
        self.files.push((config_name.clone(), config.clone()));
        let tags = if tags.is_empty() { Value::Null } else { json!(tags) };
        self.list
            .push(json!({"Config": config_name, "RepoTags": tags, "Layers": names}));
        config
    }

    /// The archive, written at a time.
    pub(crate) fn tar(&self, time: u64) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for (name, bytes) in &self.files {
            append(&mut tar, name, bytes, time);
        }
        for (name, to) in &self.links {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_size(0);
            tar.append_link(&mut header, name, to).unwrap();
        }
        append(&mut tar, "manifest.json", json!(self.list).to_string().as_bytes(), time);
        append(&mut tar, "repositories", b"{}", time);
        tar.into_inner().unwrap()
    }
}

fn append(tar: &mut tar::Builder<Vec<u8>>, name: &str, bytes: &[u8], time: u64) {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    header.set_mtime(time);
    tar.append_data(&mut header, name, bytes).unwrap();
}

/// Answers by the name that is asked for: status and body.
type Answers = Arc<Mutex<BTreeMap<String, (u16, Vec<u8>)>>>;

/// An engine on a socket.
pub(crate) struct FakeEngine(Answers);

impl FakeEngine {
    /// Listens; the thread lives as long as the test process.
    pub(crate) fn start(socket: &Path) -> Self {
        let listener = UnixListener::bind(socket).unwrap();
        let images = Answers::default();
        let known = Arc::clone(&images);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut stream = BufReader::new(stream);
                let mut first = String::new();
                stream.read_line(&mut first).unwrap();
                let mut line = String::new();
                while stream.read_line(&mut line).unwrap() > 2 {
                    line.clear();
                }
                let name = first
                    .strip_prefix("GET /images/")
                    .and_then(|rest| rest.split_once("/get "))
                    .map_or("", |(name, _)| name);
                let nothing = || (404, br#"{"message":"No such image"}"#.to_vec());
                let (status, body) = known.lock().unwrap().get(name).cloned().unwrap_or_else(nothing);
                let out = stream.get_mut();
                write!(
                    out,
                    "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                )
                .and_then(|()| out.write_all(&body))
                .ok();
            }
        });
        Self(images)
    }

    /// Answers a name so.
    pub(crate) fn answer(&self, name: &str, status: u16, body: Vec<u8>) {
        self.0.lock().unwrap().insert(name.to_owned(), (status, body));
    }
}
