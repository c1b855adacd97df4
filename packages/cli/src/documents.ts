import { readFile } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import { decodeUtf8 } from "@cistern/protocol";
import { withLocalFile } from "./local-file.js";

/** The largest document libvirt takes. */
const MAX_DOCUMENT_BYTES = 4 * 1024 * 1024;

/** A document from a file, or from standard input where `path` is "-". */
export async function readDocument(path: string, stdin: NodeJS.ReadableStream): Promise<string> {
  const bytes = path === "-" ? await buffer(stdin) : await withLocalFile("read", path, () => readFile(path));
  if (bytes.length > MAX_DOCUMENT_BYTES)
    throw new Error(
      `cannot take the document '${path}': it has ${bytes.length} bytes, and a document has at most 4 MiB`,
    );
  return decodeUtf8(bytes);
}
