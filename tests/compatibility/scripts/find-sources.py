"""Finding sources of pools: types without discovery, bad types, specifications and flags."""

from compat import connect, connect_read_only, step

c = connect()
SPEC = "<source>%s</source>"
HOST = "<host name='127.0.0.1'/>"
for kind in ("dir", "fs", "disk", "scsi", "mpath", "rbd", "zfs", "sheepdog", "vstorage", "foo", "", "DIR", "logical "):
    step("%s without specification" % kind, c.findStoragePoolSources, kind, None, 0)
    step("%s with specification" % kind, c.findStoragePoolSources, kind, SPEC % HOST, 0)
for kind in ("netfs", "iscsi", "gluster", "iscsi-direct"):
    step("%s without specification" % kind, c.findStoragePoolSources, kind, None, 0)
    step("%s with empty specification" % kind, c.findStoragePoolSources, kind, SPEC % "", 0)
    step("%s with two hosts" % kind, c.findStoragePoolSources, kind, SPEC % (HOST + HOST), 0)
    step("%s not XML" % kind, c.findStoragePoolSources, kind, "<so", 0)
    step("%s empty text" % kind, c.findStoragePoolSources, kind, "", 0)
    step("%s wrong root" % kind, c.findStoragePoolSources, kind, "<pool/>", 0)
    step("%s host without name" % kind, c.findStoragePoolSources, kind, SPEC % "<host/>", 0)
    step("%s bad port" % kind, c.findStoragePoolSources, kind, SPEC % "<host name='h' port='x'/>", 0)
    for flags in (1, 2):
        step("%s flags %d" % (kind, flags), c.findStoragePoolSources, kind, None, flags)
step("iscsi-direct without initiator", c.findStoragePoolSources, "iscsi-direct", SPEC % HOST, 0)
step("logical flags", c.findStoragePoolSources, "logical", None, 1)
step("foo with flags", c.findStoragePoolSources, "foo", None, 1)
step("read-only", connect_read_only().findStoragePoolSources, "netfs", None, 0)
step("read-only dir", connect_read_only().findStoragePoolSources, "dir", None, 0)
