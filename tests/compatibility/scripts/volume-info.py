"""Info and document of volumes whose files change outside, with flags; timestamps are those of the file."""

import os
import re

from compat import WORK, active_pool, connect, fact, noise, raw_volume, step, volume, write_file

c = connect()
pool = active_pool(c, "p")
raw = pool.createXML(raw_volume("raw", 1 << 20, 0), 0)


def seen(label, made):
    step(label + ": info", made.info)
    step(label + ": info flags 0", made.infoFlags, 0)
    step(label + ": physical", made.infoFlags, 1)
    step(label + ": document", made.XMLDesc, 0)


seen("new", raw)
with open(raw.path(), "r+b") as file:
    file.write(noise(100000))
seen("written", raw)
os.truncate(raw.path(), 5 << 20)
seen("grown", raw)
os.truncate(raw.path(), 1000)
seen("shrunk", raw)
os.chmod(raw.path(), 0o4755)
os.chown(raw.path(), 12, 34)
seen("mode and owner", raw)
os.utime(raw.path(), ns=(1_000_000_000_123_456_789, 2_000_000_000_000_000_001))
document = raw.XMLDesc(0)
fact("times", re.findall(r"<[am]time>([\d.]*)<", document))
os.utime(raw.path(), ns=(5_000_000_000, 0))
fact("times without a fraction", re.findall(r"<[am]time>([\d.]*)<", raw.XMLDesc(0)))
facts = os.stat(raw.path())
fact("ctime is the file's", "<ctime>%d.%09d</ctime>" % divmod(facts.st_ctime_ns, 10**9) in raw.XMLDesc(0))
for flags in (2, 3, 0x40):
    step("info flags %d" % flags, raw.infoFlags, flags)
for flags in (1, 2, 0x40):
    step("document flags %d" % flags, raw.XMLDesc, flags)
qcow2 = pool.createXML(volume("q", "qcow2", 1 << 20), 0)
seen("qcow2", qcow2)
os.truncate(qcow2.path(), 10 << 20)
seen("qcow2 grown", qcow2)
with open(qcow2.path(), "r+b") as file:
    file.write(b"\0" * 1024)
seen("qcow2 destroyed", qcow2)
pool.refresh(0)
seen("qcow2 destroyed and refreshed", qcow2)
with open(raw.path(), "wb") as file:
    file.write(open("/dev/null", "rb").read())
seen("emptied", raw)
os.unlink(raw.path())
seen("gone", raw)
step("gone: path", raw.path)
step("gone: still listed", pool.listVolumes)
step("gone: lookup", c.storageVolLookupByPath, WORK + "/p/raw")
os.mkdir(raw.path())
seen("became a directory", raw)
os.rmdir(raw.path())
os.symlink(WORK + "/p/q", raw.path())
seen("became a link", raw)
os.unlink(raw.path())
os.mkfifo(raw.path())
seen("became a fifo", raw)
os.unlink(raw.path())
write_file("p/raw", b"back")
seen("is back", raw)
