const BIGINT_MARK = "\0";

/** JSON whose bigints are numbers with all their digits; readers without big numbers lose only what they would anyway. */
export function formatJson(value: unknown, indent = 2): string {
  const marked = JSON.stringify(
    value,
    (_key, item: unknown) => (typeof item === "bigint" ? BIGINT_MARK + item : item),
    indent,
  );
  // A NUL cannot be part of what a server sends.
  return marked.replace(/"\\u0000(-?\d+)"/g, "$1");
}
