import { emptySource, type PoolSource } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import { discoverTargets, parseTargets, portalOf, rescanSession } from "../tools/iscsiadm.js";
import { NOTHING_MADE, type StorageDriver } from "./driver.js";
import { checkAuthentication } from "./iscsi/authentication.js";
import { existingInterface } from "./iscsi/interfaces.js";
import { logIn, logOut } from "./iscsi/login.js";
import { hostNumberOfSession, runToSuccess, sessionsOf, targetOf } from "./iscsi/sessions.js";
import { scanLuns } from "./scsi/luns.js";
import { Sysfs } from "./scsi/sysfs.js";
import { openDeviceForDownload, openDeviceForUpload, wipeDevice } from "./shared/block/device-streams.js";

/**
 * Pools of type "iscsi": the LUNs of one target, through the kernel's initiator (open-iscsi). A session is a login; one that was
 * there when the pool started is used, and left alone when it stops.
 */
export const iscsiDriver: StorageDriver = {
  type: "iscsi",
  traits: { volumeKind: "block", allowsZeroCapacity: false, clones: false },

  async check({ source }, host) {
    return (await sessionsOf(source, new Sysfs(host))).length > 0;
  },

  async start(pool, host, context) {
    const { source } = pool;
    checkSource(source);
    if ((await sessionsOf(source, new Sysfs(host))).length > 0) return NOTHING_MADE;
    checkAuthentication(source.authentication);
    const made = await logIn(source, host, context);
    // As libvirt's live documents have it: who logs in says to which port.
    const hosts = source.hosts.map((first) => ({ ...first, port: portalOf(first).port }));
    return { made, pool: { ...pool, source: { ...source, hosts } } };
  },

  async stop({ source }, host, { made }) {
    if (made.length > 0) await logOut(source, made, host);
  },

  async scan(pool, host, _known, signal) {
    const sysfs = new Sysfs(host);
    const [session] = await sessionsOf(pool.source, sysfs);
    if (session === undefined) {
      const text = `cannot find iscsiadm session: ${targetOf(pool.source)}`;
      throw LibvirtError.of(ErrorCode.INTERNAL_ERROR, ErrorDomain.NONE, text);
    }
    await runToSuccess(host, rescanSession(session.id), signal);
    const hostNumber = await hostNumberOfSession(session, sysfs);
    return scanLuns({ pool, hostNumber, keyHasPort: false, host, sysfs, signal });
  },

  async discover(wanted, host, signal) {
    const [first] = wanted?.hosts ?? [];
    if (wanted === null || first === undefined) return [];
    const { initiatorIqn } = wanted;
    const portal = portalOf(first);
    const interfaceName = initiatorIqn === null ? null : await existingInterface(initiatorIqn, host, signal);
    const output = await runToSuccess(host, discoverTargets(portal, interfaceName), signal);
    return parseTargets(output).map((path) => ({
      ...emptySource("iscsi"),
      hosts: [{ name: portal.host, port: portal.port }],
      devices: [{ path, partSeparator: null, freeExtents: [] }],
      initiatorIqn,
    }));
  },

  volumes: {
    wipe: wipeDevice,
    openForDownload: openDeviceForDownload,
    openForUpload: openDeviceForUpload,
  },
};

function checkSource({ hosts, devices }: PoolSource): void {
  if (hosts.length !== 1) {
    const text = "Expected exactly 1 host for the storage pool";
    throw LibvirtError.of(ErrorCode.CONFIG_UNSUPPORTED, ErrorDomain.STORAGE, text);
  }
  const missing = hosts[0]?.name === "" ? "host" : devices.length !== 1 || devices[0]?.path === "" ? "device" : null;
  if (missing === null) return;
  throw LibvirtError.of(ErrorCode.INTERNAL_ERROR, ErrorDomain.STORAGE, `missing source ${missing}`);
}
