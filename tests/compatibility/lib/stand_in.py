"""A program put in the place of another one for as long as a script runs, in this side's mount namespace only.

It notes each call, calls the real program and waits while it is held before it ends, so that whoever called it is in the
middle of something whose file exists. It can be told to fail, or only to pretend: then it makes the files that are named
and missing (qemu-img needs seconds for each LUKS key).
"""

import atexit
import json
import os
import shutil
import subprocess

import compat

_SOURCE = """#!/usr/bin/python3
import json, os, re, subprocess, sys, time
place = %r


def resolved(match):
    # A caller may name a file by a descriptor or link it hands over; what counts is which one it is.
    path = os.path.realpath(match.group())
    if not path.endswith(" (deleted)"):
        return path
    # A file that has no name yet: it is going to have the one by which it was handed over.
    return os.path.join(os.path.dirname(path), os.path.basename(match.group()))


def is_shown(argument):
    # To be told the progress changes nothing that is done.
    return argument != "-p" or "qemu-img" not in sys.argv[0]


with open(place + "/calls", "a", encoding="utf-8", errors="surrogateescape") as notes:
    notes.write(json.dumps([re.sub("/[^,=]*", resolved, argument) for argument in sys.argv[1:] if is_shown(argument)]) + "\\n")


def wait_while_held():
    deadline = time.monotonic() + 60
    while os.path.exists(place + "/hold") and time.monotonic() < deadline:
        time.sleep(0.01)


if os.path.exists(place + "/pretend"):
    for argument in sys.argv[1:]:
        path = argument.rpartition("file.filename=")[2]
        if path.startswith("/") and "/secret" not in path and not os.path.exists(path):
            with open(path, "wb") as file:
                file.truncate(1 << 20)
    sys.exit(0)
status = subprocess.run([%r, *sys.argv[1:]], executable=place + "/real", close_fds=False).returncode
open(place + "/done", "w").close()
wait_while_held()
if os.path.exists(place + "/fail"):
    sys.exit("%s: it was told to fail")
sys.exit(status)
"""


class StandIn:
    def __init__(self, program):
        self.program = program
        self.place = os.path.join(compat.WORK, "stand-in-" + os.path.basename(program))
        os.makedirs(self.place)
        shutil.copy2(program, self.place + "/real")
        source = self.place + "/program"
        with open(source, "w", encoding="ascii") as file:
            file.write(_SOURCE % (self.place, program, os.path.basename(program)))
        os.chmod(source, 0o755)
        subprocess.run(["mount", "--bind", source, program], check=True, timeout=10)
        self.mounted = True
        atexit.register(self.remove)

    def remove(self):
        """The real program again."""
        self.release()
        if self.mounted:
            subprocess.run(["umount", self.program], check=True, timeout=10)
            self.mounted = False

    def lines(self):
        """The arguments of each call since `forget`, one line per call."""
        try:
            with open(self.place + "/calls", encoding="utf-8") as file:
                return [" ".join(json.loads(line)) for line in file]
        except FileNotFoundError:
            return []

    def forget(self):
        for name in ("/calls", "/done"):
            if os.path.exists(self.place + name):
                os.unlink(self.place + name)

    def hold(self):
        """Calls do not end from now on."""
        open(self.place + "/hold", "w", encoding="ascii").close()

    def release(self):
        if os.path.exists(self.place + "/hold"):
            os.unlink(self.place + "/hold")

    def pretend(self):
        """The real program is not called any more."""
        open(self.place + "/pretend", "w", encoding="ascii").close()

    def fail(self, failing):
        """Whether calls end with an error from now on."""
        if failing:
            open(self.place + "/fail", "w", encoding="ascii").close()
        else:
            os.unlink(self.place + "/fail")

    def wait_for_call(self):
        """Waits until the real program has done its work."""
        return compat.wait_for(lambda: os.path.exists(self.place + "/done"))
