"""Resizing: grow, shrink, by difference, allocating, refusals in their order."""

import os

from compat import WORK, active_pool, connect, connect_read_only, fact, file_facts, image_facts, raw_volume, step, volume, write_file

ALLOCATE, DELTA, SHRINK = 1, 2, 4
MIB = 1 << 20
c = connect()
pool = active_pool(c, "p")


def resized(label, made, capacity, flags=0):
    before = pool.info()
    step(label, made.resize, capacity, flags)
    after = pool.info()
    fact(label + ": pool's numbers", [after[number] - before[number] for number in range(4)])
    step(label + ": info", made.info)
    fact(label + ": file", file_facts(made.path())[:5])
    facts = image_facts(made.path())
    fact(label + ": size in the image", facts["virtual-size"] if isinstance(facts, dict) else facts)


raw = pool.createXML(raw_volume("raw", MIB, MIB), 0)
resized("full: grow", raw, 2 * MIB)
resized("full: same", raw, 2 * MIB)
resized("full: shrink without flag", raw, MIB)
resized("full: shrink below allocation", raw, MIB // 2, SHRINK)
resized("full: shrink to allocation", raw, MIB, SHRINK)
resized("full: grow and allocate", raw, 3 * MIB, ALLOCATE)
resized("full: grow by difference", raw, MIB, DELTA)
resized("full: grow by difference and allocate", raw, MIB, DELTA | ALLOCATE)
resized("full: shrink by difference", raw, MIB, DELTA | SHRINK)
resized("full: zero", raw, 0)
resized("full: zero by difference", raw, 0, DELTA)
resized("full: zero and shrink", raw, 0, SHRINK)

sparse = pool.createXML(raw_volume("sparse", MIB, 0), 0)
resized("sparse: grow", sparse, 2 * MIB)
resized("sparse: odd", sparse, 2 * MIB + 1)
resized("sparse: shrink without flag", sparse, MIB)
resized("sparse: shrink", sparse, MIB, SHRINK)
resized("sparse: shrink by difference", sparse, 1000, DELTA | SHRINK)
resized("sparse: shrink by more than there is", sparse, 100 * MIB, DELTA | SHRINK)
resized("sparse: grow with shrink flag", sparse, MIB, SHRINK)
resized("sparse: allocate", sparse, MIB, ALLOCATE)
resized("sparse: allocate too much", sparse, 1 << 40, ALLOCATE)
resized("sparse: shrink and allocate", sparse, MIB // 2, SHRINK | ALLOCATE)
resized("sparse: too large", sparse, 1 << 62)
resized("sparse: beyond", sparse, (1 << 63) - 1)
resized("sparse: difference overflows", sparse, (1 << 63) - 1, DELTA)
for flags in (8, 16, 0x40, 9):
    resized("sparse: flags %d" % flags, sparse, MIB, flags)

for form in ("qcow2", "qed", "vmdk", "vdi", "vpc", "qcow"):
    made = pool.createXML(volume("v." + form, form, 4 * MIB, extra="<allocation>0</allocation>"), 0)
    resized(form + ": grow", made, 8 * MIB)
    resized(form + ": odd", made, 8 * MIB + 1)
    resized(form + ": shrink without flag", made, 6 * MIB)
    resized(form + ": shrink", made, 6 * MIB, SHRINK)
    resized(form + ": allocate", made, 10 * MIB, ALLOCATE)
    resized(form + ": by difference", made, MIB, DELTA)
    pool.refresh(0)
    step(form + ": document after refresh", made.XMLDesc, 0)

base = write_file("base.raw", b"\0" * 65536)
backed = pool.createXML(volume("backed", "qcow2", extra="<backingStore><path>%s</path><format type='raw'/></backingStore>" % base), 0)
resized("backed: grow", backed, 2 * MIB)

directory = pool.createXML(volume("directory", "dir", 0), 0)
step("directory", directory.resize, MIB, 0)
step("directory: info", directory.info)
gone = pool.createXML(raw_volume("gone"), 0)
os.unlink(gone.path())
step("gone", gone.resize, 2 * MIB, 0)
step("gone: shrink", gone.resize, 1, 0)
gone = pool.createXML(volume("gone.qcow2", "qcow2"), 0)
os.unlink(gone.path())
step("gone qcow2", gone.resize, 2 * MIB, 0)
read_only = connect_read_only()
step("read-only", read_only.storageVolLookupByPath(raw.path()).resize, 9 * MIB, 0)
pool.destroy()
step("in an inactive pool", raw.resize, 9 * MIB, 0)
