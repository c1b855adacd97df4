"""What other calls answer while a volume is built, cloned or wiped. Stand-ins hold the tools that do it."""

import os
import threading

import libvirt

from compat import WORK, active_pool, connect, dir_pool, fact, raw_volume, step, volume, wait_for
from stand_in import StandIn

c = connect()
pool = active_pool(c, "p")
other = active_pool(c, "other")
qemu_img = StandIn("/usr/bin/qemu-img")
scrub = StandIn("/usr/bin/scrub")


def in_background(call, *arguments):
    """Calls from a connection of its own; the result is printed when it is joined."""
    outcome = {}

    def run():
        try:
            outcome["result"] = call(connect(), *arguments)
        except libvirt.libvirtError as error:
            outcome["error"] = error

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def join():
        thread.join(30)
        if "error" in outcome:
            raise outcome["error"]
        return outcome.get("result")

    return join


def building(document):
    def create(connection):
        connection.storagePoolLookupByName("p").createXML(document, 0)

    qemu_img.forget()
    qemu_img.hold()
    join = in_background(create)
    fact("the build has begun", qemu_img.wait_for_call())
    return join


def upload(made):
    stream = c.newStream(0)
    made.upload(stream, 0, 0, 0)
    stream.abort()


def download(made):
    stream = c.newStream(0)
    made.download(stream, 0, 0, 0)
    stream.abort()


def pool_calls(label, which):
    step(label + ": stop", which.destroy)
    step(label + ": refresh", which.refresh, 0)
    step(label + ": delete", which.delete, 0)
    step(label + ": undefine", which.undefine)
    step(label + ": start", which.create, 0)
    step(label + ": build", which.build, 0)
    step(label + ": create it again", c.storagePoolCreateXML, dir_pool(which.name(), uuid=which.UUIDString()), 0)
    step(label + ": define it again", c.storagePoolDefineXML, dir_pool(which.name(), uuid=which.UUIDString()), 0)
    step(label + ": autostart", which.setAutostart, 1)
    step(label + ": state", lambda: which.info()[0])
    step(label + ": is active", which.isActive)
    step(label + ": names", which.listVolumes)
    step(label + ": number", which.numOfVolumes)
    made = step(label + ": create another volume", which.createXML, raw_volume("another"), 0)
    if made is not None:
        step(label + ": delete another volume", made.delete, 0)


def volume_calls(label, made):
    step(label + ": lookup by key", c.storageVolLookupByKey, made.key())
    step(label + ": lookup by path", c.storageVolLookupByPath, made.path())
    step(label + ": path", made.path)
    step(label + ": info", lambda: made.info()[:2])
    step(label + ": has a document", lambda: made.XMLDesc(0).startswith("<volume"))
    step(label + ": resize", made.resize, 8 << 20, 0)
    step(label + ": resize with bad flags", made.resize, 8 << 20, 0x40)
    step(label + ": wipe", made.wipe, 0)
    step(label + ": wipe with bad algorithm", made.wipePattern, 99, 0)
    step(label + ": upload", upload, made)
    step(label + ": download", download, made)
    step(label + ": clone", pool.createXMLFrom, raw_volume("copy"), made, 0)
    step(label + ": delete with bad flags", made.delete, 0x40)
    if "copy" in pool.listVolumes():
        pool.storageVolLookupByName("copy").delete(0)


# A volume is built, of a format for which both daemons call qemu-img
join = building(volume("v", "qed"))
v = pool.storageVolLookupByName("v")
volume_calls("building", v)
step("building: delete", v.delete, 0)
step("building: same name again", pool.createXML, raw_volume("v"), 0)
pool_calls("building, pool", pool)
step("building: refresh of another pool", other.refresh, 0)
step("building: a volume in another pool", lambda: other.createXML(raw_volume("beside"), 0).delete(0))
qemu_img.release()
step("the build ends", join)
step("built: names", pool.listVolumes)

# A build fails after it made the file
join = building(volume("fails", "qed"))
step("failing: names", pool.listVolumes)
qemu_img.fail(True)
qemu_img.release()
step("the failing build ends", join)
qemu_img.fail(False)
step("failed: names", pool.listVolumes)
fact("failed: files", sorted(os.listdir(WORK + "/p")))


# A volume is cloned
def clone(connection, name):
    target = connection.storagePoolLookupByName(name)
    target.createXMLFrom(volume("clone", "qcow2"), connection.storagePoolLookupByName("p").storageVolLookupByName("v"), 0)


for where in ("p", "other"):
    qemu_img.forget()
    qemu_img.hold()
    join = in_background(clone, where)
    fact("the clone to %s has begun" % where, qemu_img.wait_for_call())
    label = "cloning to " + where
    step(label + ": source resize", v.resize, 8 << 20, 0)
    step(label + ": source wipe", v.wipe, 0)
    step(label + ": source upload", upload, v)
    step(label + ": source download", download, v)
    step(label + ": source info", lambda: v.info()[:2])
    step(label + ": source delete", v.delete, 0)
    target = c.storagePoolLookupByName(where).storageVolLookupByName("clone")
    step(label + ": target delete", target.delete, 0)
    step(label + ": target resize", target.resize, 8 << 20, 0)
    step(label + ": target upload", upload, target)
    step(label + ": target download", download, target)
    pool_calls(label + ", its pool", pool)
    if where == "other":
        pool_calls(label + ", target pool", other)
    qemu_img.release()
    step(label + " ends", join)
    step(label + ": names", c.storagePoolLookupByName(where).listVolumes)
    target.delete(0)

# Two clones of one source at a time
qemu_img.forget()
qemu_img.hold()


def clone_as(connection, name):
    target = connection.storagePoolLookupByName("p")
    target.createXMLFrom(volume(name, "qcow2"), target.storageVolLookupByName("v"), 0)


first = in_background(clone_as, "first")
fact("the first clone has begun", qemu_img.wait_for_call())
second = in_background(clone_as, "second")
fact("the second clone has begun", wait_for(lambda: len(qemu_img.lines()) == 2))
qemu_img.release()
step("first clone", first)
step("second clone", second)
step("both are there", pool.listVolumes)

# A volume is wiped
full = pool.createXML(raw_volume("full", 65536, 65536), 0)
scrub.hold()


def wipe(connection):
    connection.storageVolLookupByPath(full.path()).wipePattern(1, 0)


join = in_background(wipe)
fact("the wipe has begun", scrub.wait_for_call())
volume_calls("wiping", full)
step("wiping: delete", full.delete, 0)
pool_calls("wiping, pool", pool)
scrub.release()
step("the wipe ends", join)
step("afterwards: delete", full.delete, 0)
step("afterwards: stop", pool.destroy)
