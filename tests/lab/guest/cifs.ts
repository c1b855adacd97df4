import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { loadModules } from "./modules.js";
import { attempt, run, runDaemon, waitFor } from "./run.js";

export interface Share {
  readonly name: string;
  /** Directory in the guest; made where it is missing. */
  readonly path: string;
  /** Whether one may come without a name. */
  readonly guests: boolean;
}

export interface Account {
  readonly user: string;
  readonly password: string;
}

/**
 * Starts smbd on 127.0.0.1:445. Once in a guest's life. Accounts are made in the guest's passwd too. Whoever comes in as a
 * guest writes as root.
 */
export async function startSmbServer(shares: readonly Share[], accounts: readonly Account[] = []): Promise<void> {
  loadModules("cifs");
  for (const place of ["/run/samba", "/var/lib/samba/private", "/var/cache/samba", "/var/log/samba"]) {
    mkdirSync(place, { recursive: true });
  }
  for (const { path } of shares) {
    mkdirSync(path, { recursive: true });
    chmodSync(path, 0o777);
  }
  writeFileSync("/etc/samba/smb.conf", configuration(shares));
  for (const { user, password } of accounts) {
    run("useradd", ["--no-create-home", user]);
    run("smbpasswd", ["-s", "-a", user], { input: `${password}\n${password}\n` });
  }
  runDaemon("smbd", ["--daemon"]);
  await waitFor("smbd's answer", () => attempt("smbcontrol", ["smbd", "ping"]).status === 0);
}

function configuration(shares: readonly Share[]): string {
  const global = [
    ...["bind interfaces only = yes", "interfaces = lo", "disable netbios = yes", "smb ports = 445"],
    ...["server role = standalone server", "map to guest = Bad User", "guest account = root", "load printers = no"],
  ];
  const sections = shares.map(({ name, path, guests }) => [
    `[${name}]`,
    ...[`path = ${path}`, "read only = no", `guest ok = ${guests ? "yes" : "no"}`],
  ]);
  return `${["[global]", ...global, ...sections.flat()].join("\n")}\n`;
}
