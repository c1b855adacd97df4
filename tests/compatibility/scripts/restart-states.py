"""A restart of the daemon: which pools are active afterwards, and what of them is kept."""

import os

from compat import ETC, RUN, WORK, active_pool, connect, daemon, defined_pool, dir_pool, fact, raw_volume, step, transient_pool, tree, write_file

c = connect()
active = active_pool(c, "active")
active.createXML(raw_volume("v"), 0)
defined_pool(c, "inactive")
there = defined_pool(c, "inactive-there")
there.build(0)
transient_pool(c, "transient").createXML(raw_volume("v"), 0)
transient_pool(c, "transient-gone")
gone = active_pool(c, "active-gone")
pending = active_pool(c, "pending")
c.storagePoolDefineXML(dir_pool("pending", WORK + "/pending-next", uuid=pending.UUIDString()), 0)
same = active_pool(c, "pending-same")
c.storagePoolDefineXML(dir_pool("pending-same", uuid=same.UUIDString(), extra="<permissions><mode>0700</mode></permissions>"), 0)
over = defined_pool(c, "created-over")
c.storagePoolCreateXML(dir_pool("created-over", WORK + "/created-over-live", uuid=over.UUIDString()), 1)
write_file("on-file", b"x")
defined_pool(c, "on-file", path=WORK + "/on-file")
c.storagePoolDefineXML("<pool type='logical'><name>vg</name></pool>", 0)
c.storagePoolDefineXML("<pool type='netfs'><name>nfs</name><source><host name='h'/><dir path='/e'/></source><target><path>%s</path></target></pool>" % WORK, 0)
c.storagePoolDefineXML("<pool type='fs'><name>fs</name><source><device path='/dev/nope'/></source><target><path>%s</path></target></pool>" % WORK, 0)
c.storagePoolDefineXML("<pool type='rbd'><name>rbd</name><source><name>p</name><host name='h'/></source></pool>", 0)
c.storagePoolDefineXML("<pool type='gluster'><name>gl</name><source><name>p</name><host name='h'/></source></pool>", 0)


def all_pools(label):
    for pool in sorted(c.listAllStoragePools(0), key=lambda pool: pool.name()):
        fact("%s: %s" % (label, pool.name()), [pool.isActive(), pool.isPersistent(), pool.autostart(), pool.info()[0], pool.XMLDesc(0), pool.XMLDesc(1)])
        if pool.isActive():
            fact("%s: %s: volumes" % (label, pool.name()), pool.listVolumes())
    fact(label + ": state files", [entry for entry in tree(RUN + "/storage") if ".xml" in entry or "autostarted" in entry])
    fact(label + ": definitions", tree(ETC + "/storage"))


all_pools("before")
c.close()
daemon.stop()
os.rmdir(WORK + "/active-gone")
os.rmdir(WORK + "/transient-gone")
write_file("active/added", b"new")
daemon.start()
c = connect()
all_pools("after")
step("stop an automatically active one", c.storagePoolLookupByName("inactive-there").destroy)
c.close()
daemon.kill()
daemon.start()
c = connect()
all_pools("after a kill")
step("the volume is found", c.storageVolLookupByPath, WORK + "/active/added")
