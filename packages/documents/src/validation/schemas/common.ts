import {
  attribute,
  choice,
  data,
  element,
  empty,
  interleave,
  optional,
  type Pattern,
  text,
  words,
} from "../relaxng.js";

/** Something that is not empty. */
export const someText = data("string", { minLength: "1" });

/** The name of a pool, or of what a pool comes from: no directory separator, no line break. */
export const singleName = data("string", { pattern: "[^/\\n]+" });

/** 32 hexadecimal digits, in one piece or in the usual 8-4-4-4-12. */
export const uuid = data("string", {
  pattern: "[a-fA-F0-9]{32}|[a-fA-F0-9]{8}-([a-fA-F0-9]{4}-){3}[a-fA-F0-9]{12}",
});

export const absolutePath = data("string", { pattern: "/[^\\n]+" });

export const yesNo = words(["yes", "no"]);

/** Digits alone: the datatype by itself would take blanks around them and a plus. */
export const unsignedLong = data("unsignedLong", { pattern: "[0-9]+" });
export const unsignedInt = data("unsignedInt", { pattern: "[0-9]+" });

/** Bytes, or in another unit: b, bytes, K, KB, KiB … EiB. */
export function size(name: string): Pattern {
  const unit = data("string", { pattern: "[bB]([yY][tT][eE][sS]?)?|[kKmMgGtTpPeE]([iI]?[bB])?" });
  return element(name, optional(attribute("unit", unit)), unsignedLong);
}

/** -1: leave as it is. */
const ownerId = choice(unsignedInt, words(["-1"]));

export const permissions = element(
  "permissions",
  interleave(
    optional(element("mode", data("string", { pattern: "[0-7]+" }))),
    optional(element("owner", ownerId)),
    optional(element("group", ownerId)),
    optional(element("label", text)),
  ),
);

/** `<secret uuid=… | usage=…/>`, with the attributes its user adds. */
export function secretReference(...attributes: Pattern[]): Pattern {
  return element("secret", ...attributes, choice(attribute("uuid", uuid), attribute("usage", someText)), empty);
}
