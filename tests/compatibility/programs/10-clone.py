#!/usr/bin/python3
"""Clones a master volume several times, also into other formats and another pool."""

import os
import subprocess
import sys

import libvirt

libvirt.registerErrorHandler(lambda context, error: None, None)
connection = libvirt.open("qemu:///system")


def new_pool(name):
    path = os.path.join(sys.argv[1], name)
    return connection.storagePoolCreateXML(
        "<pool type='dir'><name>%s</name><target><path>%s</path></target></pool>" % (name, path),
        libvirt.VIR_STORAGE_POOL_CREATE_WITH_BUILD,
    )


masters, clones = new_pool("masters"), new_pool("clones")
master = masters.createXML("<volume><name>master.img</name><capacity unit='MiB'>4</capacity><allocation>0</allocation></volume>")
with open(master.path(), "r+b") as file:
    file.seek(1 << 20)
    file.write(b"operating system" * 1000)
TEMPLATE = "<volume><name>%s</name><capacity unit='MiB'>%d</capacity><allocation>0</allocation><target><format type='%s'/></target></volume>"
for name, size, form in (("same.img", 4, "raw"), ("larger.img", 8, "raw"), ("copy.qcow2", 4, "qcow2"), ("copy.vmdk", 4, "vmdk")):
    clone = clones.createXMLFrom(TEMPLATE % (name, size, form), master)
    equal = subprocess.run(["qemu-img", "compare", "-f", "raw", "-F", form, master.path(), clone.path()], capture_output=True, text=True)
    print(name, clone.info()[:2], equal.stdout.strip().split("\n")[-1])
beside = masters.createXMLFrom("<volume><name>beside.img</name></volume>", master)
print(beside.name(), beside.info())
try:
    masters.createXMLFrom("<volume><name>beside.img</name></volume>", master)
except libvirt.libvirtError as error:
    print(error.get_error_code(), error)
print(sorted(masters.listVolumes()), sorted(clones.listVolumes()))
for pool in (masters, clones):
    for volume in pool.listAllVolumes():
        volume.delete()
    path = [line for line in pool.XMLDesc().split("\n") if "<path>" in line]
    pool.destroy()
    print("emptied", path)
