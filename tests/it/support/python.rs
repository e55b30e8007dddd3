//! Python, for the independent verifier and for what traces a process.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// A command that starts Python; one that fails where there is none.
///
/// It is the interpreter itself, asked for once: what stands in `PATH` may be the script of a version manager, which costs many times what
/// the interpreter does.
pub(crate) fn python() -> Command {
    static INTERPRETER: OnceLock<PathBuf> = OnceLock::new();
    Command::new(INTERPRETER.get_or_init(|| {
        let asked = Command::new("python3")
            .args(["-I", "-S", "-c", "import sys; print(sys.executable, end='')"])
            .output();
        let said = asked.ok().filter(|output| output.status.success());
        let path = said.and_then(|output| String::from_utf8(output.stdout).ok());
        path.filter(|path| !path.is_empty())
            .map_or_else(|| "python3".into(), PathBuf::from)
    }))
}
