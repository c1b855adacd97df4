"""Brings a daemon back to nothing: no pools, no secrets. Prints what could not be removed."""

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
