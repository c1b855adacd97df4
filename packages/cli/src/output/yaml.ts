import { Document, isScalar, visit } from "yaml";

/** Halves of surrogate pairs: bytes of names that are no UTF-8. */
const LONE_SURROGATE = /\p{Surrogate}/u;

/** YAML with whole numbers for bigints. What is no UTF-8 is escaped as in JSON, because a file could not hold it. */
export function formatYaml(value: unknown): string {
  const document = new Document(value, { aliasDuplicateObjects: false });
  visit(document, {
    Scalar(_key, node) {
      if (!isScalar(node)) return;
      if (node.value instanceof Date) node.value = node.value.toISOString();
      if (typeof node.value === "string" && LONE_SURROGATE.test(node.value)) node.type = "QUOTE_DOUBLE";
    },
  });
  return document.toString({ lineWidth: 0 });
}
