import type { Connection, Endpoint } from "@cistern/client";
import { LibvirtError } from "@cistern/protocol";
import { type Directory, type Host, HostError, isOwnName } from "../../host/index.js";
import { ConnectionSource } from "./connection-source.js";
import { DirectoryOfDocuments, OneDocument } from "./document-files.js";
import type { DomainSource } from "./domain-source.js";
import { FileSource, type ReadDomain } from "./file-source.js";
import { sourceEndpoint } from "./source-endpoint.js";
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
 * @throws UnusableSource for a path to something else, for a hypervisor of another host and for this daemon
 */
export async function domainSource(name: string, parts: SourceParts): Promise<DomainSource> {
  const { hostAt, memoryDirectory: directory, warn, read } = parts;
  const memoryOf = (kind: "connection" | "directory" | "file"): SourceMemory =>
    new SourceMemory(name, kind, { directory, warn });
  if (!name.startsWith("/")) {
    refuseByUri(name, parts.ownSockets);
    return new ConnectionSource(() => parts.connect(name), memoryOf("connection"), read);
  }
  return (await isFile(name, hostAt))
    ? new FileSource(new OneDocument(name, hostAt), memoryOf("file"), read)
    : new FileSource(new DirectoryOfDocuments(name, hostAt), memoryOf("directory"), read);
}

/** Of this daemon nobody could ask who answers there: it does not listen yet. */
function refuseByUri(uri: string, ownSockets: readonly string[]): void {
  const { way } = endpointOf(uri);
  if (way.transport === "unix") {
    if (ownSockets.includes(way.socketPath)) throw new UnusableSource(uri, "it is this Cistern daemon itself");
    return;
  }
  const host = way.transport === "tcp" ? way.host : way.target.host;
  if (isOwnName(host)) return;
  const why = `it is on another host, and paths in the documents of its guests are those of '${host}'`;
  throw new UnusableSource(uri, `${why} (what is this host itself is called localhost)`);
}

/** A hypervisor that has not made its socket yet is none to refuse: it does not answer. */
function endpointOf(uri: string): Endpoint {
  try {
    return sourceEndpoint(uri);
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
