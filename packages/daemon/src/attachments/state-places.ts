import { homedir } from "node:os";
import { isAbsolute, join, posix } from "node:path";
import type { Endpoint } from "@cistern/client";
import type { DiskSource, DomainDocument, DomainReference } from "@cistern/documents";
import { LibvirtError } from "@cistern/protocol";
import { sourceEndpoint } from "./sources/source-endpoint.js";
import { isAtOrBelow } from "./volume-match.js";

/** Whom the daemon runs as: a session's state lies in its user's home. */
export interface OwnUser {
  readonly homeDirectory: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Directories of libvirt's driver for QEMU; no setting moves them. */
interface StatePlaces {
  readonly tpm: string;
  readonly variables: string;
}

/** As libvirt 9.0 has them, for the system and, below `~/.config/libvirt/qemu`, for a user's session. */
const SYSTEM: StatePlaces = { tpm: "/var/lib/libvirt/swtpm", variables: "/var/lib/libvirt/qemu/nvram" };
const SYSTEM_DOCUMENTS = ["/etc/libvirt/qemu", "/run/libvirt/qemu", "/var/run/libvirt/qemu"];

/** The hypervisors of that driver; others keep their state elsewhere. */
const DRIVEN: ReadonlySet<string> = new Set(["qemu", "kvm", "hvf"]);

/**
 * Where libvirt keeps a guest's state of which the document does not say where.
 *
 * @param source where the document comes from, as it is configured
 * @returns null: that cannot be told
 */
export function unsaidSource(
  reference: DomainReference,
  document: Pick<DomainDocument, "name" | "uuid" | "hypervisor">,
  source: string,
  user: OwnUser = { homeDirectory: homedir(), environment: process.env },
): DiskSource | null {
  const { name, uuid, hypervisor } = document;
  const places = DRIVEN.has(hypervisor) ? placesOf(source, user) : null;
  if (places === null || reference.source.type !== "unsaid") return null;
  // libvirt accepts no such name: this document is somebody else's.
  if (reference.role === "nvram" && !name.includes("/")) {
    return { type: "file", path: `${places.variables}/${name}_VARS.fd` };
  }
  if (reference.role !== "tpm" || uuid === null) return null;
  const { version } = reference.source;
  const directory = `${places.tpm}/${uuid}`;
  // libvirt itself always says the version.
  return { type: "dir", path: version === null ? directory : `${directory}/${version === "1.2" ? "tpm1.2" : "tpm2"}` };
}

function placesOf(source: string, user: OwnUser): StatePlaces | null {
  return source.startsWith("/") ? placesByPath(source, user) : placesByUri(source, user);
}

function placesByUri(uri: string, user: OwnUser): StatePlaces | null {
  const endpoint = endpointOf(uri, user);
  if (endpoint === null) return null;
  const { openName, way } = endpoint;
  if (!openName.endsWith("/session")) return SYSTEM;
  // Of another user's session it is not known where that user's home is.
  return way.transport === "unix" ? ownSession(way.socketPath, user) : null;
}

/** Documents that lie elsewhere were written by somebody by hand, for the system's hypervisor more likely than not. */
function placesByPath(path: string, user: OwnUser): StatePlaces | null {
  const directory = path.endsWith(".xml") ? posix.dirname(path) : posix.normalize(path).replace(/\/$/, "");
  if (SYSTEM_DOCUMENTS.includes(directory)) return SYSTEM;
  if (directory.endsWith("/libvirt/qemu/run")) return ownSession(directory, user);
  return directory.endsWith("/libvirt/qemu") ? sessionPlaces(directory) : SYSTEM;
}

/** By something in the runtime directory of the session. */
function ownSession(path: string, user: OwnUser): StatePlaces | null {
  const runtime = user.environment["XDG_RUNTIME_DIR"] || null;
  const isOwn = runtime !== null && isAtOrBelow(path, posix.join(runtime, "/").slice(0, -1));
  return isOwn ? sessionPlaces(join(configDirectory(user), "libvirt/qemu")) : null;
}

function sessionPlaces(directory: string): StatePlaces {
  return { tpm: `${directory}/swtpm`, variables: `${directory}/nvram` };
}

function endpointOf(uri: string, { environment }: OwnUser): Endpoint | null {
  try {
    return sourceEndpoint(uri, environment);
  } catch (error) {
    if (error instanceof LibvirtError) return null;
    throw error;
  }
}

function configDirectory({ environment, homeDirectory }: OwnUser): string {
  const said = environment["XDG_CONFIG_HOME"];
  return said !== undefined && isAbsolute(said) ? said : join(homeDirectory, ".config");
}
