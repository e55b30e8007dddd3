"""Runs programs and strikes at one of the calls with which they change something, whichever of their threads makes it.

Reads a line of JSON for each run: `[TRACE, FAULT, [NAME:]NUMBER, OUT, ERROR, [PROGRAM, ARGUMENT…]]`, and answers with how the program
ended, as `wait` says it. One Python does many runs, one after the other, each in a fork: to start it costs more than most of them.
TRACE, OUT and ERROR are the files that the trace and what the program says are written to.

strace counts calls for each thread on its own, so it can strike at every call of a program only where one thread makes them all. Here one
loop traces all threads (ptrace) and counts in the order in which the calls are made; a filter (seccomp) lets all calls but those pass
without a stop, of which a debug build makes many thousands. FAULT is `kill`, the number of an error, or `none`.
The trace has a line for each call that changes something, its thread and its name, and behind the one that was struck ` struck`.
With a NAME, calls of that name alone are seen, all of them, and each thread's are counted on their own, as strace does; strace has no
filter where it kills. With NAME@PATH those on that file alone, counted over all threads. x86-64 only.
"""

import ctypes
import json
import os
import signal
import struct
import sys
import traceback

TRACEME, CONT, SETOPTIONS, GETREGS, SETREGS = 0, 7, 0x4200, 12, 13
FORKS, CLONE, EXEC, SECCOMP, EXIT_KILL, WALL = 2 | 4, 8, 0x10, 0x80, 0x100000, 0x40000000
SECCOMP_STOP = signal.SIGTRAP | 7 << 8
# The places of rax, rdx, rsi, rdi and orig_rax among the registers.
RAX, RDX, RSI, RDI, NUMBER_OF_CALL = 10, 12, 13, 14, 15

SET_NO_NEW_PRIVS, SET_SECCOMP, FILTER = 38, 22, 2
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, STOP = 0x7FFF0000, 0x7FF00000

CREATING = os.O_CREAT | os.O_TRUNC
UNNAMED = os.O_TMPFILE
CHANGING = {
    1: "write", 2: "open", 18: "pwrite64", 74: "fsync", 75: "fdatasync", 77: "ftruncate", 82: "rename", 83: "mkdir", 84: "rmdir",
    85: "creat", 86: "link", 87: "unlink", 90: "chmod", 91: "fchmod", 257: "openat", 258: "mkdirat", 263: "unlinkat", 264: "renameat",
    265: "linkat", 268: "fchmodat", 285: "fallocate", 296: "pwritev", 306: "syncfs", 316: "renameat2",
}

OTHERS = {0: "read", 73: "flock", 93: "fchown", 437: "openat2"}

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long
libc.prctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_ulong]


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


def stands_for(thread, descriptor, path):
    """Whether a descriptor of a thread is of that file."""
    try:
        return os.readlink(f"/proc/{thread}/fd/{descriptor}") == path
    except OSError:
        return False


def stop_at(numbers):
    """Has this process stop at those calls alone, and whatever it starts."""
    code = [(LOAD, 0, 0, 0)]
    code += [(JUMP_IF_EQUAL, len(numbers) - index, 0, number) for index, number in enumerate(numbers)]
    code += [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, STOP)]
    packed = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in code))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(code), ctypes.addressof(packed)))
    done = libc.prctl(SET_NO_NEW_PRIVS, 1, None, 0, 0), libc.prctl(SET_SECCOMP, FILTER, ctypes.addressof(program), 0, 0)
    assert done == (0, 0), os.strerror(ctypes.get_errno())


def traced(path, fault, which, arguments):
    """Runs a program with a fault; returns how it ended."""
    looked_for, _, strike = which.rpartition(":")
    looked_for, _, file = looked_for.partition("@")
    watched = {number: name for number, name in (CHANGING | OTHERS).items() if name == looked_for} if looked_for else CHANGING
    assert watched, f"no call is known as {looked_for}"
    program = os.fork()
    if program == 0:
        # It stops at the start of the program, and its first calls that count come later.
        ptrace(TRACEME, 0)
        os.kill(os.getpid(), signal.SIGSTOP)
        stop_at(list(watched))
        os.execv(arguments[0], arguments)
    os.waitpid(program, 0)
    ptrace(SETOPTIONS, program, SECCOMP | FORKS | CLONE | EXEC | EXIT_KILL)
    ptrace(CONT, program)
    ended, counts, new = None, {}, set()
    with open(path, "w", encoding="ascii") as trace:
        while True:
            try:
                thread, status = os.waitpid(-1, WALL)
            except ChildProcessError:
                break
            if os.WIFEXITED(status) or os.WIFSIGNALED(status):
                ended = status if thread == program else ended
                continue
            stopped, deliver = os.WSTOPSIG(status), 0
            if status >> 8 == SECCOMP_STOP:
                values = registers(thread)
                name = values and (watched.get(values[NUMBER_OF_CALL]) if looked_for else changing(values))
                if name and (not file or stands_for(thread, values[RDI], file)):
                    counter = thread if looked_for and not file else program
                    counts[counter] = counts.get(counter, 0) + 1
                    struck = fault != "none" and counts[counter] == int(strike)
                    print(thread, name, "struck" if struck else "", file=trace)
                    if struck and fault == "kill":
                        os.kill(program, signal.SIGKILL)
                    elif struck:
                        # No such call: the kernel does nothing, and returns what stands there.
                        values[NUMBER_OF_CALL] = 2**64 - 1
                        values[RAX] = 2**64 - int(fault)
                        set_registers(thread, values)
            elif stopped == signal.SIGTRAP and status >> 16:
                # Something begins.
                pass
            elif stopped == signal.SIGSTOP and thread not in new and thread != program:
                # Each thread and each child begins with one.
                new.add(thread)
            else:
                deliver = stopped
            ptrace(CONT, thread, deliver)
    return ended


def run(path, fault, which, out, error, arguments):
    """The same in a process of its own, whose children are the program's threads alone; returns how the program ended."""
    reading, writing = os.pipe()
    tracer = os.fork()
    if tracer == 0:
        try:
            for name, number in ((os.devnull, 0), (out, 1), (error, 2)):
                flags = os.O_RDWR if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
                os.dup2(os.open(name, flags), number)
            os.write(writing, str(traced(path, fault, which, arguments)).encode())
        except BaseException:
            # It stands where the program's own words do; who asked hears nothing of an end, and looks there.
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(0)
    os.close(writing)
    with open(reading, encoding="ascii") as said:
        ended = said.read()
    os.waitpid(tracer, 0)
    return ended


for line in sys.stdin:
    print(run(*json.loads(line)), flush=True)
