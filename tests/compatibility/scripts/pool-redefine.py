"""Redefinition: inactive, active, transient made persistent, created over an inactive one."""

import os

from compat import ETC, RUN, WORK, active_pool, connect, defined_pool, dir_pool, fact, read_file, step, transient_pool

UUID = "5e7a1f00-0000-0000-0000-000000000009"
c = connect()


def seen(label, pool):
    step(label + ": active, persistent, autostart", lambda: [pool.isActive(), pool.isPersistent(), pool.autostart()])
    step(label + ": live", pool.XMLDesc, 0)
    step(label + ": inactive", pool.XMLDesc, 1)
    step(label + ": info", pool.info)
    name = pool.name()
    for place in (ETC, RUN):
        path = "%s/storage/%s.xml" % (place, name)
        fact(label + ": file " + os.path.basename(place), read_file(path) if os.path.exists(path) else None)


pool = defined_pool(c, "p", uuid=UUID)
seen("defined", pool)
step("redefine inactive", c.storagePoolDefineXML, dir_pool("p", WORK + "/p2", uuid=UUID), 0)
seen("redefined inactive", pool)
pool.build(0)
pool.create(0)
seen("started", pool)
step("redefine active", c.storagePoolDefineXML, dir_pool("p", WORK + "/p3", uuid=UUID, extra="<permissions><mode>0700</mode></permissions>"), 0)
seen("redefined active", pool)
step("redefine active again", c.storagePoolDefineXML, dir_pool("p", WORK + "/p4", uuid=UUID), 0)
seen("redefined active again", pool)
step("lookup by the live path", c.storagePoolLookupByTargetPath, WORK + "/p2")
step("lookup by the pending path", c.storagePoolLookupByTargetPath, WORK + "/p4")
step("another pool on the live path", c.storagePoolDefineXML, dir_pool("q", WORK + "/p2"), 0)
step("another pool on the pending path", c.storagePoolDefineXML, dir_pool("q", WORK + "/p4"), 0)
for other in c.listAllStoragePools(0):
    if other.name() == "q":
        other.undefine()
step("refresh", pool.refresh, 0)
seen("refreshed", pool)
step("autostart", pool.setAutostart, 1)
seen("autostarted", pool)
step("stop", pool.destroy)
seen("stopped", pool)
step("start without directory", pool.create, 0)
pool.build(0)
step("start", pool.create, 0)
seen("started with the new definition", pool)
step("define while active with the same document", c.storagePoolDefineXML, pool.XMLDesc(1), 0)
seen("defined the same", pool)
step("stop again", pool.destroy)
step("undefine", pool.undefine)

transient = transient_pool(c, "t", uuid=UUID)
seen("transient", transient)
step("define over transient", c.storagePoolDefineXML, dir_pool("t", WORK + "/t", uuid=UUID), 0)
seen("made persistent", transient)
step("autostart now", transient.setAutostart, 1)
step("stop it", transient.destroy)
seen("stopped and still there", transient)
step("undefine it", transient.undefine)

transient = transient_pool(c, "u", uuid=UUID)
step("define over transient with another path", c.storagePoolDefineXML, dir_pool("u", WORK + "/u2", uuid=UUID), 0)
seen("made persistent with another path", transient)
step("stop the other", transient.destroy)
seen("stopped, other path", transient)
step("undefine the other", transient.undefine)

persistent = defined_pool(c, "v", uuid=UUID)
persistent.build(0)
step("create over an inactive one", c.storagePoolCreateXML, dir_pool("v", WORK + "/v2", uuid=UUID), 1)
seen("created over", persistent)
step("stop the created", persistent.destroy)
seen("stopped the created", persistent)
step("create over it without uuid", c.storagePoolCreateXML, dir_pool("v", WORK + "/v2"), 1)
step("undefine the created", persistent.undefine)
