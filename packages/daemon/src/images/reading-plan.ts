/** libvirt looks at so many bytes of a file and no more: the ISO 9660 descriptor ends here. */
export const PROBE_BYTES = 33_280;

/**
 * What a scan reads of each file. The headers of all formats fit, and a backing file name usually too; the few files
 * with more to say are read again.
 */
export const SCAN_HEAD_BYTES = 1_024;

/** The one magic that stands far inside the file (ISO 9660); a scan reads it beside the head. */
export const SCAN_WINDOWS: readonly { readonly offset: number; readonly length: number }[] = [
  { offset: 32_769, length: 5 },
];
