import { cisterndUnavailable, prepareCisternd } from "../support/cisternd.js";
import { libvirtdUnavailable, prepareLibvirtd } from "../support/libvirtd.js";
import { mountNamespacesUnavailable } from "../support/mount-namespace.js";

/** The daemons that a program may meet. */
export const sides = [
  {
    name: "cisternd",
    prepare: prepareCisternd,
    unavailable: cisterndUnavailable() ?? mountNamespacesUnavailable(),
    driver: "storage",
  },
  { name: "libvirtd", prepare: prepareLibvirtd, unavailable: libvirtdUnavailable(), driver: "qemu" },
] as const;
