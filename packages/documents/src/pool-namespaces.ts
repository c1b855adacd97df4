/** Elements that only one kind of backend understands stand in namespaces of their own. */
export const FS_NAMESPACE = "http://libvirt.org/schemas/storagepool/fs/1.0";
export const RBD_NAMESPACE = "http://libvirt.org/schemas/storagepool/rbd/1.0";
