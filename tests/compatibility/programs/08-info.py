#!/usr/bin/python3
"""Prints everything that can be asked about a connection, a pool and a volume."""

import os
import sys

import libvirt

connection = libvirt.open("qemu:///system")
print("alive", connection.isAlive(), "secure", connection.isSecure(), "encrypted", connection.isEncrypted())
print("type", connection.getType(), "uri", connection.getURI())
path = os.path.join(sys.argv[1], "info")
os.makedirs(path)
pool = connection.storagePoolDefineXML(
    "<pool type='dir'><name>info</name><uuid>11111111-0000-4000-8000-000000000001</uuid><target><path>%s</path></target></pool>" % path
)
print(pool.info(), pool.UUIDString(), pool.UUID().hex())
pool.create()
print(pool.info()[0], pool.info()[1] > 0, pool.name())
volume = pool.createXML("<volume><name>v</name><capacity>1000000</capacity><allocation>0</allocation></volume>")
print(volume.name(), volume.key(), volume.path())
print(volume.info(), volume.infoFlags(libvirt.VIR_STORAGE_VOL_GET_PHYSICAL))
with open(volume.path(), "r+b") as file:
    file.write(b"x" * 10000)
print(volume.info(), volume.infoFlags(libvirt.VIR_STORAGE_VOL_GET_PHYSICAL))
os.mkdir(os.path.join(path, "directory"))
os.symlink("v", os.path.join(path, "link"))
pool.refresh()
for volume in sorted(pool.listAllVolumes(), key=lambda volume: volume.name()):
    print(volume.name(), volume.info())
print(connection.storagePoolLookupByTargetPath(path).name())
print(connection.storagePoolLookupByUUIDString(pool.UUIDString()).name())
print(connection.storagePoolLookupByUUID(pool.UUID()).name())
print([pool.name() for pool in connection.listAllStoragePools(libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE)])
