import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { ErrorDomain, LibvirtError } from "@cistern/protocol";
import { loginFailed } from "./mechanism.js";

/** Who logs in. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** For which login a name and a password are wanted. */
export interface CredentialsRequest {
  /** Whom it is for: the host of the URI, `localhost` of a socket. */
  readonly host: string;
  /** SASL's name: `SCRAM-SHA-256`, `PLAIN`. */
  readonly mechanism: string;
}

/** Name and password for a login; null: there are none. */
export type CredentialsSource = (request: CredentialsRequest) => Promise<Credentials | null>;

/**
 * Where libvirt's clients keep credentials, the first that there is: `authfile=` of the URI, `LIBVIRT_AUTH_FILE`, the
 * user's own, the system's.
 */
export function authFilePlaces(
  said: string | null,
  environment: Readonly<Record<string, string | undefined>> = process.env,
  home: string = homedir(),
): readonly string[] {
  if (said !== null) return [said];
  const named = environment["LIBVIRT_AUTH_FILE"];
  if (named !== undefined && named !== "") return [named];
  const configuration = environment["XDG_CONFIG_HOME"] || join(home, ".config");
  return [join(configuration, "libvirt/auth.conf"), "/etc/libvirt/auth.conf"];
}

/** From the first of these files that exists; null: in none. 38 for one that was named and cannot be read. */
export function fromAuthFile(places: readonly string[]): CredentialsSource {
  return async ({ host }) => {
    for (const path of places) {
      let text: string;
      try {
        text = await readFile(path, "utf8");
      } catch (error) {
        const { code, errno = 0 } = error as NodeJS.ErrnoException;
        if (code === "ENOENT" && places.length > 1) continue;
        throw LibvirtError.system(ErrorDomain.RPC, Math.abs(errno), `Failed to read auth file '${path}'`);
      }
      return credentialsIn(text, host, path);
    }
    return null;
  };
}

/**
 * Finds what a file in libvirt's form has for a host:
 *
 *     [credentials-ops]           [auth-libvirt-host.example]
 *     username=joe                credentials=ops
 *     password=secret
 *
 * `[auth-libvirt-default]` is for every other host. 45 for a file that refers to credentials that it does not have.
 */
export function credentialsIn(text: string, host: string, path: string): Credentials | null {
  const groups = groupsOf(text);
  const wanted = groups.get(`auth-libvirt-${host}`) ?? groups.get("auth-libvirt-default");
  if (wanted === undefined) return null;
  const name = wanted.get("credentials");
  const found = name === undefined ? undefined : groups.get(`credentials-${name}`);
  if (found === undefined) {
    throw loginFailed(`'${path}' has no group 'credentials-${name ?? ""}', which it names for '${host}'`);
  }
  const username = found.get("username") ?? found.get("authname");
  const password = found.get("password");
  return username === undefined || password === undefined ? null : { username, password };
}

function groupsOf(text: string): ReadonlyMap<string, ReadonlyMap<string, string>> {
  const groups = new Map<string, Map<string, string>>();
  let group = new Map<string, string>();
  for (const line of text.split("\n").map((raw) => raw.trim())) {
    if (line === "" || line.startsWith("#")) continue;
    const title = /^\[(.*)\]$/.exec(line)?.[1];
    if (title !== undefined) {
      group = groups.get(title) ?? new Map<string, string>();
      groups.set(title, group);
      continue;
    }
    const at = line.indexOf("=");
    if (at > 0) group.set(line.slice(0, at).trim(), line.slice(at + 1).trim());
  }
  return groups;
}
