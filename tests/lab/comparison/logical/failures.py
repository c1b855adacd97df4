"""What users of volume groups run into, with libvirt's codes and domains."""

import os
import subprocess

import libvirt
from compat import connect, fact, step, wait_for

c = connect()
DISK = os.environ["DISK_A"]
OTHER = os.environ["DISK_B"]


def document(name="p", source="cmp", devices=(DISK,), target="/dev/cmp", extra=""):
    paths = "".join("<device path='%s'/>" % path for path in devices)
    named = "<name>%s</name>" % source if source else ""
    return "<pool type='logical'><name>%s</name><source>%s%s%s</source><target><path>%s</path></target></pool>" % (
        name,
        named,
        paths,
        extra,
        target,
    )


def lvm(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60).stdout.decode()


def groups():
    return lvm("vgs", "--noheadings", "-o", "vg_name").split()


def defined(**more):
    return c.storagePoolDefineXML(document(**more), 0)


pool = defined()
step("start without a group", pool.create, 0)
step("build with unknown flags", pool.build, 64)
step("build with overwrite and no-overwrite", pool.build, 4 | 8)
fact("groups", groups())
pool.undefine()

pool = defined(devices=())
step("build without devices", pool.build, 0)
pool.undefine()

pool = defined(devices=("/dev/nosuch",))
step("build on a missing device", pool.build, 0)
fact("groups after a missing device", groups())
pool.undefine()

pool = defined(devices=(DISK, "/dev/nosuch"))
step("build on one good and one missing device", pool.build, 0)
fact("groups after half a build", groups())
fact("physical volumes after half a build", lvm("pvs", "--noheadings", "-o", "pv_name").split())
pool.undefine()

with open(DISK, "r+b") as disk:
    subprocess.run(["mkfs.ext4", "-q", "-F", DISK], check=True, timeout=60)
pool = defined()
step("build over a file system", pool.build, 0)
step("build over a file system, no overwrite", pool.build, libvirt.VIR_STORAGE_POOL_BUILD_NO_OVERWRITE)
step("build over a file system, overwrite", pool.build, libvirt.VIR_STORAGE_POOL_BUILD_OVERWRITE)
fact("groups", groups())
step("build again", pool.build, 0)
step("build again, no overwrite", pool.build, libvirt.VIR_STORAGE_POOL_BUILD_NO_OVERWRITE)

step("start", pool.create, 0)
step("second pool of the group", c.storagePoolDefineXML, document(name="q"), 0)
step("second pool of the device", c.storagePoolDefineXML, document(name="q", source="other"), 0)
other = c.storagePoolDefineXML(document(name="q", source="other", devices=(OTHER,), target="/dev/other"), 0)
step("the other's start", other.create, 0)
other.undefine()

volume = step("create", pool.createXML, "<volume><name>v</name><capacity>8388608</capacity></volume>", 0)
step("create with metadata", pool.createXML, "<volume><name>m</name><capacity>8388608</capacity></volume>", 1)
step("create without capacity", pool.createXML, "<volume><name>n</name></volume>", 0)
step("create with an owner", pool.createXML, "<volume><name>o</name><capacity>4194304</capacity><target><permissions><mode>0640</mode><owner>1</owner><group>6</group></permissions></target></volume>", 0)
step("create encrypted", pool.createXML, "<volume><name>e</name><capacity>4194304</capacity><target><encryption format='luks'/></target></volume>", 0)
step("create too much", pool.createXML, "<volume><name>t</name><capacity>1099511627776</capacity></volume>", 0)
fact("volumes", lvm("lvs", "--noheadings", "-o", "lv_name", "cmp").split())
step("resize", volume.resize, 16777216, 0)
step("resize shrink", volume.resize, 4194304, libvirt.VIR_STORAGE_VOL_RESIZE_SHRINK)
step("delete with unknown flags", volume.delete, 64)
with open("/dev/cmp/v", "rb"):
    step("delete while it is open", volume.delete, 0)
step("stop", pool.destroy)
step("delete with unknown flags, pool", pool.delete, 64)
step("delete", pool.delete, 0)
fact("groups at the end", groups())
pool.undefine()
fact("settled", wait_for(lambda: not os.path.exists("/dev/cmp/v")))
