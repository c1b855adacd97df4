import { formatJson } from "./json.js";
import { formatYaml } from "./yaml.js";

/** How results are written: for people, or for programs. */
export const OUTPUT_FORMS = ["text", "json", "yaml"] as const;
export type OutputForm = (typeof OUTPUT_FORMS)[number];
type DataForm = Exclude<OutputForm, "text">;

/** One result: a JSON document, a YAML document. */
export function writeData(value: unknown, form: DataForm): string {
  return form === "json" ? `${formatJson(value)}\n` : formatYaml(value);
}

/** One of many results that come one after the other: JSON on a line of its own, a YAML document with its mark. */
export function writeRecord(value: unknown, form: DataForm): string {
  return form === "json" ? `${formatJson(value, 0)}\n` : `---\n${formatYaml(value)}`;
}
