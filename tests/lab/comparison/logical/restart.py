"""Pools of volume groups over restarts of the daemon."""

import os
import subprocess

from compat import connect, daemon, fact, step, wait_for

DISK = os.environ["DISK_A"]
c = connect()
pool = c.storagePoolDefineXML(
    "<pool type='logical'><name>p</name><source><device path='%s'/><name>cmp</name></source>"
    "<target><path>/dev/cmp</path></target></pool>" % DISK,
    0,
)
pool.build(0)
pool.create(0)
pool.createXML("<volume><name>v</name><capacity>8388608</capacity></volume>", 0)


def state(label):
    global c
    c = connect()
    found = c.storagePoolLookupByName("p")
    # On a slow machine our daemon opens its door before it has looked at every pool.
    wait_for(lambda: not found.isActive() or found.info()[1] > 0, 30)
    step(label + ": active", found.isActive)
    step(label + ": volumes", found.listVolumes)
    step(label + ": info", found.info)


daemon.restart()
state("after a restart of a running pool")
c.storagePoolLookupByName("p").destroy()
fact("active volumes", subprocess.run(["lvs", "--noheadings", "-o", "lv_active", "cmp"], stdout=subprocess.PIPE, timeout=60).stdout.decode().split())
daemon.restart()
state("after a restart of a stopped pool")
c.storagePoolLookupByName("p").setAutostart(1)
daemon.restart()
state("after a restart of a stopped pool with autostart")
found = c.storagePoolLookupByName("p")
step("start", found.create, 0)
daemon.kill()
daemon.start()
state("after a kill of the daemon")
daemon.stop()
subprocess.run(["vgchange", "-an", "cmp"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)
daemon.start()
state("after the group was deactivated behind its back")
