"""Definitions and state files that are wrong, foreign or by hand, read at daemon start and at SIGHUP."""

import os

from compat import ETC, RUN, WORK, active_pool, connect, daemon, defined_pool, dir_pool, fact, read_file, step, tree

c = connect()
good = active_pool(c, "good", uuid="5e7a1f00-0000-0000-0000-000000000001")
state = read_file(RUN + "/storage/good.xml")
definition = read_file(ETC + "/storage/good.xml")
c.close()
daemon.stop()


def put(place, name, text):
    with open("%s/storage/%s" % (place, name), "w", encoding="utf-8") as file:
        file.write(text)


put(ETC, "empty.xml", "")
put(ETC, "broken.xml", "<pool type='dir'><name>broken")
put(ETC, "othername.xml", dir_pool("different"))
put(ETC, "notxml.txt", dir_pool("notxml"))
put(ETC, "plain.xml", dir_pool("plain", uuid="5e7a1f00-0000-0000-0000-000000000002"))
put(ETC, "nouuid.xml", dir_pool("nouuid"))
put(ETC, "dupuuid.xml", dir_pool("dupuuid", uuid="5e7a1f00-0000-0000-0000-000000000001"))
put(ETC, "zconflict.xml", dir_pool("zconflict", WORK + "/good"))
put(ETC, "wrongtype.xml", "<pool type='foo'><name>wrongtype</name></pool>")
put(ETC, "rich.xml", "<!-- by hand -->\n<pool type='dir'>\n <name>rich</name>\n <uuid>5e7a1f00-0000-0000-0000-000000000003</uuid>\n <capacity>123</capacity><allocation unit='K'>4</allocation><zz/>\n <target><path>/rich//x/</path></target>\n</pool>\n")
put(ETC, "spaced name.xml", dir_pool("spaced name", uuid="5e7a1f00-0000-0000-0000-000000000004"))
os.mkdir(ETC + "/storage/directory.xml")
os.symlink("plain.xml", ETC + "/storage/linked.xml")
os.mkdir(WORK + "/stated")
put(RUN, "stated.xml", state.replace("good", "stated").replace("000000000001", "000000000005"))
put(RUN, "mismatch.xml", state.replace("good", "stated2").replace("000000000001", "000000000006"))
put(RUN, "broken.xml", "<poolstate><pool")
put(RUN, "noroot.xml", dir_pool("noroot", WORK + "/stated"))
put(RUN, "nopool.xml", "<poolstate/>")
put(RUN, "missing.xml", state.replace("good", "missing").replace("000000000001", "000000000007"))
daemon.start()
c = connect()


def seen(label):
    for pool in sorted(c.listAllStoragePools(0), key=lambda pool: pool.name()):
        fact("%s: %s" % (label, pool.name()), [pool.isActive(), pool.isPersistent(), pool.autostart(), pool.XMLDesc(0), pool.XMLDesc(1)])
    fact(label + ": files", [entry for entry in tree(ETC + "/storage") if "bytes" not in entry or "nouuid" not in entry])
    fact(label + ": state files", [entry for entry in tree(RUN + "/storage") if "driver.pid" not in entry])


seen("started")
fact("a definition by hand is left as it is", read_file(ETC + "/storage/rich.xml"))
fact("a definition is left as it is", read_file(ETC + "/storage/good.xml") == definition)
step("change of one by hand", c.storagePoolLookupByName("rich").setAutostart, 1)
fact("its file then", read_file(ETC + "/storage/rich.xml"))

put(ETC, "added.xml", dir_pool("added", uuid="5e7a1f00-0000-0000-0000-000000000008"))
put(ETC, "plain.xml", dir_pool("plain", WORK + "/plain2", uuid="5e7a1f00-0000-0000-0000-000000000002"))
os.unlink(ETC + "/storage/spaced name.xml")
daemon.reload()
seen("reloaded")
put(ETC, "good.xml", definition.replace(WORK + "/good", WORK + "/good-next"))
daemon.reload()
seen("reloaded with a new definition of an active pool")
step("stop it", c.storagePoolLookupByName("good").destroy)
step("its document then", c.storagePoolLookupByName("good").XMLDesc, 0)
