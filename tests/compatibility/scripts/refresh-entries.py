"""What a refresh makes of every kind of directory entry and name."""

import os
import socket
import stat

from compat import WORK, connect, defined_pool, fact, step, write_file

c = connect()
P = WORK + "/p"
write_file("p/file", b"text", mode=0o644)
write_file("p/empty", b"", mode=0o600)
write_file("p/.hidden", b"h", mode=0o644)
write_file("p/suid", b"s", mode=0o4755)
write_file("p/no-mode", b"n", mode=0)
write_file("p/hollow", size=1 << 30, mode=0o644)
write_file("p/owned", b"o", mode=0o640)
os.chown(P + "/owned", 12, 34)
write_file("p/big-ids", b"o", mode=0o640)
os.chown(P + "/big-ids", 4000000000, 4000000001)
os.mkdir(P + "/dir")
os.mkdir(P + "/dir-mode", 0o700)
os.chmod(P + "/dir-mode", 0o1777)
write_file("p/dir/inside", b"x")
os.mkdir(P + "/lost+found")
write_file("outside", b"outside" * 100, mode=0o604)
os.symlink("../outside", P + "/link-relative")
os.symlink(WORK + "/outside", P + "/link-absolute")
os.symlink("dir", P + "/link-to-dir")
os.symlink("nowhere", P + "/link-dangling")
os.symlink("link-loop", P + "/link-loop")
os.symlink("/dev/null", P + "/link-to-char")
os.symlink("fifo", P + "/link-to-fifo")
os.symlink("link-relative", P + "/link-to-link")
os.symlink("/proc/self/root", P + "/link-to-root")
os.link(P + "/file", P + "/hard")
os.mkfifo(P + "/fifo")
listening = socket.socket(socket.AF_UNIX)
os.chdir(P)
listening.bind("socket")
listening.close()
os.chdir("/")
os.mknod(P + "/char", 0o600 | stat.S_IFCHR, os.makedev(1, 5))
os.mknod(P + "/block-absent", 0o600 | stat.S_IFBLK, os.makedev(43, 0xff))
os.mkdir(P + "/ploop")
write_file("p/ploop/root.hds", b"x")
write_file("p/ploop/DiskDescriptor.xml", b"<x/>")
os.mkdir(P + "/half-ploop")
write_file("p/half-ploop/root.hds", b"x")
for name in (b"with blank", b" lead", b"trail ", b"quote'\"", b"amp&lt<gt>", b"semi;colon", b"back\\slash", b"colon:comma,eq=", b"%41", b"-dash", b"...", b"\xc3\xbc\xe6\x97\xa5", b"latin-\xfc", b"bad-utf8-\xff\xfe", b"surrogate-\xed\xa0\x80", b"new\nline", b"tab\tbed", b"bell\x07", b"del\x7f", b"c1-\xc2\x85", b"n" * 255, b"emoji-\xf0\x9f\x92\xbe"):
    with open(P.encode() + b"/" + name, "wb") as file:
        file.write(b"n")

pool = defined_pool(c, "p")
step("start", pool.create, 0)


def shown(label):
    step(label + ": number", pool.numOfVolumes)
    try:
        names = pool.listVolumes()
        fact(label + ": names", [name.encode("utf-8", "surrogateescape").hex() if not name.isascii() else name for name in names])
    except UnicodeDecodeError:
        fact(label + ": names", "not UTF-8")
    try:
        everything = pool.listAllVolumes(0)
    except UnicodeDecodeError:
        fact(label + ": volumes", "not UTF-8")
        return
    for made in sorted(everything, key=lambda made: made.key()):
        name = made.name()
        step("%s: %r: info" % (label, name), made.info)
        step("%s: %r: physical" % (label, name), made.infoFlags, 1)
        step("%s: %r: document" % (label, name), made.XMLDesc, 0)


def tried(label):
    """One name at a time cannot be read by Python's binding; then the others are shown without it."""
    try:
        shown(label)
    except (UnicodeDecodeError, ValueError) as error:
        fact(label + ": not readable in Python", type(error).__name__)


tried("all")
for name in (b"latin-\xfc", b"bad-utf8-\xff\xfe", b"surrogate-\xed\xa0\x80"):
    os.unlink(P.encode() + b"/" + name)
step("refresh", pool.refresh, 0)
tried("without odd bytes")
os.symlink("link-dangling", P + "/new-dangling")
os.unlink(P + "/file")
write_file("p/added", b"a")
step("refresh again", pool.refresh, 0)
step("names", pool.listVolumes)

# The pool's own directory
os.chmod(P, 0o2770)
os.chown(P, 12, 34)
step("refresh with other mode", pool.refresh, 0)
step("document", pool.XMLDesc, 0)
