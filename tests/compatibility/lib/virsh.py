"""Runs a .virsh file: each line is a step. A line is a virsh command; one that begins with "!" is a shell command.

Blank lines and lines that begin with "#" are left out, a line that ends in a backslash goes on in the next. $WORK is the
script's directory, V the virsh command with its URI (a function, for shell lines). The words of a line are split as a shell does.
"""

import os
import subprocess
import sys

import compat

LINE_SECONDS = 60


def lines(path):
    text = open(path, encoding="utf-8").read().replace("\\\n", " ")
    for line in text.split("\n"):
        line = line.strip()
        if line and not line.startswith("#"):
            yield line


def run(line):
    environment = dict(
        os.environ,
        LC_ALL="C",
        WORK=compat.WORK,
        ETC=compat.ETC,
        RUN=compat.RUN,
        URI=compat.URI,
        URI_READ_ONLY=compat.URI_READ_ONLY,
        VISUAL="",
    )
    command = line[1:].strip() if line.startswith("!") else "V " + line
    script = 'V() { virsh -c "$URI" "$@"; }\n' + command
    return subprocess.run(
        ["/bin/bash", "-c", script],
        env=environment,
        cwd=compat.WORK,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        timeout=LINE_SECONDS,
    )


def main():
    for line in lines(sys.argv[1]):
        try:
            done = run(line)
        except subprocess.TimeoutExpired:
            compat.emit(line, err="no answer in %d seconds" % LINE_SECONDS)
            continue
        compat.emit(
            line,
            status=done.returncode,
            out=done.stdout.decode("utf-8", "backslashreplace"),
            err=done.stderr.decode("utf-8", "backslashreplace"),
        )


main()
