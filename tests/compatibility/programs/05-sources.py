#!/usr/bin/python3
"""Asks which sources there are for pools, and keeps pools from using one source twice."""

import sys

import libvirt

libvirt.registerErrorHandler(lambda context, error: None, None)
connection = libvirt.open("qemu:///system")
for kind in ("dir", "fs", "disk", "rbd", "scsi", "mpath", "nosuch"):
    try:
        print(kind, connection.findStoragePoolSources(kind, None))
    except libvirt.libvirtError as error:
        print(kind, error.get_error_code(), error)
for kind in ("netfs", "iscsi"):
    for specification in (None, "<source/>", "<source><host/></source>"):
        try:
            print(kind, connection.findStoragePoolSources(kind, specification))
        except libvirt.libvirtError as error:
            print(kind, error.get_error_code(), error)

TEMPLATE = "<pool type='%s'><name>%s</name><source>%s</source><target><path>%s/%s</path></target></pool>"
SOURCES = (
    ("netfs", "<host name='nas'/><dir path='/exports/%s'/>"),
    ("iscsi", "<host name='nas'/><device path='iqn.2026-01.nas:%s'/>"),
    ("fs", "<device path='/dev/disk/by-label/%s'/>"),
    ("logical", "<device path='/dev/%s'/><name>vg</name>"),
)
for kind, source in SOURCES:
    for name, target in (("one", "a"), ("two", "b"), ("three", "a")):
        try:
            pool = connection.storagePoolDefineXML(TEMPLATE % (kind, kind + name, source % target, sys.argv[1], kind + name))
            print("defined", pool.name())
        except libvirt.libvirtError as error:
            print(kind + name, error)
for pool in sorted(connection.listAllStoragePools(), key=lambda pool: pool.name()):
    print(pool.name(), pool.isActive())
    pool.undefine()
