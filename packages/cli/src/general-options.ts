import type { GeneralOption } from "./completion/words.js";
import { OUTPUT_FORMS } from "./output/data.js";

/** Options of every command. No command has a parameter with one of these names. */
export const GENERAL_OPTIONS = [
  {
    long: "connect",
    short: "c",
    placeholder: "uri",
    help: "the daemon: a URI or the path of a socket",
    takesValue: true,
    completes: "files",
  },
  {
    long: "root",
    placeholder: "directory",
    help: "the daemon that was started with this --root",
    takesValue: true,
    completes: "files",
  },
  {
    long: "output",
    placeholder: "form",
    help: "how results are printed",
    takesValue: true,
    completes: OUTPUT_FORMS,
  },
  {
    long: "quiet",
    short: "q",
    help: "print neither headings and progress nor that something was done",
    takesValue: false,
  },
  {
    long: "deadline",
    placeholder: "seconds",
    help: "give up after so long without an answer",
    takesValue: true,
  },
] as const satisfies readonly (GeneralOption & { readonly placeholder?: string })[];
