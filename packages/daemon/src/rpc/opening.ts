import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { OpenedAs } from "./call.js";

export interface OpeningRules {
  /** Schemes that are answered: "storage", and "qemu" for tools that know nothing else. */
  readonly schemes: readonly string[];
  readonly opensSession: boolean;
}

/** What a connection is opened as by the name in CONNECT_OPEN, or libvirt's refusal. */
export function openedAs(name: string | null, already: OpenedAs | null, rules: OpeningRules): OpenedAs {
  if (already !== null) throw LibvirtError.of(ErrorCode.INTERNAL_ERROR, ErrorDomain.RPC, "connection already open");
  if (name === null) throw LibvirtError.of(ErrorCode.INTERNAL_ERROR, ErrorDomain.RPC, "connection not open");
  if (name === "") return { driver: "storage", uri: "storage:///system" };
  const parts = /^([a-z][a-z0-9.-]*):\/\/[^/?#]*(\/[^?#]*)?(?:[?#].*)?$/i.exec(name);
  const scheme = parts?.[1];
  if (scheme === undefined || !rules.schemes.includes(scheme) || !isDriver(scheme)) {
    throw LibvirtError.of(ErrorCode.NO_CONNECT, ErrorDomain.NONE, name);
  }
  const path = parts?.[2] ?? "";
  const compatible = scheme === "qemu" && path === "/session";
  if (path === "/system" || (path === "/session" && (rules.opensSession || compatible))) {
    return { driver: scheme, uri: `${scheme}://${path}` };
  }
  throw LibvirtError.of(
    ErrorCode.INTERNAL_ERROR,
    ErrorDomain.NONE,
    `unexpected ${scheme} URI path '${path}', try ${scheme}:///system`,
  );
}

function isDriver(scheme: string): scheme is OpenedAs["driver"] {
  return scheme === "storage" || scheme === "qemu";
}
