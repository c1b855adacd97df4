import type { Context } from "../context.js";
import { Failure } from "../failure.js";
import { flag, optionalText } from "./parameters.js";

/** Of commands that print a document. */
export const xpathParameters = {
  xpath: optionalText("xpath expression to filter the XML document", { isNamedOnly: true }),
  wrap: flag("wrap xpath results in a common root element"),
} as const;

interface Selection {
  readonly xpath: string | null;
  readonly wrap: boolean;
}

/** The document, or what an expression finds in it. */
export async function printSelected(context: Context, xml: string, { xpath, wrap }: Selection): Promise<void> {
  if (xpath === null) return context.printDocument(xml);
  const { selectNodes, wrapNodes } = await import("@cistern/documents");
  let nodes: readonly string[];
  try {
    nodes = selectNodes(xml, xpath);
  } catch (error) {
    throw new Failure(error, { task: `Incorrect xpath '${xpath}'` });
  }
  context.print(wrap ? wrapNodes(nodes) : nodes.map((node) => `${node}\n`).join(""));
}
