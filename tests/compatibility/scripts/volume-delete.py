"""Deleting volumes: files, directories, links, what is not there any more, flags."""

import os
import shutil

from compat import WORK, active_pool, connect, connect_read_only, fact, raw_volume, step, volume, write_file

c = connect()
pool = active_pool(c, "p")


def deleted(label, made, flags=0):
    before = pool.info()
    path = made.path()
    step(label, made.delete, flags)
    after = pool.info()
    fact(label + ": pool's numbers", [after[number] - before[number] for number in range(4)])
    fact(label + ": still there", os.path.lexists(path))
    fact(label + ": names", pool.listVolumes())
    if flags == 0 and made.name().startswith("swapped") and os.path.lexists(path):
        shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
        pool.refresh(0)


deleted("raw", pool.createXML(raw_volume("v", 1 << 20, 1 << 20), 0))
deleted("qcow2", pool.createXML(volume("v", "qcow2"), 0))
deleted("directory", pool.createXML(volume("v", "dir", 0), 0))
full = pool.createXML(volume("full", "dir", 0), 0)
write_file("p/full/file", b"x")
deleted("directory with a file", full)
gone = pool.createXML(raw_volume("gone"), 0)
os.unlink(gone.path())
deleted("file that is gone", gone)
gone = pool.createXML(volume("gone", "dir", 0), 0)
os.rmdir(gone.path())
deleted("directory that is gone", gone)
swapped = pool.createXML(raw_volume("swapped"), 0)
os.unlink(swapped.path())
os.mkdir(swapped.path())
deleted("file that became a directory", swapped)
swapped = pool.createXML(volume("swapped2", "dir", 0), 0)
os.rmdir(swapped.path())
write_file("p/swapped2", b"x")
deleted("directory that became a file", swapped)
write_file("outside", b"kept")
os.symlink(WORK + "/outside", WORK + "/p/link")
os.symlink(WORK, WORK + "/p/dirlink")
os.link(WORK + "/outside", WORK + "/p/hard")
pool.refresh(0)
deleted("link", pool.storageVolLookupByName("link"))
deleted("link to a directory", pool.storageVolLookupByName("dirlink"))
deleted("hard link", pool.storageVolLookupByName("hard"))
fact("what they pointed to", os.path.exists(WORK + "/outside"))
kept = pool.createXML(raw_volume("kept"), 0)
for flags in (1, 2, 3, 4, 0x40):
    deleted("flags %d" % flags, kept, flags)
step("twice", kept.delete, 0)
step("twice again", kept.delete, 0)
step("info afterwards", kept.info)
step("document afterwards", kept.XMLDesc, 0)
step("path afterwards", kept.path)
step("resize afterwards", kept.resize, 5)
step("wipe afterwards", kept.wipe)
kept = pool.createXML(raw_volume("kept"), 0)
read_only = connect_read_only()
step("read-only", read_only.storageVolLookupByPath(kept.path()).delete, 0)
pool.destroy()
step("in an inactive pool", kept.delete, 0)
step("in an inactive pool with flags", kept.delete, 0x40)
