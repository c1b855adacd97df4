import { randomBytes } from "node:crypto";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { CancelSignal } from "../../cancel-signal.js";
import type { Host } from "../../host/host.js";
import {
  deleteInterface,
  listInterfaces,
  newInterface,
  parseInterfaces,
  setInterfaceInitiator,
} from "../../tools/iscsiadm.js";
import { run, runToSuccess } from "./sessions.js";

/*
 * Who this machine is to a target (its initiator IQN) is an attribute of open-iscsi's interfaces, which are records, not network
 * interfaces: for an IQN that is not the machine's own there has to be one.
 */

/** The interface of an initiator IQN; null: there is none. */
export async function interfaceOf(iqn: string, host: Host, signal: CancelSignal): Promise<string | null> {
  const interfaces = parseInterfaces(await runToSuccess(host, listInterfaces(), signal));
  return interfaces.find(({ initiatorIqn }) => initiatorIqn === iqn)?.name ?? null;
}

/** 9/0 where nobody made one: a question makes none. */
export async function existingInterface(iqn: string, host: Host, signal: CancelSignal): Promise<string> {
  const found = await interfaceOf(iqn, host, signal);
  if (found !== null) return found;
  throw LibvirtError.of(ErrorCode.OPERATION_FAILED, ErrorDomain.NONE, `no iSCSI interface defined for IQN ${iqn}`);
}

/** Makes one, under a name as libvirt gives it. It stays: other pools may use it, and administrators' records. */
export async function makeInterface(iqn: string, host: Host, signal: CancelSignal): Promise<string> {
  const name = `libvirt-iface-${randomBytes(4).toString("hex")}`;
  await runToSuccess(host, newInterface(name), signal);
  try {
    await runToSuccess(host, setInterfaceInitiator(name, iqn), signal);
  } catch (thrown) {
    await removeInterface(name, host);
    throw thrown;
  }
  return name;
}

/** One that was made for a start that failed. */
export async function removeInterface(name: string, host: Host): Promise<void> {
  await run(host, deleteInterface(name)).catch(() => {
    // It is no harm where it is, and the failure before it is what counts.
  });
}
