import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { Host } from "../host/host.js";
import { limits } from "../limits.js";
import { lookUpGroupsOf, lookUpName, parseGroups, parseNumber } from "../tools/getent.js";

/** As whom guests run on this host. */
export interface HypervisorUser {
  readonly name: string;
  readonly userId: number;
  readonly groupName: string;
  /** Its own first. */
  readonly groupIds: readonly number[];
  /** libvirt gives the files of a guest that starts to this user, so that whose they are before is no hindrance. */
  readonly takesOwnership: boolean;
}

/** What an administrator says instead of what libvirt is configured with; null: not said. */
export interface AccountWish {
  readonly user: string | null;
  readonly group: string | null;
}

const CONFIGURATION = "/etc/libvirt/qemu.conf";

/** As distributions build libvirt: Debian and its kin, the others. */
const STANDARD_ACCOUNTS = [
  { user: "libvirt-qemu", group: "kvm" },
  { user: "qemu", group: "qemu" },
] as const;

/** @throws LibvirtError 8 for accounts that this host does not have */
export async function findHypervisorUser(wish: AccountWish, host: Host): Promise<HypervisorUser> {
  const said = parseConfiguration(await readConfiguration(host));
  const standard = await standardAccounts(host);
  const name = wish.user ?? said.user ?? standard.user;
  const groupName = wish.group ?? said.group ?? standard.group;
  const userId = await numberOf("passwd", name, host);
  const groupId = await numberOf("group", groupName, host);
  if (userId === null) throw unknownAccount("user", name);
  if (groupId === null) throw unknownAccount("group", groupName);
  const more = await host.run(lookUpGroupsOf(name), { timeoutMs: limits.accountLookupMs });
  return {
    name,
    userId,
    groupName,
    groupIds: [...new Set([groupId, ...(more.exitStatus === 0 ? parseGroups(more.stdout) : [])])],
    takesOwnership: said.takesOwnership,
  };
}

export interface HypervisorConfiguration extends AccountWish {
  readonly takesOwnership: boolean;
}

/** `user = "libvirt-qemu"`, `group = "+107"`, `dynamic_ownership = 1` (the default); a "+" forces a number to be one. */
export function parseConfiguration(text: string): HypervisorConfiguration {
  const settingOf = (key: string): string | null => {
    const line = new RegExp(`^[ \\t]*${key}[ \\t]*=[ \\t]*(?:"([^"]*)"|'([^']*)'|(\\d+))`, "m").exec(text);
    return line === null ? null : (line[1] ?? line[2] ?? line[3] ?? null);
  };
  const account = (key: string): string | null => settingOf(key)?.replace(/^\+/, "") || null;
  return { user: account("user"), group: account("group"), takesOwnership: settingOf("dynamic_ownership") !== "0" };
}

/** Without libvirt on this host there is none. */
async function readConfiguration(host: Host): Promise<string> {
  try {
    await using file = await host.openFile(CONFIGURATION, "read", { timeoutMs: limits.accountLookupMs });
    return new TextDecoder().decode(await file.read(0n, limits.configurationBytes));
  } catch {
    return "";
  }
}

async function standardAccounts(host: Host): Promise<{ readonly user: string; readonly group: string }> {
  for (const accounts of STANDARD_ACCOUNTS) {
    if ((await numberOf("passwd", accounts.user, host)) !== null) return accounts;
  }
  return { user: "root", group: "root" };
}

async function numberOf(database: "passwd" | "group", account: string, host: Host): Promise<number | null> {
  if (/^\d{1,10}$/.test(account)) return Number(account);
  const result = await host.run(lookUpName(database, account), { timeoutMs: limits.accountLookupMs });
  return result.exitStatus === 0 ? parseNumber(result.stdout) : null;
}

function unknownAccount(kind: string, name: string): LibvirtError {
  return LibvirtError.of(
    ErrorCode.INVALID_ARG,
    ErrorDomain.STORAGE,
    `guests are said to run as ${kind} '${name}', which this host does not have`,
  );
}
