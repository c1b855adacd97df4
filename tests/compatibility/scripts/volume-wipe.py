"""Wiping: algorithms, sparse and full files, other formats, refusals."""

import os

from compat import WORK, active_pool, connect, connect_read_only, digest, fact, file_facts, noise, raw_volume, step, volume, write_file
from stand_in import StandIn

c = connect()
pool = active_pool(c, "p")


def filled(name, size=1 << 20, content=None):
    made = pool.createXML(raw_volume(name, size, size), 0)
    with open(made.path(), "r+b") as file:
        file.write(noise(size) if content is None else content)
    return made


def wiped(label, made, *how):
    step(label, made.wipePattern if how else made.wipe, *(how or (0,)))
    facts = file_facts(made.path())
    facts[5] = "zeros" if set(open(made.path(), "rb").read()) <= {0} else facts[5]
    fact(label + ": file", facts)
    step(label + ": info", made.info)
    step(label + ": document", made.XMLDesc, 0)


wiped("full", filled("full"))
wiped("full, odd size", filled("odd", 100001))
wiped("zero by pattern", filled("zero"), 0)
sparse = pool.createXML(raw_volume("sparse", 1 << 20, 0), 0)
with open(sparse.path(), "r+b") as file:
    file.seek(500000)
    file.write(noise(5000))
wiped("sparse", sparse)
wiped("empty", pool.createXML(raw_volume("empty", 0, 0), 0))
grown = filled("grown")
with open(grown.path(), "ab") as file:
    file.write(noise(65536))
wiped("grown outside", grown)
shrunk = filled("shrunk")
os.truncate(shrunk.path(), 1000)
wiped("shrunk outside", shrunk)
qcow2 = pool.createXML(volume("v.qcow2", "qcow2"), 0)
wiped("qcow2", qcow2)
pool.refresh(0)
step("qcow2: document after refresh", qcow2.XMLDesc, 0)
prealloc = pool.createXML(volume("full.qcow2", "qcow2"), 1)
wiped("qcow2 preallocated", prealloc)
step("directory", pool.createXML(volume("directory", "dir", 0), 0).wipe, 0)

calls = StandIn("/usr/bin/scrub")
for algorithm in range(1, 9):
    calls.forget()
    made = filled("scrub%d" % algorithm, 65536)
    step("scrub %d" % algorithm, made.wipePattern, algorithm, 0)
    fact("scrub %d: call" % algorithm, tuple(calls.lines()))
    fact("scrub %d: content changed" % algorithm, open(made.path(), "rb").read() != noise(65536))
made = filled("missing")
os.unlink(made.path())
step("scrub a missing file", made.wipePattern, 1, 0)
calls.remove()

made = filled("kept")
for algorithm in (9, 10, 11, 77, 2147483647):
    step("algorithm %d" % algorithm, made.wipePattern, algorithm, 0)
for flags in (1, 2, 0x40):
    step("flags %d" % flags, made.wipe, flags)
    step("pattern flags %d" % flags, made.wipePattern, 0, flags)
    step("bad pattern and flags %d" % flags, made.wipePattern, 77, flags)
fact("kept", digest(made.path()))
read_only = connect_read_only().storageVolLookupByPath(made.path())
step("read-only", read_only.wipe, 0)
step("read-only pattern", read_only.wipePattern, 0, 0)
gone = filled("gone")
os.unlink(gone.path())
step("gone", gone.wipe, 0)
os.mkdir(gone.path())
step("became a directory", gone.wipe, 0)
pool.destroy()
step("in an inactive pool", made.wipe, 0)
step("in an inactive pool with bad algorithm", made.wipePattern, 77, 0)
