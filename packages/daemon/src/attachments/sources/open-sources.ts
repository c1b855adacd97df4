import { type Connection, resolveEndpoint } from "@cistern/client";
import { LibvirtError } from "@cistern/protocol";
import { type Directory, type Host, HostError } from "../../host/index.js";
import { ConnectionSource } from "./connection-source.js";
import { DirectoryOfDocuments, OneDocument } from "./document-files.js";
import type { DomainSource } from "./domain-source.js";
import { FileSource, type ReadDomain } from "./file-source.js";
import { SourceMemory } from "./source-memory.js";
import { UnusableSource } from "./unusable-source.js";

export interface SourceParts {
  readonly hostAt: (path: string) => Promise<Host>;
  readonly connect: (uri: string) => Promise<Connection>;
  readonly read: ReadDomain;
  /** Private; outlives a restart. */
  readonly memoryDirectory: Directory;
  readonly warn: (text: string, error: unknown) => void;
  /** Of this daemon. */
  readonly ownSockets: readonly string[];
}

/**
 * The source of a name as it is configured: a URI, or the absolute path of a directory or a file.
 * @throws UnusableSource for a path to something else
 */
export async function domainSource(name: string, parts: SourceParts): Promise<DomainSource> {
  const { hostAt, memoryDirectory: directory, warn, read } = parts;
  const memoryOf = (kind: "connection" | "directory" | "file"): SourceMemory =>
    new SourceMemory(name, kind, { directory, warn });
  if (!name.startsWith("/")) {
    refuseOwnSocket(name, parts.ownSockets);
    return new ConnectionSource(() => parts.connect(name), memoryOf("connection"), read);
  }
  return (await isFile(name, hostAt))
    ? new FileSource(new OneDocument(name, hostAt), memoryOf("file"), read)
    : new FileSource(new DirectoryOfDocuments(name, hostAt), memoryOf("directory"), read);
}

/** It does not listen yet, so that nobody could ask who answers there. */
function refuseOwnSocket(uri: string, ownSockets: readonly string[]): void {
  try {
    const { way } = resolveEndpoint(uri, { readOnly: true });
    if (way.transport === "unix" && ownSockets.includes(way.socketPath)) {
      throw new UnusableSource(uri, "it is this Cistern daemon itself");
    }
  } catch (error) {
    if (error instanceof LibvirtError) throw new UnusableSource(uri, error.message);
    throw error;
  }
}

/** What is not there, or does not answer, is taken by its name for what it will be. */
async function isFile(path: string, hostAt: SourceParts["hostAt"]): Promise<boolean> {
  try {
    const { kind } = await (await hostAt(path)).facts(path);
    if (kind === "file" || kind === "directory") return kind === "file";
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    return path.endsWith(".xml");
  }
  throw new UnusableSource(path, "it is neither a directory nor a file");
}
