#!/usr/bin/python3
"""Shows the storage pools of this host and the volumes in the active ones."""

import os
import sys

import libvirt

connection = libvirt.open("qemu:///system")
directory = sys.argv[1]

# Something to show
for name in ("images", "isos"):
    path = os.path.join(directory, name)
    os.makedirs(path, exist_ok=True)
    pool = connection.storagePoolDefineXML(
        "<pool type='dir'><name>%s</name><target><path>%s</path></target></pool>" % (name, path)
    )
pool = connection.storagePoolLookupByName("images")
pool.create()
for number in range(3):
    pool.createXML("<volume><name>disk%d.img</name><capacity unit='MiB'>%d</capacity></volume>" % (number, number + 1))

for pool in sorted(connection.listAllStoragePools(), key=lambda pool: pool.name()):
    print("%-10s %-8s" % (pool.name(), "active" if pool.isActive() else "inactive"))
    if pool.isActive():
        for volume in sorted(pool.listAllVolumes(), key=lambda volume: volume.name()):
            print("    %-12s %s" % (volume.name(), volume.path()))
print("active:", connection.numOfStoragePools(), sorted(connection.listStoragePools()))
print("inactive:", connection.numOfDefinedStoragePools(), sorted(connection.listDefinedStoragePools()))
connection.close()
