import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { KnownDomain } from "./model.js";

/** How a disk's name in a guest begins, by its bus. */
const PREFIXES: Readonly<Record<string, string>> = {
  virtio: "vd",
  scsi: "sd",
  sata: "sd",
  usb: "sd",
  ide: "hd",
  fdc: "fd",
  xen: "xvd",
};
const STANDARD_BUS = "virtio";

/** More disks than any bus has. */
const LONGEST_SEARCH = 26 + 26 * 26;

export interface TargetWish {
  /** `vdb`; null: the first that is free. */
  readonly target: string | null;
  /** null: what the target's name means, else virtio. */
  readonly bus: string | null;
}

/**
 * A target that the guest has neither now nor in its definition.
 *
 * @throws LibvirtError 8 for a bus that is not known, 55 for a target that is taken
 */
export function chooseTarget(guest: KnownDomain, { target, bus }: TargetWish): string {
  const taken = new Set(targetsOf(guest));
  if (target !== null) {
    if (taken.has(target))
      throw refusal(ErrorCode.OPERATION_INVALID, `guest '${guest.name}' already has a disk '${target}'`);
    return target;
  }
  const prefix = PREFIXES[bus ?? STANDARD_BUS];
  if (prefix === undefined) throw refusal(ErrorCode.INVALID_ARG, `'${bus}' is no bus that disks are attached to`);
  for (let index = 0; index < LONGEST_SEARCH; index++) {
    const name = prefix + lettersOf(index);
    if (!taken.has(name)) return name;
  }
  throw refusal(
    ErrorCode.OPERATION_INVALID,
    `guest '${guest.name}' has no name left for a disk on bus '${bus ?? STANDARD_BUS}'`,
  );
}

function targetsOf({ live, persistent }: KnownDomain): string[] {
  return [live, persistent].flatMap((document) =>
    document === null ? [] : [...document.disks, ...document.unreadDisks].flatMap(({ target }) => target ?? []),
  );
}

/** a … z, aa … */
function lettersOf(index: number): string {
  const last = String.fromCharCode(97 + (index % 26));
  return index < 26 ? last : lettersOf(Math.floor(index / 26) - 1) + last;
}

function refusal(code: ErrorCode, detail: string): LibvirtError {
  return LibvirtError.of(code, ErrorDomain.STORAGE, detail);
}
