//! Texts that an engine reads: names of capabilities, signals, platforms and what else has a grammar of its own.

/// What an engine reads out of a text.
#[derive(Debug, Clone, Copy)]
pub(super) enum Word {
    /// A capability of the kernel, with or without `CAP_`, in any case.
    Capability,
    /// The name of a container or of a volume.
    Name,
    /// Numbers and ranges of processors.
    Processors,
    /// Whose queues and shared memory a container sees.
    Ipc,
    /// How a container is kept apart.
    Isolation,
    /// An operating system and an architecture.
    Platform,
    /// What the kernel's security modules are told.
    SecurityOption,
    /// A signal, by name or number.
    Signal,
    /// A folder from the root.
    Folder,
    /// How changes of mounts below spread.
    Propagation,
}

const CAPABILITIES: [&str; 42] = [
    "ALL",
    "AUDIT_CONTROL",
    "AUDIT_READ",
    "AUDIT_WRITE",
    "BLOCK_SUSPEND",
    "BPF",
    "CHECKPOINT_RESTORE",
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "IPC_LOCK",
    "IPC_OWNER",
    "KILL",
    "LEASE",
    "LINUX_IMMUTABLE",
    "MAC_ADMIN",
    "MAC_OVERRIDE",
    "MKNOD",
    "NET_ADMIN",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_RAW",
    "PERFMON",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYSLOG",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_CHROOT",
    "SYS_MODULE",
    "SYS_NICE",
    "SYS_PACCT",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "WAKE_ALARM",
];

const SIGNALS: [&str; 35] = [
    "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT", "KILL", "PIPE", "POLL",
    "PROF", "PWR", "QUIT", "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP", "TTIN", "TTOU", "URG", "USR1",
    "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ", "RTMIN",
];

const SYSTEMS: [&str; 18] = [
    "aix",
    "android",
    "darwin",
    "dragonfly",
    "freebsd",
    "hurd",
    "illumos",
    "ios",
    "js",
    "linux",
    "macos",
    "nacl",
    "netbsd",
    "openbsd",
    "plan9",
    "solaris",
    "windows",
    "zos",
];

const ARCHITECTURES: [&str; 33] = [
    "386",
    "aarch64",
    "amd64",
    "amd64p32",
    "arm",
    "arm64",
    "arm64be",
    "armbe",
    "armel",
    "armhf",
    "i386",
    "loong64",
    "mips",
    "mips64",
    "mips64le",
    "mips64p32",
    "mips64p32le",
    "mipsle",
    "ppc",
    "ppc64",
    "ppc64le",
    "riscv",
    "riscv64",
    "s390",
    "s390x",
    "sparc",
    "sparc64",
    "wasm",
    "x86-64",
    "x86_64",
    "armv5",
    "armv6",
    "armv7",
];

/// Limits of a process that the kernel knows.
pub(super) const LIMITS: [&str; 16] = [
    "as",
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

impl Word {
    /// Whether an engine takes the text. An empty one says nothing, where that is possible.
    pub(super) fn fits(self, text: &str) -> bool {
        match self {
            Self::Capability => {
                let upper = text.to_ascii_uppercase();
                let bare = upper.strip_prefix("CAP_").unwrap_or(&upper);
                CAPABILITIES.contains(&bare) && upper != "CAP_ALL"
            }
            Self::Name => text.is_empty() || is_name(text),
            Self::Processors => text.is_empty() || text.split(',').all(is_range),
            Self::Ipc => ["", "none", "private", "host", "shareable"].contains(&text) || is_of_another(text),
            Self::Isolation => text.is_empty() || text.eq_ignore_ascii_case("default"),
            Self::Platform => text.is_empty() || is_platform(text),
            Self::SecurityOption => is_security_option(text),
            Self::Signal => text.is_empty() || is_signal(text),
            Self::Folder => text.is_empty() || text.starts_with('/'),
            Self::Propagation => ["", "private", "rprivate", "shared", "rshared", "slave", "rslave"].contains(&text),
        }
    }

    /// Says what is expected, for messages.
    pub(super) fn expected(self) -> &'static str {
        match self {
            Self::Capability => "a capability of the kernel, such as NET_ADMIN or CAP_CHOWN, or ALL",
            Self::Name => "two characters or more of a-z A-Z 0-9 _ . -, a letter or digit first",
            Self::Processors => "numbers and ranges of processors, such as 0-3,5",
            Self::Ipc => "none, private, shareable, host, service:NAME or container:NAME",
            Self::Isolation => "default, the one that engines on Linux have",
            Self::Platform => "an operating system and an architecture, such as linux/amd64 or linux/arm64/v8",
            Self::SecurityOption => {
                "no-new-privileges, or one of apparmor=, seccomp=, label=, no-new-privileges=, systempaths=unconfined"
            }
            Self::Signal => "a signal, such as SIGTERM, INT, SIGRTMIN+3 or 15",
            Self::Folder => "a path from the root of the container, such as /app",
            Self::Propagation => "private, rprivate, shared, rshared, slave or rslave",
        }
    }
}

/// Whether a process can have such a limit.
pub(super) fn is_limit(name: &str) -> bool {
    LIMITS.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Whether a container has such a setting of the kernel for itself.
pub(super) fn is_kernel_setting(name: &str) -> bool {
    const OWN: [&str; 9] = [
        "kernel.domainname",
        "kernel.msgmax",
        "kernel.msgmnb",
        "kernel.msgmni",
        "kernel.sem",
        "kernel.shm_rmid_forced",
        "kernel.shmall",
        "kernel.shmmax",
        "kernel.shmmni",
    ];
    let name = name.replace('/', ".");
    name.starts_with("net.") || name.starts_with("fs.mqueue.") || OWN.contains(&name.as_str())
}

/// Whether something belongs to another container or service.
fn is_of_another(text: &str) -> bool {
    text.split_once(':')
        .is_some_and(|(whose, name)| matches!(whose, "service" | "container") && !name.is_empty())
}

fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 2
        && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.iter().all(|c| c.is_ascii_alphanumeric() || b"_.-".contains(c))
}

/// Whether a text is one number, or two with the lower one first.
fn is_range(text: &str) -> bool {
    match text.split_once('-') {
        None => number(text).is_some(),
        Some((low, high)) => number(low).zip(number(high)).is_some_and(|(low, high)| low <= high),
    }
}

fn number(text: &str) -> Option<u32> {
    text.parse().ok()
}

fn is_platform(text: &str) -> bool {
    let is_part =
        |part: &str| !part.is_empty() && part.bytes().all(|c| c.is_ascii_alphanumeric() || b"_-".contains(&c));
    let (system, rest) = match text.split_once('/') {
        Some((system, rest)) => (system, Some(rest)),
        None => (text, None),
    };
    // The system may say its version: windows(10.0.17763).
    let bare = system
        .strip_suffix(')')
        .and_then(|system| system.split_once('('))
        .map_or(system, |(system, _)| system);
    let Some(rest) = rest else {
        let lower = bare.to_ascii_lowercase();
        return SYSTEMS.contains(&lower.as_str()) || ARCHITECTURES.contains(&lower.as_str());
    };
    is_part(bare) && rest.split('/').count() <= 2 && rest.split('/').all(is_part)
}

fn is_signal(text: &str) -> bool {
    if let Ok(number) = text.parse::<i64>() {
        return number != 0;
    }
    let upper = text.to_ascii_uppercase();
    let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
    let above = |prefix: &str, most: u32| {
        bare.strip_prefix(prefix)
            .and_then(number)
            .is_some_and(|number| (1..=most).contains(&number))
    };
    SIGNALS.contains(&bare) || bare == "RTMAX" || above("RTMIN+", 15) || above("RTMAX-", 14)
}

fn is_security_option(text: &str) -> bool {
    if text == "no-new-privileges" {
        return true;
    }
    let Some((key, value)) = text.split_once('=').or_else(|| text.split_once(':')) else {
        return false;
    };
    match key {
        "apparmor" | "label" | "seccomp" => true,
        "systempaths" => text == "systempaths=unconfined",
        "no-new-privileges" | "writable-cgroups" => [
            "1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False",
        ]
        .contains(&value),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_as_an_engine_reads_it() {
        for (word, good, bad) in [
            (
                Word::Capability,
                &["NET_ADMIN", "cap_chown", "ALL", "all", "Sys_Time"][..],
                &["FOO", "", "CAP_ALL", "NET-ADMIN", "CAP_CAP_CHOWN"][..],
            ),
            (
                Word::Name,
                &["ab", "a.", "0_x-y", ""],
                &["a", "-ab", "a b", "a/b", "é1"],
            ),
            (
                Word::Processors,
                &["0", "0-3,5", "7", "", "1-1"],
                &["x", "3-1", "1,", "-1", "0-", "0 1", "0-1-2"],
            ),
            (
                Word::Ipc,
                &["host", "none", "private", "shareable", "service:a", "container:b", ""],
                &["foo", "service:", "HOST"],
            ),
            (Word::Isolation, &["default", "Default", ""], &["hyperv", "process"]),
            (
                Word::Platform,
                &[
                    "linux/amd64",
                    "linux",
                    "arm64",
                    "linux/arm64/v8",
                    "LINUX/x86_64",
                    "windows(10.0)/amd64",
                    "wasi/wasm",
                    "",
                ],
                &["foo", "linux/", "/amd64", "linux/amd64/v1/x", "linux amd64", "*"],
            ),
            (
                Word::SecurityOption,
                &[
                    "no-new-privileges",
                    "no-new-privileges:true",
                    "apparmor=x",
                    "label:disable",
                    "seccomp=unconfined",
                    "systempaths=unconfined",
                ],
                &["foo", "foo=bar", "no-new-privileges=maybe", "", "disable"],
            ),
            (
                Word::Signal,
                &["SIGTERM", "int", "15", "SIGRTMIN+3", "RTMAX-14", "RTMIN", "RTMAX", ""],
                &["FOO", "0", "SIG", "SIGRTMIN+16", "RTMAX-15", "SIGSIGINT", "15x"],
            ),
            (Word::Folder, &["/", "/app", ""], &["app", "./app", "~/app"]),
            (Word::Propagation, &["rslave", ""], &["foo", "Shared"]),
        ] {
            for text in good {
                assert!(word.fits(text), "{word:?} {text}");
            }
            for text in bad {
                assert!(!word.fits(text), "{word:?} {text}");
            }
        }
        assert!(is_limit("NOFILE") && is_limit("stack") && !is_limit("files"));
        for name in [
            "net.core.somaxconn",
            "net/ipv4/ip_forward",
            "kernel.sem",
            "fs.mqueue.msg_max",
        ] {
            assert!(is_kernel_setting(name), "{name}");
        }
        for name in ["vm.max_map_count", "kernel.hostname", "fs.file-max", "network"] {
            assert!(!is_kernel_setting(name), "{name}");
        }
    }
}
