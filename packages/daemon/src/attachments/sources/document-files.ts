import {
  type Directory,
  type Host,
  HostError,
  isEvidenceOf,
  type ScanEvidence,
  textOfBytes,
} from "../../host/index.js";
import { limits } from "../../limits.js";
import { inTurns } from "../turns.js";

/** A file of a guest's document, as it is now. */
export interface DocumentFile {
  /** Its name without ".xml". */
  readonly name: string;
  /** As `ScannedEntry.evidence`: null: look again next time. */
  readonly evidence: ScanEvidence | null;
  /** null: it is as `known` has it. */
  readonly content: { readonly xml: string } | { readonly problem: string } | null;
}

/** Where files of documents lie: a directory of them, or one alone. */
export interface DocumentFiles {
  /**
   * All files there now, with the content of those that are not as `known` has them.
   * @throws HostError where it cannot be told what there is
   */
  read(known: ReadonlyMap<string, ScanEvidence>): Promise<DocumentFile[]>;
}

const OPTIONS = { timeoutMs: limits.sourceCallMs };

/** Regular files NAME.xml of a directory: links to definitions (autostart) and what lies below name nothing new. */
export class DirectoryOfDocuments implements DocumentFiles {
  readonly #path: string;
  readonly #hostAt: (path: string) => Promise<Host>;

  constructor(path: string, hostAt: (path: string) => Promise<Host>) {
    this.#path = path;
    this.#hostAt = hostAt;
  }

  async read(known: ReadonlyMap<string, ScanEvidence>): Promise<DocumentFile[]> {
    const host = await this.#hostAt(this.#path);
    await using directory = await host.openDirectory(this.#path, OPTIONS);
    const files: DocumentFile[] = [];
    const changed: { readonly name: string; readonly evidence: ScanEvidence | null }[] = [];
    for await (const batch of directory.scan({ headBytes: 0, windows: [] }, OPTIONS)) {
      for (const { name, isSymlink, facts, evidence } of batch) {
        if (isSymlink || facts?.kind !== "file" || !name.endsWith(".xml") || name.startsWith(".")) continue;
        const before = known.get(stemOf(name));
        if (before === undefined || !isEvidenceOf(before, facts)) changed.push({ name, evidence });
        else files.push({ name: stemOf(name), evidence, content: null });
        if (files.length + changed.length > limits.domainsPerSource) throw tooMany(this.#path);
      }
    }
    await inTurns(changed, limits.domainReadsAtOnce, async ({ name, evidence }) => {
      files.push({ name: stemOf(name), evidence, content: await contentOf(directory, name) });
    });
    return files;
  }
}

export class OneDocument implements DocumentFiles {
  readonly #path: string;
  readonly #hostAt: (path: string) => Promise<Host>;

  constructor(path: string, hostAt: (path: string) => Promise<Host>) {
    this.#path = path;
    this.#hostAt = hostAt;
  }

  async read(): Promise<DocumentFile[]> {
    const slash = this.#path.lastIndexOf("/");
    const name = this.#path.slice(slash + 1);
    const host = await this.#hostAt(this.#path);
    await using directory = await host.openDirectory(this.#path.slice(0, slash) || "/", OPTIONS);
    const content = await contentOf(directory, name);
    // What is in it is all there is: without it the source does not answer.
    if ("error" in content) throw content.error;
    return [{ name: stemOf(name), evidence: null, content }];
  }
}

function stemOf(name: string): string {
  return name.replace(/\.xml$/, "");
}

async function contentOf(
  directory: Directory,
  name: string,
): Promise<{ readonly xml: string } | { readonly problem: string; readonly error: HostError }> {
  try {
    return { xml: textOfBytes(Buffer.from(await directory.readFile(name, limits.storedDocumentBytes, OPTIONS))) };
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    return { problem: `"${directory.path}/${name}" cannot be read: ${error.message}`, error };
  }
}

function tooMany(path: string): HostError {
  return new HostError("EFBIG", 27, `"${path}" has more than ${limits.domainsPerSource} documents`);
}
