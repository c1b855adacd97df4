import { POOL_TYPES, type PoolType } from "../../pool.js";
import { FS_NAMESPACE, RBD_NAMESPACE } from "../../pool-namespaces.js";
import { poolTypeFacts } from "../../pool-types.js";
import {
  attribute,
  choice,
  data,
  element,
  empty,
  grammar,
  group,
  interleave,
  oneOrMore,
  optional,
  type Pattern,
  text,
  words,
  zeroOrMore,
} from "../relaxng.js";
import {
  absolutePath,
  permissions,
  secretReference,
  singleName,
  size,
  someText,
  unsignedLong,
  uuid,
  yesNo,
} from "./common.js";

const hostName = data("string", { pattern: "[A-Za-z0-9._:%-]+" });
const host = element(
  "host",
  attribute("name", hostName),
  optional(attribute("port", data("unsignedShort", { pattern: "[0-9]+" }))),
  empty,
);

/** Free space of a disk is ours to say; a definition taken from a dump brings it along. */
const freeExtents = zeroOrMore(
  element("freeExtent", attribute("start", unsignedLong), attribute("end", unsignedLong), empty),
);
function device(path: Pattern): Pattern {
  return element("device", attribute("path", path), optional(attribute("part_separator", yesNo)), freeExtents);
}
/** A path, or a name by which the kernel knows the device. */
const blockDevice = device(data("string", { pattern: "/[^\\n]+|[A-Za-z0-9_.\\-]+" }));
const iscsiTarget = device(data("string", { pattern: "\\S+" }));
/** Without a kernel in between the name must be a full one. */
const qualifiedTarget = device(data("string", { pattern: "(iqn|eui|naa)\\.\\S+" }));

function directory(path: Pattern): Pattern {
  return element("dir", attribute("path", path), empty);
}
const absoluteDirectory = data("string", { pattern: "/[^\\n]*" });

function format(names: readonly string[]): Pattern {
  return element("format", attribute("type", words(names)), empty);
}

function sourceFormat(type: PoolType): Pattern {
  return format(poolTypeFacts[type].formats?.values ?? []);
}

const authentication = element(
  "auth",
  attribute("type", words(["chap", "ceph"])),
  attribute("username", someText),
  secretReference(),
);
const initiator = element("initiator", element("iqn", attribute("name", someText), empty));
/** The name of a volume group, cluster, Ceph pool …; a reader takes an empty one for an absent one. */
const sourceName = element("name", text);
const vendorAndProduct = [
  optional(element("vendor", attribute("name", text), empty)),
  optional(element("product", attribute("name", text), empty)),
];

const hex = (digits: string) => data("string", { pattern: `(0x)?${digits}` });
const pciAddress = element(
  "address",
  optional(attribute("domain", hex("[0-9a-fA-F]{1,8}"))),
  optional(attribute("bus", hex("[0-9a-fA-F]{1,2}"))),
  // 0 to 31, in decimal too.
  optional(attribute("slot", data("string", { pattern: "(0x)?[01]?[0-9a-fA-F]|2[0-9]|3[01]" }))),
  optional(attribute("function", hex("[0-7]"))),
  optional(attribute("multifunction", words(["on", "off"]))),
  empty,
);
const parentAddress = element(
  "parentaddr",
  optional(attribute("unique_id", data("positiveInteger", { pattern: "[0-9]+" }))),
  pciAddress,
);
const worldWideName = data("string", { pattern: "(0x)?[0-9a-fA-F]{16}" });
const adapter = element(
  "adapter",
  choice(
    group(
      optional(attribute("type", words(["scsi_host"]))),
      choice(group(attribute("name", someText), empty), parentAddress),
    ),
    group(
      attribute("type", words(["fc_host"])),
      optional(attribute("parent", text)),
      optional(attribute("parent_wwnn", worldWideName)),
      optional(attribute("parent_wwpn", worldWideName)),
      optional(attribute("parent_fabric_wwn", worldWideName)),
      optional(attribute("managed", yesNo)),
      attribute("wwnn", worldWideName),
      attribute("wwpn", worldWideName),
      empty,
    ),
  ),
);

function source(...parts: Pattern[]): Pattern {
  return element("source", interleave(...parts));
}
function target(path: Pattern): Pattern {
  return element("target", interleave(path, optional(permissions)));
}
const targetPath = element("path", absolutePath);

const name = element("name", singleName);
const mountOptions = optional(
  element("fs:mount_opts", zeroOrMore(element("fs:option", attribute("name", text), empty))),
);
const rbdOptions = optional(
  element(
    "rbd:config_opts",
    zeroOrMore(element("rbd:option", attribute("name", text), attribute("value", text), empty)),
  ),
);

/** What distinguishes the types; all else is in `pool` below. */
const CONTENT: { readonly [Type in PoolType]: readonly Pattern[] } = {
  dir: [name, optional(source(...vendorAndProduct)), target(targetPath)],
  fs: [name, source(blockDevice, optional(sourceFormat("fs")), ...vendorAndProduct), target(targetPath), mountOptions],
  netfs: [
    name,
    source(
      oneOrMore(host),
      choice(
        interleave(directory(absoluteDirectory), optional(format(["auto", "nfs"]))),
        // A Gluster volume or a Windows share is no path.
        interleave(directory(someText), format(["glusterfs", "cifs"])),
      ),
      optional(element("protocol", attribute("ver", text), empty)),
      ...vendorAndProduct,
    ),
    target(targetPath),
    mountOptions,
  ],
  logical: [
    optional(name),
    source(optional(sourceName), zeroOrMore(blockDevice), optional(sourceFormat("logical")), ...vendorAndProduct),
    target(optional(targetPath)),
  ],
  disk: [name, source(blockDevice, optional(sourceFormat("disk")), ...vendorAndProduct), target(targetPath)],
  iscsi: [
    name,
    source(oneOrMore(host), iscsiTarget, optional(initiator), optional(authentication), ...vendorAndProduct),
    target(targetPath),
  ],
  "iscsi-direct": [
    name,
    source(oneOrMore(host), qualifiedTarget, initiator, optional(authentication), ...vendorAndProduct),
  ],
  scsi: [name, source(adapter, ...vendorAndProduct), target(targetPath)],
  mpath: [name, optional(element("source", empty)), target(targetPath)],
  rbd: [optional(name), source(sourceName, oneOrMore(host), optional(authentication)), rbdOptions],
  sheepdog: [optional(name), source(oneOrMore(host), sourceName)],
  gluster: [optional(name), source(oneOrMore(host), sourceName, optional(directory(absoluteDirectory)))],
  zfs: [optional(name), source(sourceName, zeroOrMore(blockDevice)), optional(target(targetPath))],
  vstorage: [optional(name), source(sourceName), target(targetPath)],
};

function pool(type: PoolType): Pattern {
  return group(
    attribute("type", words([type])),
    interleave(
      optional(element("uuid", uuid)),
      optional(size("capacity")),
      optional(size("allocation")),
      optional(size("available")),
      optional(element("features", optional(element("cow", attribute("state", yesNo), empty)))),
      optional(
        element(
          "refresh",
          optional(element("volume", optional(attribute("allocation", words(["default", "capacity"]))), empty)),
        ),
      ),
      ...CONTENT[type],
    ),
  );
}

export const storagePoolSchema = grammar(element("pool", choice(...POOL_TYPES.map(pool))), {
  fs: FS_NAMESPACE,
  rbd: RBD_NAMESPACE,
});
