"""Lookups between pools whose directories contain one another, and volumes that are in two pools."""

import os

from compat import WORK, connect, defined_pool, fact, step, write_file

c = connect()
write_file("outer/file", b"f")
write_file("outer/inner/deep", b"d")
os.symlink(WORK + "/outer", WORK + "/alias")
outer = defined_pool(c, "outer")
inner = defined_pool(c, "inner", path=WORK + "/outer/inner")
alias = defined_pool(c, "alias", path=WORK + "/alias")
for pool in (outer, inner, alias):
    step("start " + pool.name(), pool.create, 0)
    step("names of " + pool.name(), pool.listVolumes)
step("by path in the outer", c.storageVolLookupByPath, WORK + "/outer/file")
step("by path in the alias", c.storageVolLookupByPath, WORK + "/alias/file")
step("by path through both", c.storageVolLookupByPath, WORK + "/alias/inner/deep")
step("by path in the inner", c.storageVolLookupByPath, WORK + "/outer/inner/deep")
step("the inner as a volume", c.storageVolLookupByPath, WORK + "/outer/inner")
step("the pool of a volume", lambda: c.storageVolLookupByPath(WORK + "/alias/file").storagePoolLookupByVolume())
step("by target path", c.storagePoolLookupByTargetPath, WORK + "/alias")
step("delete in the alias", alias.storageVolLookupByName("file").delete, 0)
step("info in the outer", outer.storageVolLookupByName("file").info)
step("names of outer", outer.listVolumes)
fact("files", sorted(os.listdir(WORK + "/outer")))
