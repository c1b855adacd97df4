"""Volumes made from others: raw and other formats, sizes, between pools, and every refusal."""

import os

from compat import WORK, active_pool, connect, connect_read_only, defined_pool, fact, file_facts, image_digest, image_facts, left_behind, noise, raw_volume, step, volume, write_file

c = connect()
pool = active_pool(c, "p")
other = active_pool(c, "other")
source = pool.createXML(raw_volume("source", 1 << 20, 1 << 20), 0)
with open(source.path(), "r+b") as file:
    file.write(noise(300000))
    file.seek(700000)
    file.write(noise(1000))
sparse = pool.createXML(raw_volume("sparse", 4 << 20, 0), 0)
with open(sparse.path(), "r+b") as file:
    file.seek(1 << 20)
    file.write(noise(65536))
qcow2 = pool.createXML(volume("q.qcow2", "qcow2", 2 << 20), 0)
base = write_file("base.raw", b"\1" * 65536)
BACKING = "<backingStore><path>%s</path><format type='%s'/></backingStore>"
backed = pool.createXML(volume("backed", "qcow2", extra=BACKING % (base, "raw")), 0)
directory = pool.createXML(volume("directory", "dir", 0), 0)
pool.refresh(0)


def cloned(label, document, original, flags=0, into=pool):
    before = into.info()
    made = step(label, into.createXMLFrom, document, original, flags)
    fact(label + ": names", into.listVolumes())
    if made is None:
        left_behind(label, into.name(), "clone")
        fact(label + ": pool's numbers", into.info() == before)
        return
    # What is not on the disk yet is counted without the blocks that say where it lies.
    os.sync()
    step(label + ": info", made.info)
    step(label + ": document", made.XMLDesc, 0)
    if os.path.isfile(made.path()):
        fact(label + ": file", file_facts(made.path())[:5])
        fact(label + ": image", image_facts(made.path()))
        fact(label + ": content", image_digest(made.path()))
    into.refresh(0)
    fact(label + ": document after refresh", into.storageVolLookupByName(made.name()).XMLDesc(0))
    step(label + ": delete", made.delete, 0)


NAME = "<volume><name>clone</name>%s</volume>"
cloned("raw", raw_volume("clone", 1 << 20, 1 << 20), source)
cloned("raw sparse", raw_volume("clone", 1 << 20, 0), source)
cloned("raw half", raw_volume("clone", 1 << 20, 1 << 19), source)
cloned("raw without capacity", NAME % "", source)
cloned("raw smaller", NAME % "<capacity>1000</capacity>", source)
cloned("raw larger", NAME % "<capacity>3000000</capacity>", source)
cloned("raw larger and sparse", raw_volume("clone", 3000000, 0), source)
cloned("raw allocation only", NAME % "<allocation>4096</allocation>", source)
cloned("sparse", raw_volume("clone", 4 << 20, 0), sparse)
cloned("sparse allocated", raw_volume("clone", 4 << 20, 4 << 20), sparse)
cloned("sparse without sizes", NAME % "", sparse)
cloned("mode and owner", NAME % "<target><permissions><mode>0640</mode><owner>12</owner><group>34</group></permissions></target>", source)
cloned("its own document with another name", source.XMLDesc(0).replace("<name>source<", "<name>clone<"), source)
cloned("raw to qcow2", volume("clone", "qcow2", 1 << 20), source)
cloned("raw to qcow2 1.1", volume("clone", "qcow2", 1 << 20, target="<compat>1.1</compat><features><lazy_refcounts/></features>"), source)
cloned("raw to larger qcow2", volume("clone", "qcow2", 8 << 20), source)
cloned("raw to qcow2 preallocated", volume("clone", "qcow2", 1 << 20), source, 1)
for form in ("vmdk", "vdi", "vpc", "qed", "qcow"):
    cloned("raw to " + form, volume("clone", form, 1 << 20), source)
cloned("qcow2 to raw", raw_volume("clone", 2 << 20), qcow2)
cloned("qcow2 to qcow2", volume("clone", "qcow2", 2 << 20), qcow2)
cloned("qcow2 to smaller qcow2", volume("clone", "qcow2", 1 << 20), qcow2)
cloned("qcow2 to vmdk", volume("clone", "vmdk", 2 << 20), qcow2)
cloned("backed to qcow2", volume("clone", "qcow2"), backed)
cloned("backed to raw", raw_volume("clone"), backed)
cloned("backed, same backing", volume("clone", "qcow2", extra=BACKING % (base, "raw")), backed)
cloned("backed, other backing", volume("clone", "qcow2", extra=BACKING % ("/other", "raw")), backed)
cloned("unbacked, backing", volume("clone", "qcow2", extra=BACKING % (base, "raw")), qcow2)
cloned("raw, backing", raw_volume("clone", extra=BACKING % (base, "raw")), source)
cloned("into another pool", raw_volume("clone", 1 << 20, 1 << 20), source, into=other)
cloned("same name in another pool", raw_volume("source", 1 << 20, 1 << 20), source, into=other)
cloned("qcow2 into another pool", volume("clone", "qcow2"), qcow2, into=other)
wrong = step("directory from a directory", pool.createXMLFrom, volume("clone", "dir", 0), directory, 0)
if wrong is not None:
    wrong.delete(0)
cloned("raw from a directory", raw_volume("clone"), directory)
cloned("qcow2 from a directory", volume("clone", "qcow2"), directory)

cloned("name taken", raw_volume("source"), source)
cloned("name of another", raw_volume("sparse"), source)
cloned("slash in name", raw_volume("a/b"), source)
cloned("no name", "<volume/>", source)
cloned("not XML", "<volume", source)
cloned("wrong root", "<pool/>", source)
cloned("empty", "", source)
cloned("bad capacity", NAME % "<capacity>x</capacity>", source)
cloned("unknown format", volume("clone", "zz"), source)
cloned("vmdk with compat", volume("clone", "vmdk", target="<compat>1.1</compat>"), source)
cloned("reflink", raw_volume("clone", 1 << 20, 1 << 20), source, 2)
cloned("reflink sparse", raw_volume("clone", 1 << 20, 0), source, 2)
cloned("reflink qcow2", volume("clone", "qcow2"), source, 2)
cloned("reflink from qcow2", raw_volume("clone"), qcow2, 2)
cloned("preallocate raw", raw_volume("clone"), source, 1)
cloned("preallocate and reflink", volume("clone", "qcow2"), source, 3)
for flags in (4, 5, 8, 16, 0x40):
    cloned("flags %d" % flags, raw_volume("clone"), source, flags)
cloned("validate: unknown element", NAME % "<zz/>", source, 4)
cloned("validate: no name", "<volume/>", source, 4)
write_file("p/unlisted", b"x")
cloned("file that is not listed", raw_volume("unlisted"), source)

inactive = defined_pool(c, "inactive")
step("into an inactive pool", inactive.createXMLFrom, raw_volume("clone"), source, 0)
other_source = other.createXML(raw_volume("other-source"), 0)
other.destroy()
step("from an inactive pool", pool.createXMLFrom, raw_volume("clone"), other_source, 0)
other.undefine()
step("from a pool that is gone", pool.createXMLFrom, raw_volume("clone"), other_source, 0)
os.unlink(sparse.path())
step("from a volume whose file is gone", pool.createXMLFrom, raw_volume("clone"), sparse, 0)
sparse.delete(0)
step("from a volume that is gone", pool.createXMLFrom, raw_volume("clone"), sparse, 0)
read_only = connect_read_only().storagePoolLookupByName("p")
step("read-only", read_only.createXMLFrom, raw_volume("clone"), source, 0)
fact("what is left", pool.listVolumes())
