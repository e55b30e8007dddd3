//! A damaged status database is no case for a copy: the server sets it aside and goes on (F12, D23). Whoever meets it is told that.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::follow::{Operator, commands};
use crate::support::appliance::{AIRLOCK, read, wait_for, write};
use crate::support::client;

/// What is done to the file, what is said of it, and how.
type Damage = (&'static str, &'static str, fn(&Path));

/// A server whose log goes to a file; it ends with the test.
struct Server {
    log: PathBuf,
    child: Child,
}

impl Server {
    /// Runs a command of a remedy as it stands there, and waits until it serves.
    fn start(operator: &Operator, command: &str) -> Self {
        assert_eq!(command, "airlock serve");
        let log = operator.file("log", b"");
        let stderr = File::options().append(true).open(&log).unwrap();
        let child = Command::new(AIRLOCK)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .env("AIRLOCK_STATE", operator.state())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .unwrap();
        let server = Self { log, child };
        wait_for("the server", || server.address().is_some());
        server
    }

    fn log(&self) -> String {
        String::from_utf8(read(&self.log)).unwrap()
    }

    fn address(&self) -> Option<std::net::SocketAddr> {
        let log = self.log();
        let line = log.lines().find_map(|line| line.strip_prefix("serving http://"))?;
        line.strip_suffix("/v2/")?.parse().ok()
    }

    fn stop(mut self) -> String {
        let process = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success());
        self.log()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails when it has ended already, which is as good.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn a_damaged_status_database_is_left_to_the_server_as_the_message_says() {
    let operator = Operator::new();
    Server::start(&operator, "airlock serve").stop();
    let list = || operator.run(&["target", "list"]);
    let warning = || {
        let ended = list().ended;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        ended.stderr
    };
    assert_eq!(warning(), "");
    let status = operator.state().join("status.db");
    let damages: [Damage; 4] = [
        ("garbage", "", |path| write(path, &[0xa5; 9000])),
        ("nothing", "is empty", |path| write(path, b"")),
        ("no file", "there is no", |path| std::fs::remove_file(path).unwrap()),
        ("another kind", "application id", |path| {
            let connection = rusqlite::Connection::open(path).unwrap();
            connection.execute_batch("PRAGMA application_id = 7").unwrap();
        }),
    ];
    let mut aside = 0;
    for (name, says, damage) in damages {
        for side in ["status.db-wal", "status.db-shm"] {
            std::fs::remove_file(operator.state().join(side)).ok();
        }
        damage(&status);
        let there = status.is_file();
        let said = warning();
        assert!(
            said.contains("what agents report cannot be read") && said.contains(says),
            "{name}: {said}"
        );
        assert!(
            !said.contains("whole copy") && !said.contains("--state"),
            "{name}: {said}"
        );
        assert!(said.contains("nothing is to be restored"), "{name}: {said}");
        let [command] = commands(&said).try_into().unwrap();
        let server = Server::start(&operator, &command);
        let ready = client::get(server.address().unwrap(), "/readyz");
        let body = String::from_utf8(ready.body).unwrap();
        assert_eq!(ready.status, 200, "{name}: {body}");
        assert!(body.contains(r#""status_set_aside":1"#), "{name}: {body}");
        let log = server.stop();
        let line = log.lines().find(|line| line.contains("was set aside")).unwrap();
        assert!(
            line.contains("gap record") && line.contains("Nothing is to be restored"),
            "{name}: {line}"
        );
        assert!(
            !log.contains("whole copy") && !log.contains("point --state"),
            "{name}: {log}"
        );
        aside += u32::from(there);
        let kept = operator.state().join(format!("status.db.damaged-{aside}"));
        assert_eq!(kept.is_file(), aside > 0, "{name}");
        assert_eq!(warning(), "", "{name}");
    }
}

/// The database beside it is a case for a copy, and says so.
#[test]
fn a_damaged_security_database_is_no_case_for_the_server() {
    let operator = Operator::new();
    for side in ["airlock.db-wal", "airlock.db-shm"] {
        std::fs::remove_file(operator.state().join(side)).ok();
    }
    write(&operator.state().join("airlock.db"), &[0xa5; 9000]);
    let remedy = operator.run(&["target", "list"]).remedy("E-STATE", "database-damaged");
    assert!(
        remedy.starts_with("end airlock serve, then put a whole copy of the state folder in its place"),
        "{remedy}"
    );
}
