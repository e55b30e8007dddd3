//! The program at a terminal, which a person types into.

use std::path::Path;

use super::appliance::AIRLOCK;
use super::python::python;

/// Runs the program with a terminal on every side, and an answer typed; returns how it ended, and what stood on the terminal.
pub(crate) fn at_a_terminal(state: &Path, arguments: &[&str], answer: &str) -> (i32, String) {
    const TERMINAL: &str = r"
import os, pty, sys
answer, command = sys.argv[1], sys.argv[2:]
child, terminal = pty.fork()
if child == 0:
    os.execv(command[0], command)
if answer:
    os.write(terminal, answer.encode() + b'\n')
seen = b''
while True:
    try:
        piece = os.read(terminal, 65536)
    except OSError:
        break
    if not piece:
        break
    seen += piece
sys.stdout.buffer.write(seen)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
";
    let mut command = python();
    command.args(["-I", "-S", "-c", TERMINAL, answer, AIRLOCK]);
    let output = command.args(arguments).env("AIRLOCK_STATE", state).output().unwrap();
    let seen = String::from_utf8_lossy(&output.stdout).replace("\r\n", "\n");
    (output.status.code().unwrap(), seen)
}
