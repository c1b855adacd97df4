import type { Command, CommandArgument } from "../host/host.js";

/*
 * Command lines of iscsiadm (open-iscsi), as libvirt gives them, so that a failed one reads the same in a client. A portal is
 * "HOST:PORT,TPGT" with the portal group that libvirt always takes, 1; an IPv6 address stands in brackets.
 */

/** Exit status of a question to which the answer is that there is none: "No records found" (open-iscsi, iscsi_err.h). */
export const ISCSI_ERR_NO_OBJS_FOUND = 21;

const DEFAULT_PORT = 3260;
const PORTAL_GROUP = 1;
/** The name of the interface that open-iscsi takes when none is said. */
export const DEFAULT_INTERFACE = "default";
/** Shown in the place of a value that is not set. */
const UNSET = "<empty>";

export interface Portal {
  readonly host: string;
  readonly port: number;
}

/** `port` 0: not said. */
export function portalOf(host: { readonly name: string; readonly port: number }): Portal {
  return { host: host.name, port: host.port === 0 ? DEFAULT_PORT : host.port };
}

export function portalText({ host, port }: Portal): string {
  const shown = host.includes(":") ? `[${host}]` : host;
  return `${shown}:${port},${PORTAL_GROUP}`;
}

/** How open-iscsi names the folder of a portal's records: no brackets, and commas between all. */
export function portalFolder({ host, port }: Portal): string {
  return `${host},${port},${PORTAL_GROUP}`;
}

/** What a login goes to: one target at one portal, from one of this machine's interfaces. */
export interface Node {
  readonly portal: Portal;
  readonly target: string;
  readonly interfaceName: string;
}

const iscsiadm = (...args: CommandArgument[]): Command => ({ program: "iscsiadm", args });

/** Looks for new and changed LUNs of one session. */
export const rescanSession = (id: string): Command => iscsiadm("--mode", "session", "-r", id, "-R");

export const logoutSession = (id: string): Command => iscsiadm("--mode", "session", "-r", id, "--logout");

/** Lists interfaces; see `parseInterfaces`. */
export const listInterfaces = (): Command => iscsiadm("--mode", "iface");

export const newInterface = (name: string): Command => iscsiadm("--mode", "iface", "--interface", name, "--op", "new");

export const setInterfaceInitiator = (name: string, iqn: string): Command =>
  iscsiadm("--mode", "iface", "--interface", name, "--op", "update", "--name", "iface.initiatorname", "--value", iqn);

/** Takes its records with it. */
export const deleteInterface = (name: string): Command =>
  iscsiadm("--mode", "iface", "--interface", name, "--op", "delete");

/** Shows the record of a node; exit status 21: there is none. */
export const showNode = (node: Node): Command => nodeCommand(node);

/** Makes a record; one that is there already is made anew, with all that was set in it. */
export const newNode = (node: Node): Command => nodeCommand(node, "--op", "new");

export const deleteNode = (node: Node): Command => nodeCommand(node, "--op", "delete");

export const updateNode = (node: Node, name: string, value: string): Command =>
  nodeCommand(node, "--op", "update", "--name", name, "--value", value);

/** The same for a value that no message may show. Other users of the machine see it as long as the program runs. */
export const updateNodeUnseen = (node: Node, name: string, value: string): Command =>
  nodeCommand(node, "--op", "update", "--name", name, "--value", { unshown: value });

export const login = ({ portal, target, interfaceName }: Node): Command =>
  iscsiadm(...nodeArguments(portal, target), "--login", ...interfaceArguments(interfaceName));

/** Asks a portal which targets it has (see `parseTargets`). Leaves no record. */
export const discoverTargets = (portal: Portal, interfaceName: string | null): Command =>
  iscsiadm(
    ...["--mode", "discovery", "--type", "sendtargets", "--portal", portalText(portal), "--op", "nonpersistent"],
    ...(interfaceName === null ? [] : ["--interface", interfaceName]),
  );

function nodeCommand({ portal, target, interfaceName }: Node, ...operation: CommandArgument[]): Command {
  return iscsiadm(...nodeArguments(portal, target), ...interfaceArguments(interfaceName), ...operation);
}

function nodeArguments(portal: Portal, target: string): string[] {
  return ["--mode", "node", "--portal", portalText(portal), "--targetname", target];
}

/**
 * Without an interface iscsiadm would take the records of all of them. libvirt says none for the default one: so it is said,
 * but not shown.
 */
function interfaceArguments(name: string): CommandArgument[] {
  if (name === DEFAULT_INTERFACE) return [{ unshown: "--interface" }, { unshown: name }];
  return ["--interface", name];
}

export interface Interface {
  readonly name: string;
  /** null: the machine's own. */
  readonly initiatorIqn: string | null;
}

/**
 * ```
 * default tcp,<empty>,<empty>,<empty>,<empty>
 * libvirt-iface-1234abcd tcp,<empty>,<empty>,<empty>,iqn.2004-04.org.lab:other
 * ```
 * Name, then transport, hardware address, IP address, network interface, initiator IQN.
 */
export function parseInterfaces(output: string): Interface[] {
  const interfaces: Interface[] = [];
  for (const line of output.split("\n")) {
    const [, name, initiatorIqn] = /^(\S+)\s+[^,\s]*,[^,]*,[^,]*,[^,]*,(\S+)\s*$/.exec(line) ?? [];
    if (name === undefined || initiatorIqn === undefined) continue;
    interfaces.push({ name, initiatorIqn: initiatorIqn === UNSET ? null : initiatorIqn });
  }
  return interfaces;
}

/**
 * ```
 * 127.0.0.1:3260,1 iqn.2004-04.org.lab:t1
 * 127.0.0.1:3260,1 iqn.2004-04.org.lab:t2
 * ```
 * Portal and target. A target with several portals is given once, where it is first.
 */
export function parseTargets(output: string): string[] {
  const targets = new Set<string>();
  for (const line of output.split("\n")) {
    const [, target] = /^\s*\S+:\d+,\d+\s+(\S+)\s*$/.exec(line) ?? [];
    if (target !== undefined) targets.add(target);
  }
  return [...targets];
}

/**
 * A record with another CHAP password. Records are lines `name = value`; of what begins and ends in blanks, or holds a line
 * break, iscsiadm would read something else: null. The password may be any other bytes.
 *
 * ```
 * # BEGIN RECORD 2.1.8
 * node.name = iqn.2004-04.org.lab:t1
 * node.session.auth.authmethod = CHAP
 * node.session.auth.username = alice
 * # END RECORD
 * ```
 */
export function withPassword(record: Uint8Array, password: Uint8Array): Uint8Array | null {
  // One character a byte, whatever the bytes are.
  const secret = Buffer.from(password).toString("latin1");
  if (secret === "" || secret.trim() !== secret || /[\n\r\0]/.test(secret)) return null;
  const lines = Buffer.from(record).toString("latin1").split("\n");
  const kept = lines.filter((line) => !line.startsWith(`${PASSWORD} =`));
  const end = kept.indexOf("# END RECORD");
  if (end === -1) return null;
  kept.splice(end, 0, `${PASSWORD} = ${secret}`);
  return Buffer.from(kept.join("\n"), "latin1");
}

export const AUTHENTICATION_METHOD = "node.session.auth.authmethod";
export const USER_NAME = "node.session.auth.username";
export const PASSWORD = "node.session.auth.password";
/** How often a first login is tried again when the portal does not answer; open-iscsi's default is 8, of 15 s each. */
export const LOGIN_RETRIES = "node.session.initial_login_retry_max";
