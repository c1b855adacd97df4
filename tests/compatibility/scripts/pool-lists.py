"""Listing pools: the old calls and the new one with every filter, on pools of all types and states."""

import libvirt

from compat import active_pool, connect, connect_read_only, defined_pool, fact, step, transient_pool

c = connect()
step("none: number", c.numOfStoragePools)
step("none: number defined", c.numOfDefinedStoragePools)
step("none: names", c.listStoragePools)
step("none: names defined", c.listDefinedStoragePools)
step("none: all", c.listAllStoragePools, 0)
active_pool(c, "active")
active_pool(c, "active-auto").setAutostart(1)
defined_pool(c, "inactive")
defined_pool(c, "inactive-auto").setAutostart(1)
transient_pool(c, "transient")
HOST = "<host name='h'/>"
T = "<target><path>/x</path></target>"
for kind, source in {
    "fs": "<device path='/dev/a'/>",
    "netfs": HOST + "<dir path='/d'/>",
    "logical": "<name>vg</name>",
    "disk": "<device path='/dev/b'/>",
    "iscsi": HOST + "<device path='iqn.a'/>",
    "scsi": "<adapter name='host9'/>",
    "mpath": "",
    "rbd": HOST + "<name>n</name>",
    "gluster": HOST + "<name>n</name>",
    "iscsi-direct": HOST + "<device path='iqn.b'/><initiator><iqn name='i'/></initiator>",
    "zfs": "<name>tank</name>",
}.items():
    c.storagePoolDefineXML("<pool type='%s'><name>of-%s</name><source>%s</source>%s</pool>" % (kind, kind, source, T), 0)

for label, connection in (("rw", c), ("ro", connect_read_only())):
    step(label + " number", connection.numOfStoragePools)
    step(label + " number defined", connection.numOfDefinedStoragePools)
    step(label + " names", connection.listStoragePools)
    step(label + " names defined", connection.listDefinedStoragePools)
    step(label + " all", connection.listAllStoragePools, 0)

PREFIX = "VIR_CONNECT_LIST_STORAGE_POOLS_"
FLAGS = {name[len(PREFIX) :]: getattr(libvirt, name) for name in dir(libvirt) if name.startswith(PREFIX)}
for name, flag in sorted(FLAGS.items()):
    step("filter " + name, c.listAllStoragePools, flag)
for one in ("ACTIVE", "INACTIVE", "PERSISTENT", "TRANSIENT", "AUTOSTART", "NO_AUTOSTART"):
    for two in sorted(FLAGS):
        if one != two:
            step("filter %s and %s" % (one, two), c.listAllStoragePools, FLAGS[one] | FLAGS[two])
step("filter DIR, FS and RBD", c.listAllStoragePools, FLAGS["DIR"] | FLAGS["FS"] | FLAGS["RBD"])
step("filter all", c.listAllStoragePools, (1 << 20) - 1)
for bit in range(20, 31):
    step("filter bit %d" % bit, c.listAllStoragePools, 1 << bit)
