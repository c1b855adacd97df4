import { ParseOption, RelaxNGValidator, XmlDocument, XmlValidateError } from "libxml2-wasm";
import { DocumentError, DocumentErrorCode, DocumentErrorDomain } from "../errors.js";
import type { XmlElement } from "../xml/element.js";
import { serialize } from "./serialize.js";

/**
 * libxml2 takes time with the square of how often an element is repeated under one parent: 4,096 cost it some 20 ms,
 * a document of 4 MiB in one run would cost minutes. No definition has thousands of hosts, devices or extents.
 */
export const MAX_VALIDATED_CHILDREN = 4096;

/**
 * A RELAX NG schema under the name by which messages call it, compiled when it is first used, and kept. Schemas are
 * self-contained text and nothing is registered with libxml2, so that neither they nor documents can make it read files.
 */
export class Schema {
  readonly #name: string;
  readonly #grammar: string;
  #validator: RelaxNGValidator | null = null;

  constructor(name: string, grammar: string) {
    this.#name = name;
    this.#grammar = grammar;
  }

  /**
   * Checks a document that has been parsed. libxml2 validates its own trees only, so the document is written out for it
   * once more: the parser in front of us has seen to entities, encodings and sizes.
   *
   * @throws DocumentError 92/5 `Unable to validate doc against storagepool.rng`, followed by libxml2's lines
   */
  validate(root: XmlElement): void {
    const crowded = findCrowded(root);
    if (crowded !== null) {
      throw this.#refuse(`Element ${crowded.name} has more than ${MAX_VALIDATED_CHILDREN} child elements\n`);
    }
    this.#validator ??= compile(this.#grammar);
    const document = XmlDocument.fromString(serialize(root), { option: ParseOption.XML_PARSE_NO_XXE });
    try {
      this.#validator.validate(document);
    } catch (error) {
      throw error instanceof XmlValidateError ? this.#refuse(error.message, error) : error;
    } finally {
      document.dispose();
    }
  }

  #refuse(lines: string, cause?: unknown): DocumentError {
    return new DocumentError(
      DocumentErrorCode.XML_INVALID_SCHEMA,
      DocumentErrorDomain.XML,
      `Unable to validate doc against ${this.#name}\n${lines}`,
      { cause },
    );
  }
}

function compile(grammar: string): RelaxNGValidator {
  const document = XmlDocument.fromString(grammar);
  try {
    return RelaxNGValidator.fromDoc(document);
  } finally {
    document.dispose();
  }
}

function findCrowded(element: XmlElement): XmlElement | null {
  let elements = 0;
  for (const node of element.children) {
    if (typeof node === "string") {
      continue;
    }
    if (++elements > MAX_VALIDATED_CHILDREN) {
      return element;
    }
    const crowded = findCrowded(node);
    if (crowded !== null) {
      return crowded;
    }
  }
  return null;
}
