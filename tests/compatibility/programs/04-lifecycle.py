#!/usr/bin/python3
"""A pool's life: define, build, start, refresh, stop, delete, undefine, with what goes wrong on the way."""

import os
import sys

import libvirt

libvirt.registerErrorHandler(lambda context, error: None, None)
connection = libvirt.open("qemu:///system")
path = os.path.join(sys.argv[1], "life")
XML = "<pool type='dir'><name>life</name><target><path>%s</path></target></pool>" % path


def attempt(what, call, *arguments):
    try:
        result = call(*arguments)
        print("%-24s ok" % what)
        return result
    except libvirt.libvirtError as error:
        print("%-24s %d/%d: %s" % (what, error.get_error_code(), error.get_error_domain(), error))


def state(pool):
    print("    active %d, persistent %d, autostart %d" % (pool.isActive(), pool.isPersistent(), pool.autostart()))


pool = attempt("define", connection.storagePoolDefineXML, XML, 0)
state(pool)
attempt("start unbuilt", pool.create)
attempt("refresh inactive", pool.refresh)
attempt("build", pool.build)
attempt("start", pool.create)
state(pool)
attempt("start twice", pool.create)
attempt("undefine active", pool.undefine)
attempt("delete active", pool.delete)
attempt("autostart", pool.setAutostart, 1)
state(pool)
open(os.path.join(path, "found.img"), "w").close()
print("before refresh:", pool.listVolumes())
attempt("refresh", pool.refresh)
print("after refresh:", pool.listVolumes())
attempt("stop", pool.destroy)
state(pool)
attempt("stop twice", pool.destroy)
attempt("delete not empty", pool.delete)
os.unlink(os.path.join(path, "found.img"))
attempt("delete", pool.delete)
print("directory:", os.path.exists(path))
attempt("undefine", pool.undefine)
attempt("lookup", connection.storagePoolLookupByName, "life")
transient = attempt("create", connection.storagePoolCreateXML, XML, libvirt.VIR_STORAGE_POOL_CREATE_WITH_BUILD)
state(transient)
attempt("autostart transient", transient.setAutostart, 1)
attempt("stop transient", transient.destroy)
attempt("use transient", transient.info)
