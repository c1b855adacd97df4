/** What is asked for behind the "?" of a URI. */
export interface Query {
  /** By names in lower case, as libvirt's client compares them; of several the last. */
  readonly parameters: ReadonlyMap<string, string>;
  /** In their order, as they are spelled. */
  readonly all: readonly (readonly [name: string, value: string])[];
}

/**
 * Reads parameters as libvirt does. It is not the form of web pages: a "+" is a "+". Behind the last "&" they may be parted by ";" too,
 * one without "=" has the value "", one without a name is none. What is no escape stays as it is.
 */
export function readQuery(query: string): Query {
  const pieces = query.split("&");
  const last = pieces.pop() ?? "";
  const all = [...pieces, ...last.split(";")].flatMap((piece): [string, string][] => {
    const [name = "", ...value] = piece.split("=");
    return name === "" ? [] : [[unescaped(name), unescaped(value.join("="))]];
  });
  return { parameters: new Map(all.map(([name, value]) => [name.toLowerCase(), value])), all };
}

/** "?" and the parameters, or nothing. */
export function formatQuery(parameters: Query["all"]): string {
  const pieces = parameters.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`);
  return pieces.length === 0 ? "" : `?${pieces.join("&")}`;
}

/** The text that a part of a URI stands for. */
export function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
