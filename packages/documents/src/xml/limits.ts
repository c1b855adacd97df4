/** A document arrives as one protocol string, and libvirt's protocol ends strings at 4 MiB. */
export const MAX_DOCUMENT_BYTES = 4 * 1024 * 1024;

/**
 * Tags and attributes together, estimated by counting `<` and `=` before anything is parsed. The largest honest
 * documents, a logical volume with an extent per segment or a disk with much scattered free space, have some thousands.
 * A node costs a few hundred bytes in the parser and in our tree: the worst document costs some 60 MB for a moment.
 */
export const MAX_DOCUMENT_NODES = 131_072;

/**
 * How much of an offending line an error message shows. libvirt shows the whole line, but a document of one line must
 * not make a message that is twice the protocol's string limit.
 */
export const MAX_ERROR_CONTEXT_BYTES = 64 * 1024;
