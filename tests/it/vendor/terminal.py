"""Runs a program on a terminal of its own and answers its questions.

Arguments: a JSON list of [what it must say, what is typed], then the program and its arguments. Prints what the terminal showed, and ends as
the program did; 99 when a question did not come.
"""

import json
import os
import pty
import select
import sys

answers = json.loads(sys.argv[1])
child, terminal = pty.fork()
if child == 0:
    os.execv(sys.argv[2], sys.argv[2:])
shown, unread = b"", b""
while True:
    if not select.select([terminal], [], [], 60)[0]:
        print(shown.decode(errors="replace"), "\nnothing came for a minute")
        sys.exit(99)
    try:
        more = os.read(terminal, 4096)
    except OSError:
        more = b""
    if not more:
        break
    shown, unread = shown + more, unread + more
    if answers and answers[0][0].encode() in unread:
        os.write(terminal, answers[0][1].encode() + b"\n")
        answers, unread = answers[1:], b""
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
print(shown.decode(errors="replace"))
sys.exit(99 if answers else status)
