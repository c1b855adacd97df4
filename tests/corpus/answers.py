"""Puts documents to a daemon and prints what it answers, in the form in which the corpus holds a libvirtd's answers.

Reads {"pools": {name: document}, "volumes": {name: document}, "backing": [string]} from stdin; prints the same with an
object of answers for each. The pool's directory is <work>/images; COMPAT_WORK names the work directory.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import libvirt

import compat

ElementTree.register_namespace("fs", "http://libvirt.org/schemas/storagepool/fs/1.0")
ElementTree.register_namespace("rbd", "http://libvirt.org/schemas/storagepool/rbd/1.0")

IMAGES = os.path.join(compat.WORK, "images")
FILTERS = {
    name[len("VIR_CONNECT_LIST_STORAGE_POOLS_") :]: getattr(libvirt, name)
    for name in dir(libvirt)
    if name.startswith("VIR_CONNECT_LIST_STORAGE_POOLS_")
}
# Filters of types that came after 9.0.0 or that the recorded machine had no backend for are not in the recordings.
RECORDED_FILTERS = (
    "ACTIVE AUTOSTART DIR DISK FS INACTIVE ISCSI LOGICAL MPATH NETFS NO_AUTOSTART PERSISTENT RBD SCSI TRANSIENT"
).split()
OTHER_UUID = "5e7a1f00-9999-9999-9999-999999999999"


def answer(call, *arguments):
    try:
        result = call(*arguments)
    except libvirt.libvirtError as error:
        names = ("code", "domain", "message", "level", "str1", "str2", "str3", "int1", "int2")
        return {"err": dict(zip(names, error.err))}
    if isinstance(result, (libvirt.virStoragePool, libvirt.virStorageVol)):
        return {"ok": True}
    return {"ok": result}


def without_times(described):
    if "ok" in described:
        described["ok"] = re.sub(r"<(.time)>[\d.]+<", r"<\1>T<", described["ok"])
    return described


def remove_pools(connection):
    for pool in connection.listAllStoragePools(0):
        if pool.isActive():
            pool.destroy()
        pool.undefine()


# Pools


def define(connection, document, flags=0):
    """The answer to a definition and the pool, if there is one."""
    before = {pool.UUIDString() for pool in connection.listAllStoragePools(0)}
    described = answer(connection.storagePoolDefineXML, document, flags)
    new = [pool for pool in connection.listAllStoragePools(0) if pool.UUIDString() not in before]
    return described, new[0] if new else None


def pool_answers(connection, document):
    found = {}
    found["define"], pool = define(connection, document)
    if pool is None:
        return found
    uuid = pool.UUIDString()
    found["name"] = answer(pool.name)
    found["uuid"] = answer(pool.UUIDString)
    found["info"] = answer(pool.info)
    found["autostart"] = answer(pool.autostart)
    found["persistent"] = answer(pool.isPersistent)
    found["active"] = answer(pool.isActive)
    found["filters"] = [
        name for name in RECORDED_FILTERS if any(one.UUIDString() == uuid for one in connection.listAllStoragePools(FILTERS[name]))
    ]
    found["xml"] = answer(pool.XMLDesc, 0)
    found["xml_inactive"] = answer(pool.XMLDesc, libvirt.VIR_STORAGE_XML_INACTIVE)
    found["xml_badflag"] = answer(pool.XMLDesc, 2)
    found["num"] = answer(pool.numOfVolumes)
    found["refresh"] = answer(pool.refresh, 0)
    found["undefine"] = answer(pool.undefine)
    found["after"] = answer(connection.storagePoolLookupByUUIDString, uuid)
    return json.loads(json.dumps(found).replace(uuid, "@UUID@")) if "<uuid>" not in document else found


def changed(document, name=None, uuid=None):
    """The document with another name and UUID; an empty UUID takes it out."""
    root = ElementTree.fromstring(document)
    for tag, text in (("name", name), ("uuid", uuid)):
        if text is None:
            continue
        element = root.find(tag)
        if text == "":
            if element is not None:
                root.remove(element)
            continue
        if element is None:
            element = ElementTree.Element(tag)
            root.insert(0, element)
        element.text = text
    return ElementTree.tostring(root, encoding="unicode")


def redefine_answers(connection, document):
    found = {}
    found["define"], pool = define(connection, document)
    if pool is None:
        return found
    uuid = pool.UUIDString()
    found["autostart_on"] = answer(pool.setAutostart, 1)
    found["again"] = answer(connection.storagePoolDefineXML, document, 0)
    found["autostart"] = answer(pool.autostart)
    found["again2"] = answer(connection.storagePoolDefineXML, document, 0)
    found["other_uuid"] = answer(connection.storagePoolDefineXML, changed(document, uuid=OTHER_UUID, name=pool.name()), 0)
    if "<uuid>" in document:
        found["other_name"] = answer(connection.storagePoolDefineXML, changed(document, name="tckother"), 0)
    found["dup_source"] = answer(connection.storagePoolDefineXML, changed(document, name="tckother2", uuid=""), 0)
    found["left"] = {"ok": sorted(one.name() for one in connection.listAllStoragePools(0))}
    return json.loads(json.dumps(found).replace(uuid, "@UUID@")) if "<uuid>" not in document else found


# Volumes


def fresh_pool(connection):
    shutil.rmtree(IMAGES, ignore_errors=True)
    os.makedirs(IMAGES)
    return connection.storagePoolCreateXML(
        "<pool type='dir'><name>tckxml</name><target><path>%s</path></target></pool>" % IMAGES, 0
    )


def volume_answers(connection, document):
    pool = fresh_pool(connection)
    found = {"create": answer(pool.createXML, document, 0), "dir": sorted(os.listdir(IMAGES))}
    if "ok" in found["create"]:
        made = pool.listAllVolumes(0)[0]
        found["name"] = answer(made.name)
        found["key"] = answer(made.key)
        found["path"] = answer(made.path)
        found["pool"] = answer(lambda: made.storagePoolLookupByVolume().name())
        found["info"] = answer(made.info)
        found["info_physical"] = answer(made.infoFlags, 1)
        found["xml"] = without_times(answer(made.XMLDesc, 0))
        found["xml_badflag"] = answer(made.XMLDesc, 1)
        found["list"] = answer(pool.listVolumes)
        found["again"] = answer(pool.createXML, document, 0)
        facts = os.stat(made.path())
        found["file"] = ["%o" % facts.st_mode, facts.st_uid, facts.st_gid, facts.st_size, facts.st_blocks * 512]
        found["qemu_img"] = qemu_img(made.path())
        found["refresh"] = answer(pool.refresh, 0)
        made = pool.storageVolLookupByName(made.name())
        found["xml_refreshed"] = without_times(answer(made.XMLDesc, 0))
        found["delete"] = answer(made.delete, 0)
        found["dir_after"] = sorted(os.listdir(IMAGES))
    pool.destroy()
    return found


def qemu_img(path):
    if not os.path.isfile(path):
        return None
    done = subprocess.run(["/usr/bin/qemu-img", "info", "--output=json", path], stdout=subprocess.PIPE, timeout=60)
    return json.loads(done.stdout) if done.returncode == 0 else None


def backing_answers(connection, text):
    shutil.rmtree(IMAGES, ignore_errors=True)
    os.makedirs(IMAGES)
    image = IMAGES + "/b.qcow2"
    subprocess.run(["/usr/bin/qemu-img", "create", "-q", "-f", "qcow2", "-u", "-b", text, "-F", "raw", image, "1M"], check=True, timeout=60)
    pool = connection.storagePoolCreateXML(
        "<pool type='dir'><name>tckxml</name><target><path>%s</path></target></pool>" % IMAGES, 0
    )
    found = {"xml": without_times(answer(lambda: pool.storageVolLookupByName("b.qcow2").XMLDesc(0)))}
    pool.destroy()
    return found


def main():
    asked = json.load(sys.stdin)
    connection = compat.connect()
    answers = {"pools": {}, "volumes": {}, "backing": {}}
    for name, document in asked.get("pools", {}).items():
        found = {"libvirtd": pool_answers(connection, document)}
        remove_pools(connection)
        found["libvirtd_validate"] = answer(connection.storagePoolDefineXML, document, libvirt.VIR_STORAGE_POOL_DEFINE_VALIDATE)
        remove_pools(connection)
        found["libvirtd_redefine"] = redefine_answers(connection, document)
        remove_pools(connection)
        answers["pools"][name] = found
    for name, document in asked.get("volumes", {}).items():
        answers["volumes"][name] = {"libvirtd": volume_answers(connection, document)}
    for text in asked.get("backing", []):
        answers["backing"][text] = backing_answers(connection, text)
    print(json.dumps(answers).replace(compat.WORK + "/", "@WORK@/"))


main()
