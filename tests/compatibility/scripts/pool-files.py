"""The files of a pool: names, modes, contents, in every state."""

import os

from compat import ETC, RUN, WORK, connect, dir_pool, fact, read_file, step

UUID = "5e7a1f00-0000-0000-0000-00000000000a"
c = connect()


def files(label):
    for title, place in (("definitions", ETC), ("state", RUN)):
        for name in sorted(os.listdir(place + "/storage")):
            path = "%s/storage/%s" % (place, name)
            if name.endswith(".xml") and not os.path.islink(path):
                fact("%s: %s %s" % (label, title, name), [oct(os.stat(path).st_mode), read_file(path)])


for name in ("plain", "with blank", "quote'd", "a--b", "semi;colon", "pöol", "dash-dot.under_score", "at@home,x:y+z=%", "*"):
    pool = step("define " + name, c.storagePoolDefineXML, dir_pool(name, WORK + "/d", uuid=UUID), 0)
    files("defined " + name)
    pool.build(0)
    pool.create(0)
    files("started " + name)
    pool.refresh(0)
    files("refreshed " + name)
    pool.setAutostart(1)
    files("autostarted " + name)
    pool.destroy()
    files("stopped " + name)
    pool.delete(0)
    pool.undefine()
    files("undefined " + name)

created = c.storagePoolCreateXML(dir_pool("created", WORK + "/d", uuid=UUID, extra="<permissions><mode>0700</mode></permissions>"), 1)
files("transient")
step("define it", c.storagePoolDefineXML, dir_pool("created", WORK + "/e", uuid=UUID), 0)
files("made persistent")
created.destroy()
files("stopped in the end")

# The configuration file is not writable any more: what a refused write leaves.
created.undefine()
os.rename(ETC + "/storage", ETC + "/moved")
with open(ETC + "/storage", "w", encoding="ascii") as blocker:
    blocker.write("x")
step("define when the directory is a file", c.storagePoolDefineXML, dir_pool("refused", WORK + "/f", uuid=UUID), 0)
step("nothing is left of it", c.listAllStoragePools, 0)
os.unlink(ETC + "/storage")
step("define when the directory is missing", c.storagePoolDefineXML, dir_pool("again", WORK + "/f", uuid=UUID), 0)
files("the directory was made")
for pool in c.listAllStoragePools(0):
    pool.undefine()
for name in os.listdir(ETC + "/storage") if os.path.isdir(ETC + "/storage") else []:
    os.rmdir(ETC + "/storage/" + name)
if os.path.isdir(ETC + "/storage"):
    os.rmdir(ETC + "/storage")
os.rename(ETC + "/moved", ETC + "/storage")
