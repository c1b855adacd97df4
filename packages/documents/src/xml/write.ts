/** Attributes in the order they are written; null ones are left out. */
export type XmlAttributes = Readonly<Record<string, string | number | bigint | null>>;

const INDENT = "  ";

/**
 * Writes XML in libvirt's form: an element per line, two spaces of indentation, single quotes, `<name/>` for an empty
 * leaf. Line ends inside of text are not indented.
 *
 *     new XmlWriter().open("pool", { type: "dir" }).leaf("name", {}, "images").close().toString()
 */
export class XmlWriter {
  #output = "";
  readonly #open: string[] = [];
  readonly #baseIndent: string;

  /** `depth`: how many levels the whole is indented. */
  constructor(depth = 0) {
    this.#baseIndent = INDENT.repeat(depth);
  }

  /** Begins an element with children. Without any it is written as `<name>` and `</name>` on two lines. */
  open(name: string, attributes: XmlAttributes = {}): this {
    this.#output += `${this.#indent()}<${name}${formatAttributes(attributes)}>\n`;
    this.#open.push(name);
    return this;
  }

  /** Writes an element without child elements. Empty and absent text give `<name/>`. */
  leaf(name: string, attributes: XmlAttributes = {}, text: string | number | bigint | null = null): this {
    const start = `${this.#indent()}<${name}${formatAttributes(attributes)}`;
    this.#output += text === null || text === "" ? `${start}/>\n` : `${start}>${escapeXml(String(text))}</${name}>\n`;
    return this;
  }

  /** Ends the element opened last. */
  close(): this {
    const name = this.#open.pop();
    if (name === undefined) {
      throw new RangeError("close() without an open element");
    }
    this.#output += `${this.#indent()}</${name}>\n`;
    return this;
  }

  /** The document so far, with its trailing newline. */
  toString(): string {
    return this.#output;
  }

  #indent(): string {
    return this.#baseIndent + INDENT.repeat(this.#open.length);
  }
}

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ["<", "&lt;"],
  [">", "&gt;"],
  ["&", "&amp;"],
  ['"', "&quot;"],
  ["'", "&apos;"],
]);

/** libvirt's escapes, the same in text and attributes; characters that XML cannot hold are dropped. */
export function escapeXml(text: string): string {
  return text.replace(/[<>&"'\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g, (character) => ESCAPES.get(character) ?? "");
}

function formatAttributes(attributes: XmlAttributes): string {
  let output = "";
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null) {
      output += ` ${name}='${escapeXml(String(value))}'`;
    }
  }
  return output;
}
