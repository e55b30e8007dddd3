//! Fetches and uploads over as many connections as the product: plain HTTP/1.1, nothing asked twice.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::{Mutex, mpsc};

use sha2::{Digest as _, Sha256};

use crate::measure::{Taken, timed};

/// Blobs on their way at once in `bundle create`, and in `mirror`.
const FETCHES: usize = 5;
const UPLOADS: usize = 6;
const CHUNK: usize = 4 << 20;

/// A line of the list: `blobs|manifests REPOSITORY DIGEST-OR-TAG FILE MEDIA-TYPE`.
struct Item {
    kind: String,
    repository: String,
    name: String,
    file: String,
    media_type: String,
}

fn items(list: &Path) -> Vec<Item> {
    let text = fs::read_to_string(list).unwrap();
    text.lines()
        .map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            Item {
                kind: words[0].to_owned(),
                repository: words[1].to_owned(),
                name: words[2].to_owned(),
                file: words[3].to_owned(),
                media_type: words[4].to_owned(),
            }
        })
        .collect()
}

/// A connection that is kept.
struct Connection {
    address: SocketAddr,
    stream: BufReader<TcpStream>,
}

impl Connection {
    fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            address,
            stream: BufReader::with_capacity(256 << 10, stream),
        }
    }

    fn send(&mut self, method: &str, path: &str, headers: &str) {
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", self.address);
        self.stream.get_mut().write_all(head.as_bytes()).unwrap();
    }

    /// Reads the head of an answer: its headers, by names in small letters.
    fn answer(&mut self, status: &str) -> BTreeMap<String, String> {
        let mut headers = BTreeMap::new();
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        assert!(line.contains(status), "{line}");
        loop {
            line.clear();
            self.stream.read_line(&mut line).unwrap();
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            headers.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        headers
    }

    /// Passes the body of an answer on.
    fn body(&mut self, headers: &BTreeMap<String, String>, take: &mut dyn FnMut(&[u8])) {
        let mut left: usize = headers["content-length"].parse().unwrap();
        let mut block = vec![0; 256 << 10];
        while left > 0 {
            let room = left.min(block.len());
            let count = self.stream.read(&mut block[..room]).unwrap();
            assert!(count > 0, "the answer ended");
            take(&block[..count]);
            left -= count;
        }
    }
}

/// The bare program beside `bundle create` from a registry: fetches, hashes each blob, compresses chunks of 4 MiB at level 3, hashes what is
/// stored, writes once, syncs once.
pub(crate) fn fetch(list: &Path, address: SocketAddr, out: &Path) -> Vec<Taken> {
    timed(|| {
        let queue = Mutex::new(items(list));
        let (sender, packed) = mpsc::sync_channel::<Vec<u8>>(4);
        // What is fetched waits for who compresses it, a few chunks at most.
        let (fetched, plain) = mpsc::sync_channel::<Vec<u8>>(4);
        let plain = Mutex::new(plain);
        std::thread::scope(|scope| {
            for _ in 0..FETCHES {
                let (queue, fetched) = (&queue, fetched.clone());
                scope.spawn(move || {
                    let mut connection = Connection::open(address);
                    loop {
                        let Some(item) = queue.lock().unwrap().pop() else { break };
                        let accept = format!("Accept: {}\r\n", item.media_type);
                        connection.send(
                            "GET",
                            &format!("/v2/{}/{}/{}", item.repository, item.kind, item.name),
                            &accept,
                        );
                        let headers = connection.answer(" 200 ");
                        let mut hasher = Sha256::new();
                        let mut chunk = Vec::with_capacity(CHUNK);
                        connection.body(&headers, &mut |bytes| {
                            hasher.update(bytes);
                            chunk.extend_from_slice(bytes);
                            if chunk.len() >= CHUNK {
                                fetched.send(std::mem::take(&mut chunk)).unwrap();
                            }
                        });
                        std::hint::black_box(hasher.finalize());
                        if !chunk.is_empty() {
                            fetched.send(chunk).unwrap();
                        }
                    }
                });
            }
            drop(fetched);
            for _ in 0..airlock::stream::worker_count() {
                let (plain, sender) = (&plain, sender.clone());
                scope.spawn(move || {
                    let mut compressor = zstd::bulk::Compressor::new(3).unwrap();
                    loop {
                        let Ok(chunk) = plain.lock().unwrap().recv() else { break };
                        let smaller = compressor.compress(&chunk).unwrap();
                        let stored = if smaller.len() < chunk.len() { smaller } else { chunk };
                        std::hint::black_box(Sha256::digest(&stored));
                        sender.send(stored).unwrap();
                    }
                });
            }
            drop(sender);
            let mut file = File::create(out).unwrap();
            for stored in packed {
                file.write_all(&stored).unwrap();
            }
            file.sync_all().unwrap();
        });
    })
}

/// The bare program beside `mirror`: each blob in two requests, then the manifests.
pub(crate) fn push(list: &Path, address: SocketAddr) -> Vec<Taken> {
    timed(|| {
        let (blobs, manifests): (Vec<Item>, Vec<Item>) = items(list).into_iter().partition(|item| item.kind == "blobs");
        for round in [blobs, manifests] {
            let queue = Mutex::new(round);
            std::thread::scope(|scope| {
                for _ in 0..UPLOADS {
                    scope.spawn(|| {
                        let mut connection = Connection::open(address);
                        loop {
                            let Some(item) = queue.lock().unwrap().pop() else { break };
                            upload(&mut connection, &item);
                        }
                    });
                }
            });
        }
    })
}

fn upload(connection: &mut Connection, item: &Item) {
    let mut file = File::open(&item.file).unwrap();
    let length = file.metadata().unwrap().len();
    let path = if item.kind == "blobs" {
        connection.send(
            "POST",
            &format!("/v2/{}/blobs/uploads/", item.repository),
            "Content-Length: 0\r\n",
        );
        let headers = connection.answer(" 202 ");
        let place = &headers["location"];
        let place = place.split_once("/v2/").unwrap().1;
        let joint = if place.contains('?') { '&' } else { '?' };
        format!("/v2/{place}{joint}digest={}", item.name)
    } else {
        format!("/v2/{}/manifests/{}", item.repository, item.name)
    };
    let headers = format!("Content-Length: {length}\r\nContent-Type: {}\r\n", item.media_type);
    connection.send("PUT", &path, &headers);
    let mut block = vec![0; 256 << 10];
    loop {
        let count = file.read(&mut block).unwrap();
        if count == 0 {
            break;
        }
        connection.stream.get_mut().write_all(&block[..count]).unwrap();
    }
    connection.answer(" 201 ");
}
