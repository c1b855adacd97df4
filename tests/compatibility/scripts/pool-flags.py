"""Flags that pool calls refuse, and build's flags on a directory pool."""

import os

from compat import WORK, active_pool, connect, defined_pool, dir_pool, fact, step

c = connect()
pool = defined_pool(c, "p")
active = active_pool(c, "a")

for flags in (1, 2, 4, 8, 12, 16, 0x100):
    step("build flags %d" % flags, pool.build, flags)
    fact("build flags %d made the directory" % flags, os.path.isdir(WORK + "/p"))
    if os.path.isdir(WORK + "/p"):
        os.rmdir(WORK + "/p")
for flags in (2, 4, 6, 3, 5, 7, 8, 0x80000000 - 1):
    step("start flags %d" % flags, pool.create, flags)
    fact("start flags %d: active" % flags, pool.isActive())
    fact("start flags %d made the directory" % flags, os.path.isdir(WORK + "/p"))
    if pool.isActive():
        pool.destroy()
    if os.path.isdir(WORK + "/p"):
        os.rmdir(WORK + "/p")
for flags in (1, 2, 4, 3, 5, 6, 7, 8, 0x40):
    name = "c%d" % flags
    created = step("create flags %d" % flags, c.storagePoolCreateXML, dir_pool(name), flags)
    fact("create flags %d made the directory" % flags, os.path.isdir(WORK + "/" + name))
    if created is not None:
        created.destroy()
step("none of them is left", c.listAllStoragePools, 0)

for flags in (1, 2, 0x40):
    step("refresh flags %d" % flags, active.refresh, flags)
    step("delete flags %d of an active pool" % flags, active.delete, flags)
    step("document flags %d" % flags, active.XMLDesc, flags)
    step("volumes flags %d" % flags, active.listAllVolumes, flags)
    step("refresh flags %d of an inactive pool" % flags, pool.refresh, flags)
    step("document flags %d of an inactive pool" % flags, pool.XMLDesc, flags)
    step("volumes flags %d of an inactive pool" % flags, pool.listAllVolumes, flags)
active.destroy()
for flags in (1, 2, 4, 0x40):
    step("delete flags %d" % flags, active.delete, flags)
step("the directory is still there", os.path.isdir, WORK + "/a")
step("delete", active.delete, 0)
step("the directory is gone", os.path.isdir, WORK + "/a")
step("delete again", active.delete, 0)
for flags in (1 << 25, 1 << 30):
    step("list flags %#x" % flags, c.listAllStoragePools, flags)
