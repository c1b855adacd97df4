"""Autostart at daemon start: once per boot, by links, and by SIGHUP regardless."""

import os

from compat import ETC, RUN, WORK, connect, daemon, defined_pool, dir_pool, fact, step, tree, wait_for

c = connect()
# A directory pool whose directory is there becomes active in any case, so these have none until the daemon is stopped,
# or an unreachable one; whether autostart was tried shows in the marker and in pools that only start can make active.
for name in ("one", "two", "three"):
    pool = defined_pool(c, name)
    pool.setAutostart(1)
defined_pool(c, "four")


def seen(label):
    fact(label, [[pool.name(), pool.isActive(), pool.autostart()] for pool in sorted(c.listAllStoragePools(0), key=lambda p: p.name())])
    fact(label + ": marker", [entry for entry in tree(RUN + "/storage") if entry.startswith("autostarted")])


seen("before")
c.close()
daemon.stop()
os.mkdir(WORK + "/one")
daemon.start()
c = connect()
seen("one directory made, marker there")
c.storagePoolLookupByName("one").destroy()
c.close()
daemon.stop()
os.unlink(RUN + "/storage/autostarted")
os.mkdir(WORK + "/two")
os.mkdir(WORK + "/four")
daemon.start()
c = connect()
seen("marker removed")
for name in ("one", "two", "four"):
    c.storagePoolLookupByName(name).destroy()
seen("all stopped")
daemon.reload()
wait_for(lambda: c.storagePoolLookupByName("one").isActive())
seen("after SIGHUP")
os.mkdir(WORK + "/three")
daemon.reload()
wait_for(lambda: c.storagePoolLookupByName("three").isActive())
seen("after another SIGHUP")

# Links that others made
c.close()
daemon.stop()
links = ETC + "/storage/autostart"
fact("links", tree(links))
os.unlink(links + "/one.xml")
target = os.readlink(links + "/two.xml")
os.unlink(links + "/two.xml")
os.symlink("../two.xml", links + "/two.xml")
os.symlink(target.replace("two.xml", "four.xml"), links + "/four.xml")
os.symlink("/nowhere", links + "/one.xml")
daemon.start()
c = connect()
seen("links changed by hand")
fact("links afterwards", tree(links))
step("clear a relative link", c.storagePoolLookupByName("two").setAutostart, 0)
step("set over a wrong link", c.storagePoolLookupByName("one").setAutostart, 1)
fact("links in the end", tree(links))
