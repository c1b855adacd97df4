"""Listing volumes: numbers, names and objects, in active, empty and inactive pools."""

from compat import active_pool, connect, connect_read_only, defined_pool, raw_volume, step, volume

c = connect()
empty = active_pool(c, "empty")
full = active_pool(c, "full")
for number in range(30):
    full.createXML(raw_volume("volume%02d" % number, 4096), 0)
full.createXML(volume("q.qcow2", "qcow2"), 0)
full.createXML(volume("d", "dir", 0), 0)
inactive = defined_pool(c, "inactive")
read_only = connect_read_only().storagePoolLookupByName("full")
for label, pool in (("empty", empty), ("full", full), ("inactive", inactive), ("read-only", read_only)):
    step(label + ": number", pool.numOfVolumes)
    step(label + ": names", pool.listVolumes)
    step(label + ": all", pool.listAllVolumes, 0)
    for flags in (1, 2, 0x40):
        step("%s: all with flags %d" % (label, flags), pool.listAllVolumes, flags)
