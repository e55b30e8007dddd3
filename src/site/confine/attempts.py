"""Tries, by raw system calls, what a confined process may not do, and does what it may.

Usage: attempts.py [FILTER]. FILTER holds a seccomp program, 8 bytes an instruction; without it the same calls are made by a free
process. Prints one line each: name, what came of it. Numbers are written down here once more, apart from those of the program.
"""

import ctypes
import errno
import os
import platform
import select
import signal
import socket
import sys
import threading

NUMBERS = {
    # name: (x86_64, aarch64)
    "socket": (41, 198), "connect": (42, 203), "sendto": (44, 206), "sendmsg": (46, 211), "sendmmsg": (307, 269),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "execve": (59, 221), "execveat": (322, 281),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "pidfd_getfd": (438, 438),
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "unshare": (272, 97),
    "setns": (308, 268), "open_by_handle_at": (304, 265), "open_tree": (428, 428), "move_mount": (429, 429),
    "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    "bpf": (321, 280), "userfaultfd": (323, 282), "perf_event_open": (298, 241),
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106),
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "keyctl": (250, 219), "add_key": (248, 217),
    "request_key": (249, 218), "swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89), "process_madvise": (440, 440),
    "ioctl": (16, 29),
    "clone": (56, 220), "clone3": (435, 435), "getpid": (39, 172),
}
COLUMN = {"x86_64": 0, "aarch64": 1}[platform.machine()]
FASTOPEN = 0x20000000
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def number(name):
    return NUMBERS[name][COLUMN]


def call(nr, *arguments):
    words = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(nr), *words)
    return "ok" if result >= 0 else errno.errorcode[ctypes.get_errno()]


def attempt(work):
    try:
        work()
        return "ok"
    except OSError as error:
        return errno.errorcode[error.errno]


def say(name, result):
    print(name, result, flush=True)


class Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]


class Msghdr(ctypes.Structure):
    _fields_ = [("name", ctypes.c_void_p), ("namelen", ctypes.c_uint32), ("iov", ctypes.c_void_p), ("iovlen", ctypes.c_size_t),
                ("control", ctypes.c_void_p), ("controllen", ctypes.c_size_t), ("flags", ctypes.c_int)]


class Mmsghdr(ctypes.Structure):
    _fields_ = [("header", Msghdr), ("len", ctypes.c_uint32)]


def in_child(work):
    """How a child ended: its exit code, or the name of the signal that killed it."""
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    return signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else f"exit {os.WEXITSTATUS(status)}"


# Everything that was there before: sockets of every kind, bound, listening, connected and not.
receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
receiver.bind(("127.0.0.1", 0))
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
fresh = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname())
manager, told = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
address = receiver.getsockname()
raw_address = ctypes.create_string_buffer(
    socket.AF_INET.to_bytes(2, sys.byteorder) + address[1].to_bytes(2, "big") + socket.inet_aton(address[0]) + bytes(8), 16)
payload = ctypes.create_string_buffer(b"out", 3)

if len(sys.argv) > 1:
    program = open(sys.argv[1], "rb").read()
    held = ctypes.create_string_buffer(program, len(program))

    class Program(ctypes.Structure):
        _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_void_p)]

    filter = Program(len(program) // 8, ctypes.addressof(held))
    assert libc.prctl(38, 1, 0, 0, 0) == 0, "PR_SET_NO_NEW_PRIVS"
    assert libc.prctl(22, 2, ctypes.byref(filter), 0, 0) == 0, "PR_SET_SECCOMP"


def sent(name, result):
    """Says what came of sending, and whether anything arrived."""
    arrived = bool(select.select([receiver], [], [], 0.05 if result != "ok" else 5)[0])
    if arrived:
        receiver.recv(16)
    say(name, result + (" arrived" if arrived else ""))


sent("sendto-address", call(number("sendto"), udp.fileno(), payload, 3, 0, raw_address, 16))
vector = Iovec(ctypes.addressof(payload), 3)
message = Mmsghdr(Msghdr(ctypes.addressof(raw_address), 16, ctypes.addressof(vector), 1, None, 0, 0), 0)
sent("sendmsg-address", call(number("sendmsg"), udp.fileno(), ctypes.byref(message), 0))
sent("sendmmsg-address", call(number("sendmmsg"), udp.fileno(), ctypes.byref(message), 1, 0))
place = ctypes.create_string_buffer(
    socket.AF_INET.to_bytes(2, sys.byteorder) + listener.getsockname()[1].to_bytes(2, "big") + socket.inet_aton("127.0.0.1") + bytes(8), 16)
say("sendto-fastopen", call(number("sendto"), tcp.fileno(), payload, 3, FASTOPEN, place, 16))
say("sendto-fastopen-no-address", call(number("sendto"), client.fileno(), payload, 3, FASTOPEN, 0, 0))
say("connect", call(number("connect"), fresh.fileno(), place, 16))
for family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX, socket.AF_NETLINK, socket.AF_PACKET):
    say(f"socket-{family.name}", call(number("socket"), int(family), int(socket.SOCK_DGRAM), 0))
nobody = 2**22 + 1
empty = ctypes.create_string_buffer(256)
for name, arguments in [
    ("io_uring_setup", (1, empty)), ("io_uring_enter", (-1, 0, 0, 0, 0)), ("io_uring_register", (-1, 0, 0, 0)),
    ("execve", (b"/nowhere", 0, 0)), ("execveat", (-1, b"nowhere", 0, 0, 0)),
    ("ptrace", (16, nobody, 0, 0)), ("process_vm_readv", (nobody, 0, 0, 0, 0, 0)), ("process_vm_writev", (nobody, 0, 0, 0, 0, 0)),
    ("pidfd_getfd", (-1, 0, 0)),
    ("mount", (0, 0, 0, 0, 0)), ("umount2", (b"/nowhere", 0)), ("pivot_root", (b"/nowhere", b"/nowhere")),
    ("chroot", (b"/nowhere",)), ("unshare", (0,)), ("setns", (-1, 0)), ("open_by_handle_at", (-1, 0, 0)),
    ("open_tree", (-1, b"nowhere", 0)), ("move_mount", (-1, b"", -1, b"", 0)), ("fsopen", (0, 0)), ("fsconfig", (-1, 0, 0, 0, 0)),
    ("fsmount", (-1, 0, 0)), ("fspick", (-1, b"nowhere", 0)), ("mount_setattr", (-1, b"nowhere", 0, 0, 0)),
    ("bpf", (-1, 0, 0)), ("userfaultfd", (-1,)), ("perf_event_open", (0, 0, 0, -1, 0)),
    ("init_module", (0, 0, 0)), ("finit_module", (-1, 0, 0)), ("delete_module", (0, 0)),
    ("kexec_load", (0, 0, 0, -1)), ("kexec_file_load", (-1, -1, 0, 0, -1)), ("keyctl", (-1,)), ("add_key", (0, 0, 0, 0, 0)),
    ("request_key", (0, 0, 0, 0)), ("swapon", (b"/nowhere", 0)), ("swapoff", (b"/nowhere",)), ("acct", (b"/nowhere",)),
    ("process_madvise", (-1, 0, 0, 0, 0)),
]:
    words = [ctypes.c_char_p(a) if isinstance(a, bytes) else a for a in arguments]
    say(name, call(number(name), *words))
# Into no terminal; the upper half of the command is nothing to the kernel.
for name, command in [("ioctl-sti", 0x5412), ("ioctl-linux", 0x541C), ("ioctl-sti-upper", 0x1_0000_5412)]:
    say(name, call(number("ioctl"), -1, command, empty))
say("ioctl-else", call(number("ioctl"), -1, 0x5413, empty))
for name, flag in [("mounts", 0x20000), ("cgroups", 0x2000000), ("names", 0x4000000), ("ipc", 0x8000000), ("users", 0x10000000),
                   ("processes", 0x20000000), ("network", 0x40000000)]:
    # Two flags that do not go together: never a child, whoever allows it.
    say(f"clone-{name}", call(number("clone"), flag | 0x200 | 0x20000, 0, 0, 0, 0))
say("clone3", call(number("clone3"), 0, 0))
if platform.machine() == "x86_64":
    for name in ("getpid", "sendto"):
        say(f"x32-{name}", in_child(lambda: call(0x40000000 | number(name), udp.fileno(), payload, 3, 0, raw_address, 16)))
    sent("x32-silence", "EPERM")

# What it may: accept, answer, start threads and children, tell the manager, talk to itself.
server, _ = listener.accept()
say("accept", "ok")
say("send", attempt(lambda: server.send(b"answer")))
say("writev", attempt(lambda: os.writev(server.fileno(), [b"an", b"swer"])))
say("manager", attempt(lambda: manager.send(b"READY=1")))
say("pair", attempt(lambda: socket.socketpair()))
done = []
thread = threading.Thread(target=lambda: done.append(1))
say("thread", attempt(lambda: (thread.start(), thread.join())))
say("fork", in_child(lambda: None))
