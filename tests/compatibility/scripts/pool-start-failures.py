"""Starts and refreshes that fail: what state the pool is in afterwards."""

import os

from compat import ETC, RUN, WORK, active_pool, connect, defined_pool, dir_pool, fact, raw_volume, step, transient_pool, tree, write_file

c = connect()


def state(label, name):
    found = [pool for pool in c.listAllStoragePools(0) if pool.name() == name]
    fact(label, [[pool.isActive(), pool.isPersistent(), pool.info()[0], pool.XMLDesc(0)] for pool in found])
    fact(label + ": state files", sorted(os.listdir(RUN + "/storage")))


pool = defined_pool(c, "missing")
step("start without directory", pool.create, 0)
state("after a start without directory", "missing")
step("create without directory", c.storagePoolCreateXML, dir_pool("transient"), 0)
state("after a create without directory", "transient")

write_file("file", b"x")
pool = defined_pool(c, "file", path=WORK + "/file")
step("start on a file", pool.create, 0)
state("after a start on a file", "file")

os.symlink("loop", WORK + "/loop")
pool = defined_pool(c, "loop", path=WORK + "/loop")
step("start on a link to itself", pool.create, 0)

pool = active_pool(c, "removed")
os.rmdir(WORK + "/removed")
step("info when the directory is gone", pool.info)
step("volumes when the directory is gone", pool.listVolumes)
step("create a volume when the directory is gone", pool.createXML, raw_volume("v"), 0)
step("refresh when the directory is gone", pool.refresh, 0)
state("after the refresh failed", "removed")
step("refresh again", pool.refresh, 0)

pool = transient_pool(c, "temporary")
os.rmdir(WORK + "/temporary")
step("refresh of a transient pool when the directory is gone", pool.refresh, 0)
state("after a transient pool's refresh failed", "temporary")

pool = active_pool(c, "pending")
c.storagePoolDefineXML(dir_pool("pending", WORK + "/next", uuid=pool.UUIDString()), 0)
os.rmdir(WORK + "/pending")
step("refresh with a pending definition", pool.refresh, 0)
state("after a refresh with a pending definition failed", "pending")

pool = defined_pool(c, "kept")
step("create an inactive persistent pool without directory", c.storagePoolCreateXML, dir_pool("kept", WORK + "/other", uuid=pool.UUIDString()), 0)
state("after it failed", "kept")
fact("definitions", tree(ETC + "/storage"))
