import type { PoolAuthentication } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { CancelSignal } from "../../cancel-signal.js";
import type { Host } from "../../host/host.js";
import {
  AUTHENTICATION_METHOD,
  type Node,
  PASSWORD,
  portalFolder,
  USER_NAME,
  updateNode,
  updateNodeUnseen,
  withPassword,
} from "../../tools/iscsiadm.js";
import type { PoolContext } from "../driver.js";
import { isErrno } from "../shared/failure.js";
import { runToSuccess } from "./sessions.js";

/** Where distributions keep open-iscsi's records. */
const RECORDS = ["/etc/iscsi/nodes", "/var/lib/iscsi/nodes"];
/** A record is some 70 short lines. */
const RECORD_BYTES = 65_536;

/** 27 for a kind of authentication that iSCSI does not know. */
export function checkAuthentication(authentication: PoolAuthentication | null): void {
  if (authentication === null || authentication.type === "chap") return;
  const text = "iscsi pool only supports 'chap' auth type";
  throw LibvirtError.of(ErrorCode.XML_ERROR, ErrorDomain.STORAGE, text);
}

/**
 * Writes name and password into a node's record. The password is not given to iscsiadm, on whose command line every user of the
 * machine could read it: it is written into the record, which only root may read. Only where the record cannot be found there is
 * no other way than iscsiadm's own.
 */
export async function authenticate(
  node: Node,
  { username, secret: lookup }: PoolAuthentication,
  host: Host,
  { secret, signal }: PoolContext,
): Promise<void> {
  const password = await secret(lookup, "iscsi");
  await runToSuccess(host, updateNode(node, AUTHENTICATION_METHOD, "CHAP"), signal);
  await runToSuccess(host, updateNode(node, USER_NAME, username), signal);
  if (await writePassword(node, password, host, signal)) return;
  await runToSuccess(host, updateNodeUnseen(node, PASSWORD, Buffer.from(password).toString()), signal);
}

/** false: there is no record where it is expected. */
async function writePassword(node: Node, password: Uint8Array, host: Host, signal: CancelSignal): Promise<boolean> {
  const { portal, target, interfaceName: name } = node;
  for (const records of RECORDS) {
    try {
      await using folder = await host.openDirectory(`${records}/${target}/${portalFolder(portal)}`, { signal });
      const record = withPassword(await folder.readFile(name, RECORD_BYTES, { signal }), password);
      if (record === null) throw unusable(target);
      await folder.writeFileAtomically(name, record, 0o600, { signal });
      return true;
    } catch (thrown) {
      if (!isErrno(thrown, "ENOENT", "ENOTDIR")) throw thrown;
    }
  }
  return false;
}

function unusable(target: string): LibvirtError {
  const why = "it is empty, begins or ends with a blank, or has a line break";
  const text = `the secret of target '${target}' cannot be an iSCSI password: ${why}`;
  return LibvirtError.of(ErrorCode.CONFIG_UNSUPPORTED, ErrorDomain.STORAGE, text);
}
