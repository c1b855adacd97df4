#!/usr/bin/python3
"""How full each pool is, and which volumes take the most."""

import os
import sys

import libvirt

STATES = {0: "inactive", 1: "building", 2: "running", 3: "degraded", 4: "inaccessible"}


def human(size):
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024 or unit == "TiB":
            return "%.1f %s" % (size, unit)
        size /= 1024


connection = libvirt.open("qemu:///system")
path = os.path.join(sys.argv[1], "data")
os.makedirs(path, exist_ok=True)
pool = connection.storagePoolCreateXML("<pool type='dir'><name>data</name><target><path>%s</path></target></pool>" % path)
for name, capacity, allocation in (("thin", 64, 0), ("thick", 16, 16), ("half", 8, 4)):
    pool.createXML(
        "<volume><name>%s</name><capacity unit='MiB'>%d</capacity><allocation unit='MiB'>%d</allocation></volume>"
        % (name, capacity, allocation)
    )
state, capacity, allocation, available = pool.info()
print("%s: %s, %s of %s used, %s free" % (pool.name(), STATES[state], human(allocation), human(capacity), human(available)))
assert capacity == allocation + available
volumes = pool.listAllVolumes()
for volume in sorted(volumes, key=lambda volume: volume.info()[2], reverse=True):
    kind, size, used = volume.info()
    print("  %-6s %10s of %10s" % (volume.name(), human(used), human(size)))
print("promised:", human(sum(volume.info()[1] for volume in volumes)))
pool.refresh()
print("the same after a refresh:", sorted(volume.name() for volume in pool.listAllVolumes()))
pool.destroy()
print("pools left:", [pool.name() for pool in connection.listAllStoragePools()])
