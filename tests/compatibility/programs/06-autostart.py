#!/usr/bin/python3
"""Marks pools for autostart and lists which are."""

import os
import sys

import libvirt

connection = libvirt.open("qemu:///system")
pools = []
for name in ("a", "b", "c"):
    path = os.path.join(sys.argv[1], name)
    pools.append(connection.storagePoolDefineXML("<pool type='dir'><name>auto-%s</name><target><path>%s</path></target></pool>" % (name, path)))


def show():
    for pool in sorted(connection.listAllStoragePools(), key=lambda pool: pool.name()):
        print("%s: %s" % (pool.name(), "yes" if pool.autostart() else "no"))
    with_flag = connection.listAllStoragePools(libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_AUTOSTART)
    without = connection.listAllStoragePools(libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_NO_AUTOSTART)
    print("autostart:", sorted(pool.name() for pool in with_flag), "none:", sorted(pool.name() for pool in without))


show()
for pool in pools[:2]:
    pool.setAutostart(True)
show()
pools[0].setAutostart(False)
pools[2].setAutostart(1)
show()
pools[1].build()
pools[1].create()
print("active and autostart:", pools[1].isActive(), pools[1].autostart())
pools[1].setAutostart(0)
show()
pools[1].destroy()
for pool in pools:
    pool.undefine()
print("left:", connection.listDefinedStoragePools())
