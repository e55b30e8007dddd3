"""Runs a program and strikes at one of the calls with which it changes something, whichever of its threads makes it.

    stopper.py TRACE FAULT NUMBER PROGRAM [ARGUMENT]…

strace counts calls for each thread on its own, so it can strike at every call of a program only where one thread makes them all. Here one
loop traces all threads (ptrace) and counts in the order in which the calls are made. FAULT is `kill`, the number of an error, or `none`.
Writes to TRACE a line for each call that changes something, its thread and its name, and behind the one that was struck ` struck`.
Ends as the program did. x86-64 only.
"""

import ctypes
import os
import signal
import struct
import sys

TRACE, FAULT, NUMBER, PROGRAM = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:]

TRACEME, CONT_TO_SYSCALL, SETOPTIONS, GETREGS, SETREGS = 0, 24, 0x4200, 12, 13
SYSCALL_GOOD, CLONE, EXIT_KILL, WALL = 1, 8, 0x100000, 0x40000000
ENOSYS = 38
# The places of rax, rdx, rsi, rdi and orig_rax among the registers.
RAX, RDX, RSI, RDI, NUMBER_OF_CALL = 10, 12, 13, 14, 15

CREATING = os.O_CREAT | os.O_TRUNC
UNNAMED = os.O_TMPFILE
CHANGING = {
    1: "write", 2: "open", 18: "pwrite64", 74: "fsync", 75: "fdatasync", 77: "ftruncate", 82: "rename", 83: "mkdir", 84: "rmdir",
    85: "creat", 86: "link", 87: "unlink", 90: "chmod", 91: "fchmod", 257: "openat", 258: "mkdirat", 263: "unlinkat", 264: "renameat",
    265: "linkat", 268: "fchmodat", 285: "fallocate", 296: "pwritev", 306: "syncfs", 316: "renameat2",
}

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def ptrace(request, thread, data=0):
    """Whether it was done: a thread that was killed meanwhile says so at the next wait."""
    return libc.ptrace(request, thread, None, data) == 0


def registers(thread):
    buffer = ctypes.create_string_buffer(27 * 8)
    return list(struct.unpack("27Q", buffer.raw)) if ptrace(GETREGS, thread, ctypes.addressof(buffer)) else None


def set_registers(thread, values):
    buffer = ctypes.create_string_buffer(struct.pack("27Q", *values), 27 * 8)
    ptrace(SETREGS, thread, ctypes.addressof(buffer))


def changing(values):
    """The name of the call that is entered, if it changes something on disk."""
    name = CHANGING.get(values[NUMBER_OF_CALL])
    if name in ("open", "openat"):
        flags = values[RSI if name == "open" else RDX] & 0xFFFFFFFF
        return name if flags & CREATING or flags & UNNAMED == UNNAMED else None
    # What a program says is no change.
    return None if name == "write" and values[RDI] <= 2 else name


def main():
    program = os.fork()
    if program == 0:
        ptrace(TRACEME, 0)
        os.execv(PROGRAM[0], PROGRAM)
    os.waitpid(program, 0)
    ptrace(SETOPTIONS, program, SYSCALL_GOOD | CLONE | EXIT_KILL)
    ptrace(CONT_TO_SYSCALL, program)
    ended, count, failing, new = None, 0, set(), set()
    with open(TRACE, "w", encoding="ascii") as trace:
        while True:
            try:
                thread, status = os.waitpid(-1, WALL)
            except ChildProcessError:
                break
            if os.WIFEXITED(status) or os.WIFSIGNALED(status):
                ended = status if thread == program else ended
                continue
            stopped, deliver = os.WSTOPSIG(status), 0
            if stopped == signal.SIGTRAP | 0x80:
                values = registers(thread)
                # What the kernel puts there on entry.
                enters = values is not None and values[RAX] == 2**64 - ENOSYS
                if values is not None and thread in failing:
                    failing.discard(thread)
                    values[RAX] = 2**64 - int(FAULT)
                    set_registers(thread, values)
                elif enters and (name := changing(values)):
                    count += 1
                    struck = FAULT != "none" and count == NUMBER
                    print(thread, name, "struck" if struck else "", file=trace)
                    if struck and FAULT == "kill":
                        os.kill(program, signal.SIGKILL)
                    elif struck:
                        # No such call: the kernel does nothing.
                        values[NUMBER_OF_CALL] = 2**64 - 1
                        set_registers(thread, values)
                        failing.add(thread)
            elif stopped == signal.SIGTRAP and status >> 16:
                pass
            elif stopped == signal.SIGSTOP and thread not in new and thread != program:
                # Each thread begins with one.
                new.add(thread)
            else:
                deliver = stopped
            ptrace(CONT_TO_SYSCALL, thread, deliver)
    if os.WIFSIGNALED(ended):
        os.kill(os.getpid(), os.WTERMSIG(ended))
    sys.exit(os.WEXITSTATUS(ended))


main()
