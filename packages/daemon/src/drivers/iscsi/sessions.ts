import type { PoolSource } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { CancelSignal } from "../../cancel-signal.js";
import type { CommandResult, Host } from "../../host/host.js";
import { describeFailure, hostLimits } from "../../host/index.js";
import type { Sysfs } from "../scsi/sysfs.js";
import { failure, isErrno } from "../shared/failure.js";

const SESSIONS = "class/iscsi_session";
/** Of a session that is not logged in yet, or not any more. One that has lost its server is FAILED, and still there. */
const NOT_LOGGED_IN = "FREE";

/** A login to a target, as the kernel has it. */
export interface Session {
  /** A number, as text: the kernel's, and iscsiadm's. */
  readonly id: string;
  readonly target: string;
}

/** All of this machine, also those that are only being logged in. What iscsiadm lists comes from here as well. */
export async function allSessions(sysfs: Sysfs): Promise<Session[]> {
  const sessions: Session[] = [];
  for (const name of (await sysfs.names(SESSIONS)) ?? []) {
    const [, id] = /^session(\d+)$/.exec(name) ?? [];
    const target = id === undefined ? null : await sysfs.read(`${SESSIONS}/${name}`, "targetname");
    if (id !== undefined && target !== null) sessions.push({ id, target });
  }
  return sessions;
}

/**
 * The sessions with the pool's target; where the pool says who it is to the target, only those that say the same. By which
 * portal they go is not asked, as libvirt does not.
 */
export async function sessionsOf(source: PoolSource, sysfs: Sysfs): Promise<Session[]> {
  const sessions: Session[] = [];
  for (const session of await allSessions(sysfs)) {
    if (session.target === targetOf(source) && (await isOurs(session, source, sysfs))) sessions.push(session);
  }
  return sessions;
}

async function isOurs({ id }: Session, { initiatorIqn }: PoolSource, sysfs: Sysfs): Promise<boolean> {
  const directory = `${SESSIONS}/session${id}`;
  if ((await sysfs.read(directory, "state")) === NOT_LOGGED_IN) return false;
  return initiatorIqn === null || (await sysfs.read(directory, "initiatorname")) === initiatorIqn;
}

/** The number of the SCSI host that a session is to the kernel. */
export async function hostNumberOfSession({ id }: Session, sysfs: Sysfs): Promise<number> {
  const link = await sysfs.link(SESSIONS, `session${id}`);
  const [, number] = /\/host(\d{1,9})\/session\d+\//.exec(link ?? "") ?? [];
  if (number !== undefined) return Number(number);
  const path = sysfs.path(`${SESSIONS}/session${id}/device`);
  const text = `Failed to get host number for iSCSI session with path '${path}'`;
  throw LibvirtError.of(ErrorCode.INTERNAL_ERROR, ErrorDomain.STORAGE, text);
}

export function targetOf({ devices }: PoolSource): string {
  return devices[0]?.path ?? "";
}

/** Whatever its exit status. A program that is missing or does not end is libvirt's 38. */
export async function run(
  host: Host,
  command: Parameters<Host["run"]>[0],
  signal?: CancelSignal,
  timeoutMs: number = hostLimits.iscsiCallMs,
): Promise<CommandResult> {
  try {
    return await host.run(command, { timeoutMs, ...(signal === undefined ? {} : { signal }) });
  } catch (thrown) {
    const verb = isErrno(thrown, "ENOENT") ? "find" : "run";
    throw failure(thrown, `Cannot ${verb} '${command.program}'`, ErrorDomain.NONE);
  }
}

/** The same for a command that has to succeed; 1/0 with the line, its status and what it said. */
export async function runToSuccess(...args: Parameters<typeof run>): Promise<string> {
  const result = await run(...args);
  if (result.exitStatus === 0) return result.stdout;
  throw failed(result);
}

function failed(result: CommandResult): LibvirtError {
  return LibvirtError.of(ErrorCode.INTERNAL_ERROR, ErrorDomain.NONE, describeFailure(result));
}
