"""Defining and creating with names and UUIDs that are taken."""

from compat import WORK, active_pool, connect, defined_pool, dir_pool, fact, step, transient_pool

ONE = "5e7a1f00-0000-0000-0000-000000000001"
TWO = "5e7a1f00-0000-0000-0000-000000000002"
c = connect()
inactive = defined_pool(c, "one", uuid=ONE)


def attempts(state):
    for how, call in (("define", c.storagePoolDefineXML), ("create", c.storagePoolCreateXML)):
        step("%s %s: other name, same uuid" % (state, how), call, dir_pool("two", uuid=ONE), 0)
        step("%s %s: same name, other uuid" % (state, how), call, dir_pool("one", uuid=TWO), 0)
        step("%s %s: same name, no uuid" % (state, how), call, dir_pool("one"), 0)
        step("%s %s: same name and other path" % (state, how), call, dir_pool("one", WORK + "/elsewhere", uuid=TWO), 0)
        step("%s %s: other name and same path" % (state, how), call, dir_pool("two", WORK + "/one", uuid=TWO), 0)
        step("%s %s: other name, same uuid and other path" % (state, how), call, dir_pool("two", WORK + "/elsewhere", uuid=ONE), 0)
    fact("%s: all pools" % state, c.listAllStoragePools(0))


attempts("inactive")
step("define again", c.storagePoolDefineXML, dir_pool("one", uuid=ONE), 0)
step("define with another path", c.storagePoolDefineXML, dir_pool("one", WORK + "/moved", uuid=ONE), 0)
step("its document", inactive.XMLDesc, 0)
step("define with another type", c.storagePoolDefineXML, "<pool type='logical'><name>one</name><uuid>%s</uuid></pool>" % ONE, 0)
step("its document as another type", inactive.XMLDesc, 0)
step("undefine", inactive.undefine)

active_pool(c, "one", uuid=ONE)
attempts("active")
step("create the active pool again", c.storagePoolCreateXML, dir_pool("one", uuid=ONE), 0)
pool = c.storagePoolLookupByName("one")
pool.destroy()
pool.undefine()

transient = transient_pool(c, "one", uuid=ONE)
attempts("transient")
step("create the transient pool again", c.storagePoolCreateXML, dir_pool("one", uuid=ONE), 0)
transient.destroy()
step("left", c.listAllStoragePools, 0)
