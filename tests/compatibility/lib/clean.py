"""Brings a side back to nothing: no pools, no secrets, no files at work. Prints what could not be removed."""

import os
import shutil
import sys

import libvirt

import compat

connection = compat.connect()
for pool in connection.listAllStoragePools(0):
    try:
        if pool.isActive():
            persistent = pool.isPersistent()
            pool.destroy()
            if not persistent:
                continue
        pool.undefine()
    except libvirt.libvirtError as error:
        print("%s: %s" % (pool.name(), error))
for secret in connection.listAllSecrets(0):
    secret.undefine()
for place, kept in ((compat.ETC + "/storage", {"autostart"}), (compat.ETC + "/storage/autostart", set()), (compat.ETC + "/secrets", set()), (compat.RUN + "/storage", {"autostarted", "driver.pid"})):
    for name in os.listdir(place) if os.path.isdir(place) else []:
        if name not in kept:
            print("%s/%s is left" % (place, name))
os.chdir("/")
work = sys.argv[1]
for name in os.listdir(work):
    if name != "lost+found":
        path = os.path.join(work, name)
        shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)
