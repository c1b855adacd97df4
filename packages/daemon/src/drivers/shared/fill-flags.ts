/** libvirt's public flags of volume creation, as `fill` takes them. */
export const PREALLOCATE_METADATA = 1;
export const REFLINK = 2;
