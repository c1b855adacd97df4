"""Building and deleting the directory of a pool: parents, permissions, what is already there."""

import os
import stat

from compat import WORK, connect, dir_pool, fact, step, write_file

c = connect()


def facts(path):
    found = os.stat(path)
    return [oct(found.st_mode), found.st_uid, found.st_gid]


def built(label, path, permissions="", features=""):
    document = "<pool type='dir'><name>p</name>%s<target><path>%s</path>%s</target></pool>" % (
        features,
        path,
        "<permissions>%s</permissions>" % permissions if permissions else "",
    )
    pool = step(label + ": define", c.storagePoolDefineXML, document, 0)
    if pool is None:
        return
    step(label + ": build", pool.build, 0)
    fact(label + ": directory", facts(path) if os.path.exists(path) else None)
    step(label + ": document after build", pool.XMLDesc, 0)
    step(label + ": start", pool.create, 0)
    step(label + ": live document", pool.XMLDesc, 0)
    step(label + ": inactive document", pool.XMLDesc, 1)
    if pool.isActive():
        pool.destroy()
    step(label + ": stopped document", pool.XMLDesc, 0)
    step(label + ": delete", pool.delete, 0)
    fact(label + ": still there", os.path.lexists(path))
    pool.undefine()


built("new", WORK + "/new")
built("deep", WORK + "/deep/er/est")
fact("parents", facts(WORK + "/deep"))
fact("parents 2", facts(WORK + "/deep/er"))
built("mode", WORK + "/mode", "<mode>0750</mode>")
built("mode 0", WORK + "/mode0", "<mode>0</mode>")
built("mode and owner", WORK + "/owned", "<mode>0700</mode><owner>12</owner><group>34</group>")
built("owner", WORK + "/owner", "<owner>12</owner>")
built("group", WORK + "/group", "<group>34</group>")
built("owner -1", WORK + "/minus", "<owner>-1</owner><group>-1</group>")
built("label", WORK + "/label", "<label>virt_image_t</label>")
os.mkdir(WORK + "/there")
os.chmod(WORK + "/there", 0o705)
built("there", WORK + "/there")
os.mkdir(WORK + "/there2")
os.chmod(WORK + "/there2", 0o705)
os.chown(WORK + "/there2", 7, 8)
built("there with mode", WORK + "/there2", "<mode>0711</mode>")
os.mkdir(WORK + "/there3")
os.chown(WORK + "/there3", 7, 8)
built("there with owner", WORK + "/there3", "<owner>9</owner>")
write_file("there4/file", b"x")
built("there and not empty", WORK + "/there4")
write_file("file", b"x")
built("a file", WORK + "/file")
built("below a file", WORK + "/file/sub")
os.symlink(WORK + "/there4", WORK + "/link")
built("a link", WORK + "/link")
os.symlink("nowhere", WORK + "/dangling")
built("a dangling link", WORK + "/dangling")
built("relative", "relative")
built("cow yes", WORK + "/cow1", features="<features><cow state='yes'/></features>")
built("cow no", WORK + "/cow2", features="<features><cow state='no'/></features>")
built("name too long", WORK + "/" + "n" * 256)
built("blanks and quotes", WORK + "/a b'c\"d&amp;e")
built("utf-8", WORK + "/pöol 日本")
os.mkdir(WORK + "/sticky")
os.chmod(WORK + "/sticky", 0o1777)
built("sticky", WORK + "/sticky")
