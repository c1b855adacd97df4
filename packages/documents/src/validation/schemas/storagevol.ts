import { FILE_FORMATS, PARTITION_FORMATS } from "../../pool-types.js";
import { VOLUME_FEATURES, VOLUME_TYPES } from "../../volume.js";
import { attribute, data, element, empty, grammar, interleave, optional, text, words, zeroOrMore } from "../relaxng.js";
import { absolutePath, permissions, secretReference, size, someText, unsignedInt, unsignedLong } from "./common.js";

const extents = zeroOrMore(element("extent", attribute("start", unsignedLong), attribute("end", unsignedLong), empty));
const source = element("source", zeroOrMore(element("device", attribute("path", absolutePath), extents)));

/** The document does not say to which type of pool it goes. */
const format = element("format", attribute("type", words([...FILE_FORMATS, ...PARTITION_FORMATS])), empty);

const instant = data("string", { pattern: "[0-9]+(\\.[0-9]{1,9})?" });
const timestamps = element(
  "timestamps",
  interleave(...["atime", "mtime", "ctime", "btime"].map((name) => optional(element(name, instant)))),
);

const cipher = element(
  "cipher",
  attribute("name", someText),
  attribute("size", unsignedInt),
  optional(attribute("mode", someText)),
  optional(attribute("hash", someText)),
  empty,
);
const ivgen = element("ivgen", attribute("name", someText), optional(attribute("hash", someText)), empty);
const encryption = element(
  "encryption",
  attribute("format", words(["default", "qcow", "luks", "luks2"])),
  optional(attribute("engine", words(["qemu", "librbd"]))),
  optional(
    interleave(
      secretReference(attribute("type", words(["passphrase"]))),
      optional(interleave(cipher, optional(ivgen))),
    ),
  ),
);

const target = element(
  "target",
  interleave(
    optional(element("path", text)),
    optional(format),
    optional(permissions),
    optional(timestamps),
    optional(encryption),
    optional(element("compat", data("string", { pattern: "[0-9]+\\.[0-9]+" }))),
    optional(element("nocow", empty)),
    optional(size("clusterSize")),
    optional(element("features", interleave(...VOLUME_FEATURES.map((name) => optional(element(name, empty)))))),
  ),
);

const backingStore = element(
  "backingStore",
  interleave(element("path", someText), optional(format), optional(permissions), optional(timestamps)),
);

export const storageVolumeSchema = grammar(
  element(
    "volume",
    optional(attribute("type", words(VOLUME_TYPES))),
    interleave(
      element("name", data("string", { pattern: "[^/]+" })),
      optional(element("key", text)),
      optional(source),
      optional(size("capacity")),
      optional(size("allocation")),
      optional(size("physical")),
      target,
      optional(backingStore),
    ),
  ),
);
