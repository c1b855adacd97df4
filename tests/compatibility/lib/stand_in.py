"""A program put in the place of another one for as long as a script runs, in this side's mount namespace only.

It notes each call, waits while it is held, and then calls the real program, unless it only pretends: then it makes the
files that are named and missing (qemu-img needs seconds for each LUKS key).
"""

import atexit
import json
import os
import shutil
import subprocess

import compat

_SOURCE = """#!/usr/bin/python3
import json, os, sys, time
place = %r
with open(place + "/calls", "a", encoding="utf-8", errors="surrogateescape") as notes:
    notes.write(json.dumps(sys.argv[1:]) + "\\n")
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
os.execv(place + "/real", [%r, *sys.argv[1:]])
"""


class StandIn:
    def __init__(self, program):
        self.program = program
        self.place = os.path.join(compat.WORK, "stand-in-" + os.path.basename(program))
        os.makedirs(self.place)
        shutil.copy2(program, self.place + "/real")
        source = self.place + "/program"
        with open(source, "w", encoding="ascii") as file:
            file.write(_SOURCE % (self.place, program))
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
        if os.path.exists(self.place + "/calls"):
            os.unlink(self.place + "/calls")

    def hold(self):
        """Calls wait from now on."""
        open(self.place + "/hold", "w", encoding="ascii").close()

    def release(self):
        if os.path.exists(self.place + "/hold"):
            os.unlink(self.place + "/hold")

    def pretend(self):
        """The real program is not called any more."""
        open(self.place + "/pretend", "w", encoding="ascii").close()

    def wait_for_call(self):
        return compat.wait_for(lambda: len(self.lines()) > 0)
