import {
  attribute,
  choice,
  element,
  empty,
  grammar,
  group,
  interleave,
  optional,
  type Pattern,
  text,
  words,
} from "../relaxng.js";
import { absolutePath, singleName, uuid, yesNo } from "./common.js";

/** What a secret is used for, and in which element the usage stands. */
function usage(type: string, idElement: string, id: Pattern): Pattern {
  return group(attribute("type", words([type])), element(idElement, id));
}

export const secretSchema = grammar(
  element(
    "secret",
    optional(attribute("ephemeral", yesNo)),
    optional(attribute("private", yesNo)),
    interleave(
      optional(element("uuid", uuid)),
      optional(element("description", text)),
      optional(
        element(
          "usage",
          choice(
            group(attribute("type", words(["none"])), empty),
            usage("volume", "volume", absolutePath),
            usage("ceph", "name", singleName),
            usage("iscsi", "target", singleName),
            usage("tls", "name", singleName),
            usage("vtpm", "name", singleName),
          ),
        ),
      ),
    ),
  ),
);
