"""Autostart: links on disk, refusals, what undefine and redefine do to them."""

import os

from compat import ETC, WORK, active_pool, connect, defined_pool, dir_pool, fact, step, transient_pool, tree

c = connect()


def links(label):
    place = ETC + "/storage/autostart"
    fact(label, tree(place) if os.path.isdir(place) else None)


pool = defined_pool(c, "p")
links("nothing yet")
step("get", pool.autostart)
step("clear when clear", pool.setAutostart, 0)
step("set", pool.setAutostart, 1)
step("get set", pool.autostart)
links("set")
step("set again", pool.setAutostart, 1)
step("set to 2", pool.setAutostart, 2)
step("get 2", pool.autostart)
links("set again")
step("redefine", c.storagePoolDefineXML, dir_pool("p", WORK + "/other", uuid=pool.UUIDString()), 0)
step("still set", pool.autostart)
links("redefined")
step("clear", pool.setAutostart, 0)
step("get clear", pool.autostart)
links("cleared")
step("set to -1", pool.setAutostart, -1)
step("get -1", pool.autostart)

active = active_pool(c, "active")
step("set on an active pool", active.setAutostart, 1)
links("active set")
step("stop keeps it", active.destroy)
step("get when stopped", active.autostart)
step("undefine removes it", active.undefine)
links("undefined")

odd = defined_pool(c, "odd name's --")
step("set on an odd name", odd.setAutostart, 1)
links("odd name")

link = ETC + "/storage/autostart/p.xml"
os.unlink(link)
step("clear when the link is gone", pool.setAutostart, 0)
step("get after that", pool.autostart)
os.symlink("/elsewhere", link)
step("set when something is in the way", pool.setAutostart, 1)
step("get after something was in the way", pool.autostart)
links("something was in the way")

transient = transient_pool(c, "t")
step("set on a transient pool", transient.setAutostart, 1)
step("clear on a transient pool", transient.setAutostart, 0)
step("get on a transient pool", transient.autostart)
step("undefine with link", pool.undefine)
links("in the end")
