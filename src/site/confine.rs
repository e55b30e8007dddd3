//! Gives up powers that a process of the appliance never needs (D15, D20): reaching out, starting programs, and reaching into the
//! machine.
//!
//! `serve` and `import` call [`no_network`] once their sockets are bound and before threads start. From then on these fail with
//! `EPERM`, for this process and all it could become:
//!
//! - `connect`, every new socket, and sending to an address. A filter sees numbers, not what pointers lead to, so `sendto` is left
//!   only without an address, which needs a connection, and without `MSG_FASTOPEN`, which makes one; `sendmsg` and `sendmmsg`, whose
//!   address stands in memory, are not left at all. Nothing here needs them: answers go out by `write`, `writev`, `sendto` and
//!   `sendfile`, and the service manager is told over a socket that was connected before. Sockets bound before go on accepting.
//! - `io_uring`, which would do all of that on another way.
//! - starting programs; tracing other processes, reading or writing their memory, taking their descriptors.
//! - leaving its own view of the machine: mounts, other roots, namespaces, files by handle.
//! - typing into the terminal that it was started from, which would start programs when it has ended (`TIOCSTI`, `TIOCLINUX`).
//! - parts of the kernel that programs are rarely meant to use, and that were ways into it before: `bpf`, `userfaultfd`,
//!   `perf_event_open`, modules, another kernel, keys, for which the kernel starts a program of its own (`request_key`).
//!
//! What stays is what a filter cannot see: files by name. Where another process of the same user is to be safe from this one
//! (`/proc/PID/mem`), the kernel's Yama and the unit's `ProtectProc=` say so.
//!
//! `clone3`, whose flags a filter cannot see, is answered as by a kernel that does not have it; threads then start by `clone`. Calls of
//! another convention (32 bits; x32, whose numbers have bit 30) end the process.

use std::collections::BTreeMap;

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, sock_filter,
};

use crate::domain::{Class, Error, Result};

/// `MSG_FASTOPEN`: a connection that is made by sending.
const FASTOPEN: u64 = 0x2000_0000;
/// The `CLONE_NEW…` flags of `clone`: namespaces of mounts, control groups, host names, IPC, users, processes, networks.
const NAMESPACES: u64 = 0x2_0000 | 0x200_0000 | 0x400_0000 | 0x800_0000 | 0x1000_0000 | 0x2000_0000 | 0x4000_0000;

/// `TIOCSTI` and `TIOCLINUX`: typing into a terminal, and pasting into one.
const TYPING: [u64; 2] = [0x5412, 0x541c];

/// `clone3`, on every architecture.
const CLONE3: u32 = 435;
/// Bit of the numbers of x32.
const X32: u32 = 0x4000_0000;
/// What a tracer puts in the place of a call that is not to be made.
const NO_CALL: u32 = u32::MAX;

/// Numbers of system calls.
struct Calls {
    architecture: TargetArch,
    /// Refused where they name an address or `MSG_FASTOPEN`.
    sendto: i64,
    /// Refused where it makes a namespace.
    clone: i64,
    /// Refused where it types into a terminal.
    ioctl: i64,
    /// Refused whatever their arguments.
    always: [i64; 42],
}

#[cfg(target_arch = "x86_64")]
const CALLS: Calls = Calls {
    architecture: TargetArch::x86_64,
    sendto: 44,
    clone: 56,
    ioctl: 16,
    always: [
        41, 42, 46, 307, // socket, connect, sendmsg, sendmmsg
        425, 426, 427, // io_uring_setup, io_uring_enter, io_uring_register
        59, 322, // execve, execveat
        101, 310, 311, 438, // ptrace, process_vm_readv, process_vm_writev, pidfd_getfd
        165, 166, 155, 161, 272, 308,
        304, // mount, umount2, pivot_root, chroot, unshare, setns, open_by_handle_at
        428, 429, 430, 431, 432, 433,
        442, // open_tree, move_mount, fsopen, fsconfig, fsmount, fspick, mount_setattr
        321, 323, 298, // bpf, userfaultfd, perf_event_open
        175, 313, 176, 246, 320, // init_module, finit_module, delete_module, kexec_load, kexec_file_load
        250, 248, 249, // keyctl, add_key, request_key
        167, 168, 163, 440, // swapon, swapoff, acct, process_madvise
    ],
};
#[cfg(target_arch = "aarch64")]
const CALLS: Calls = Calls {
    architecture: TargetArch::aarch64,
    sendto: 206,
    clone: 220,
    ioctl: 29,
    always: [
        198, 203, 211, 269, // socket, connect, sendmsg, sendmmsg
        425, 426, 427, // io_uring_setup, io_uring_enter, io_uring_register
        221, 281, // execve, execveat
        117, 270, 271, 438, // ptrace, process_vm_readv, process_vm_writev, pidfd_getfd
        40, 39, 41, 51, 97, 268, 265, // mount, umount2, pivot_root, chroot, unshare, setns, open_by_handle_at
        428, 429, 430, 431, 432, 433,
        442, // open_tree, move_mount, fsopen, fsconfig, fsmount, fspick, mount_setattr
        280, 282, 241, // bpf, userfaultfd, perf_event_open
        105, 273, 106, 104, 294, // init_module, finit_module, delete_module, kexec_load, kexec_file_load
        219, 217, 218, // keyctl, add_key, request_key
        224, 225, 89, 440, // swapon, swapoff, acct, process_madvise
    ],
};

/// Gives up outbound connections, starting programs and the rest, for every thread of the process, for good.
///
/// # Errors
///
/// `E-STATE confine` when the kernel does not take the filter.
pub fn no_network() -> Result<()> {
    let refused = |error: &dyn std::fmt::Display| {
        Error::new(
            Class::State,
            "confine",
            format!("the kernel does not let airlock give up the network: {error}"),
        )
        .expected("a Linux kernel with seccomp filters")
    };
    let program = filter().map_err(|error| refused(&error).with_source(error))?;
    seccompiler::apply_filter_all_threads(&program).map_err(|error| refused(&error).with_source(error))
}

/// Keeps what the process holds in memory out of files: it leaves no core, and no other process of its user looks into it.
///
/// # Errors
///
/// `E-STATE confine` when the kernel does not allow it.
pub fn no_dumps() -> Result<()> {
    let refused = |error: rustix::io::Errno| {
        Error::new(
            Class::State,
            "confine",
            format!("the kernel does not let airlock give up core files: {error}"),
        )
        .expected("a Linux kernel")
        .with_source(error)
    };
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none).map_err(refused)?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(refused)
}

fn filter() -> std::result::Result<BpfProgram, seccompiler::BackendError> {
    use SeccompCmpArgLen::{Dword, Qword};
    let when = |argument, length, operator, value| {
        SeccompCondition::new(argument, length, operator, value).and_then(|condition| SeccompRule::new(vec![condition]))
    };
    let sends = vec![
        when(4, Qword, SeccompCmpOp::Ne, 0)?,
        when(3, Dword, SeccompCmpOp::MaskedEq(FASTOPEN), FASTOPEN)?,
    ];
    // One rule a flag: what is masked is compared as a whole.
    let flags = (0..u32::BITS)
        .map(|bit| 1_u64 << bit)
        .filter(|flag| NAMESPACES & flag != 0);
    let namespaces = flags
        .map(|flag| when(0, Qword, SeccompCmpOp::MaskedEq(flag), flag))
        .collect::<std::result::Result<_, _>>()?;
    // The kernel looks at the lower half of the command alone.
    let typing = TYPING.map(|command| when(1, Dword, SeccompCmpOp::Eq, command));
    let typing = typing.into_iter().collect::<std::result::Result<_, _>>()?;
    let mut rules = BTreeMap::from([(CALLS.sendto, sends), (CALLS.clone, namespaces), (CALLS.ioctl, typing)]);
    rules.extend(CALLS.always.map(|call| (call, Vec::new())));
    let refuse = SeccompAction::Errno(number(rustix::io::Errno::PERM));
    let rest: BpfProgram = SeccompFilter::new(rules, SeccompAction::Allow, refuse, CALLS.architecture)?.try_into()?;
    Ok(by_number().into_iter().chain(rest).collect())
}

/// The beginning of the filter, which judges numbers alone: what the crate has no words for.
fn by_number() -> [sock_filter; 6] {
    // Load the number; jump where it is not below, or is equal; return (`linux/bpf_common.h`, `linux/seccomp.h`).
    const LOAD: u16 = 0x20;
    const NOT_BELOW: u16 = 0x35;
    const EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    const KILL_PROCESS: u32 = 0x8000_0000;
    const ERRNO: u32 = 0x0005_0000;
    let step = |code, k, jt, jf| sock_filter { code, jt, jf, k };
    [
        step(LOAD, 0, 0, 0),
        step(NOT_BELOW, X32, 0, 2),
        step(EQUAL, NO_CALL, 1, 0),
        step(RETURN, KILL_PROCESS, 0, 0),
        step(EQUAL, CLONE3, 0, 1),
        step(RETURN, ERRNO | number(rustix::io::Errno::NOSYS), 0, 0),
    ]
}

fn number(errno: rustix::io::Errno) -> u32 {
    errno.raw_os_error().unsigned_abs()
}

#[cfg(test)]
mod tests;
