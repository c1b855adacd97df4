import { ErrorDomain } from "../error-codes.js";
import { PROGRAM } from "../frames/frame.js";
import { LIMITS } from "../limits.js";
import { string } from "../xdr/bytes.js";
import { array, optional, struct } from "../xdr/composites.js";
import { bool, hyper, int, nothing, uint, unsignedHyper } from "../xdr/scalars.js";
import type { Infer } from "../xdr/schema.js";
import {
  wireAttachment,
  wireConflict,
  wireDomainSource,
  wireExplanation,
  wireOrphan,
  wirePoolProposal,
  wireReachFault,
} from "./attachments.js";
import { wireInspection } from "./inspection.js";
import { messageOf, procedureOf } from "./procedure.js";
import { optionalText, poolReference, text, volumeReference } from "./shared.js";

const cisternProcedure = procedureOf(ErrorDomain.STORAGE, PROGRAM.CISTERN);
const cisternMessage = messageOf(PROGRAM.CISTERN);

const jobText = string(LIMITS.jobTextBytes);

/** Slow work as a person is told of it. Longer texts are cut to what fits. */
export const wireJob = struct({
  id: unsignedHyper,
  /** Place in `JOB_KINDS`. */
  kind: int,
  /** Place in `JOB_STATES`. */
  state: int,
  pool: jobText,
  /** Absent: the job is about the pool as such. */
  volume: optional(jobText),
  /** Of a clone: "pool/volume". */
  source: optional(jobText),
  /** "wipe volume 'a.img' of pool 'default'". */
  title: jobText,
  requester: struct({
    /** Place in `JOB_DOORS`. */
    door: int,
    userId: optional(uint),
    processId: optional(uint),
    /** The client's number in the daemon's log; 0: none. */
    client: unsignedHyper,
  }),
  /** Microseconds since 1970; 0: not yet. */
  created: unsignedHyper,
  started: unsignedHyper,
  ended: unsignedHyper,
  doneBytes: unsignedHyper,
  /** 0: not known. */
  totalBytes: unsignedHyper,
  /** Of the last seconds; of an ended job: over all its time. */
  bytesPerSecond: unsignedHyper,
  /** -1: cannot be told. */
  remainingSeconds: hyper,
  /** 0: not limited. */
  bandwidthBytesPerSecond: unsignedHyper,
  /** By which way it is done, once that is decided. */
  way: optional(jobText),
  remarks: array(jobText, LIMITS.jobRemarks),
  /** Why it failed. */
  error: optional(struct({ code: int, domain: int, message: jobText })),
});
export type WireJob = Infer<typeof wireJob>;

/** Append only: the place is the number on the wire. What a newer daemon adds is unknown to an older client. */
export const JOB_KINDS = [
  "create",
  "clone",
  "convert",
  "resize",
  "wipe",
  "upload",
  "download",
  "delete",
  "build",
  "refresh",
  "start",
] as const;
export const JOB_STATES = ["queued", "running", "cancelling", "done", "failed", "cancelled", "interrupted"] as const;
export const JOB_DOORS = ["rpc", "http", "daemon"] as const;

/** Bit of JOB_LIST: also what has ended lately. */
export const JOB_LIST_ENDED = 1;

/** Bits of VOLUME_ATTACH and VOLUME_DETACH. Without the first two: of a guest that runs its live state, else its definition. */
export const AttachFlags = { LIVE: 1, CONFIG: 2, READ_ONLY: 4, SHAREABLE: 8 } as const;

/** Why a list of uses may not be all. */
const known = {
  doubts: array(string(LIMITS.inspectionTextBytes), LIMITS.inspectionItems),
  /** False: no domain source is configured, which is the one doubt. */
  isAnybodyAsked: bool,
};
/** Of a list that comes in pages: what is left out before this one. */
const page = { offset: uint };
/** `total`: over all pages. A page has as much as fits; behind the last it is empty. */
const total = uint;

/** Cistern's own program: what libvirt's protocol has no words for. Numbers are only ever appended. */
export const cistern = {
  /** In the order in which they came; with JOB_LIST_ENDED, before them what has ended, in the order of the ends. */
  jobList: cisternProcedure(1, "JOB_LIST", "cisternJobList", {
    args: struct({ flags: uint }),
    result: struct({ jobs: array(wireJob, LIMITS.listItems) }),
    priority: true,
    acl: ["connect:search_jobs", "~job:getattr"],
  }),
  jobGet: cisternProcedure(2, "JOB_GET", "cisternJobGet", {
    args: struct({ id: unsignedHyper }),
    result: struct({ job: wireJob }),
    priority: true,
    acl: ["job:read"],
  }),
  /**
   * JOB_EVENT for each change of one job, or (`id` 0) of all, until JOB_UNWATCH or the end of the connection. Right after
   * the reply comes one for the job as it is, or for each that is under way.
   */
  jobWatch: cisternProcedure(3, "JOB_WATCH", "cisternJobWatch", {
    args: struct({ id: unsignedHyper }),
    result: struct({ watchID: int }),
    priority: true,
    acl: ["connect:search_jobs", "~job:getattr"],
  }),
  jobUnwatch: cisternProcedure(4, "JOB_UNWATCH", "cisternJobUnwatch", {
    args: struct({ watchID: int }),
    result: nothing,
    priority: true,
    acl: ["connect:read"],
  }),
  /** Asks the job to stop and undo what it made; it is over when its state says so. */
  jobCancel: cisternProcedure(5, "JOB_CANCEL", "cisternJobCancel", {
    args: struct({ id: unsignedHyper }),
    result: nothing,
    priority: true,
    requiresWrite: true,
    acl: ["job:cancel"],
  }),
  /** 0: no limit. */
  jobSetBandwidth: cisternProcedure(6, "JOB_SET_BANDWIDTH", "cisternJobSetBandwidth", {
    args: struct({ id: unsignedHyper, bytesPerSecond: unsignedHyper }),
    result: nothing,
    priority: true,
    requiresWrite: true,
    acl: ["job:write"],
  }),
  /** What guests were promised of a pool. Ratios are promised space by capacity, per mille; 0: no threshold. */
  poolGetCommitment: cisternProcedure(7, "POOL_GET_COMMITMENT", "cisternPoolGetCommitment", {
    args: struct({ pool: poolReference }),
    result: struct({
      capacity: unsignedHyper,
      promised: unsignedHyper,
      available: unsignedHyper,
      warnRatio: int,
      refuseRatio: int,
    }),
    priority: true,
    acl: ["storage_pool:read"],
  }),
  /** Looks into a volume and along its backing chain. What is found wrong there is told, and no error. */
  volumeInspect: cisternProcedure(8, "VOLUME_INSPECT", "cisternVolumeInspect", {
    args: struct({ vol: volumeReference }),
    result: struct({ inspection: wireInspection }),
    acl: ["storage_vol:read"],
  }),
  /** Why a pool that should have been started by itself does not run yet, and when it is tried again. */
  poolGetAutostart: cisternProcedure(10, "POOL_GET_AUTOSTART", "cisternPoolGetAutostart", {
    args: struct({ pool: poolReference }),
    result: struct({
      /** Absent: it runs, or nobody tries to start it. */
      failure: optional(
        struct({
          /** Since the boot. */
          attempts: uint,
          /** Microseconds since 1970. */
          lastAttempt: unsignedHyper,
          /** The same; 0: it is being tried. */
          nextAttempt: unsignedHyper,
          error: struct({ code: int, domain: int, message: jobText }),
        }),
      ),
    }),
    priority: true,
    acl: ["storage_pool:read"],
  }),
  /** Where guests' documents come from. None: nobody is asked who uses volumes. */
  domainSourceList: cisternProcedure(11, "DOMAIN_SOURCE_LIST", "cisternDomainSourceList", {
    args: nothing,
    result: struct({ sources: array(wireDomainSource, LIMITS.inspectionItems) }),
    priority: true,
    acl: ["connect:search_domains"],
  }),
  /** What guests use; of one guest (by name or UUID), of one volume, or all. */
  attachmentList: cisternProcedure(12, "ATTACHMENT_LIST", "cisternAttachmentList", {
    args: struct({ domain: optionalText, vol: optional(volumeReference), ...page }),
    result: struct({ attachments: array(wireAttachment, LIMITS.listItems), total, ...known }),
    priority: true,
    acl: ["connect:search_domains", "~domain:getattr"],
  }),
  volumeExplain: cisternProcedure(13, "VOLUME_EXPLAIN", "cisternVolumeExplain", {
    args: struct({ vol: volumeReference }),
    result: struct({ explanation: wireExplanation }),
    acl: ["storage_vol:read"],
  }),
  conflictList: cisternProcedure(14, "CONFLICT_LIST", "cisternConflictList", {
    args: struct(page),
    result: struct({ conflicts: array(wireConflict, LIMITS.listItems), total, ...known }),
    acl: ["connect:search_domains", "~domain:getattr"],
  }),
  /** Volumes that nobody is known to use. With `doubts`, "unused" is not known of any. */
  orphanList: cisternProcedure(15, "ORPHAN_LIST", "cisternOrphanList", {
    args: struct(page),
    result: struct({
      orphans: array(wireOrphan, LIMITS.listItems),
      total,
      ...known,
      sources: array(wireDomainSource, LIMITS.inspectionItems),
    }),
    acl: ["connect:search_storage_pools", "~storage_vol:getattr"],
  }),
  /** The pools that would have what guests use outside all pools: at or below a path, of one guest, or all. */
  adoptionPlan: cisternProcedure(16, "ADOPTION_PLAN", "cisternAdoptionPlan", {
    args: struct({ path: optionalText, domain: optionalText }),
    result: struct({
      proposals: array(wirePoolProposal, LIMITS.inspectionItems),
      /** What no pool can have. */
      left: array(struct({ place: text, reason: text }), LIMITS.inspectionItems),
    }),
    // It reads devices.
    requiresWrite: true,
    acl: ["connect:search_domains"],
  }),
  /** Whether the user that guests run as reaches the volumes of a pool; absent names: as libvirt is configured. */
  poolCheckReach: cisternProcedure(17, "POOL_CHECK_REACH", "cisternPoolCheckReach", {
    args: struct({ pool: poolReference, user: optionalText, group: optionalText }),
    result: struct({
      user: text,
      group: text,
      /** libvirt gives files to that user when a guest starts. */
      takesOwnership: bool,
      /** How many were looked at. */
      volumes: uint,
      faults: array(wireReachFault, LIMITS.listItems),
    }),
    // It asks as other users.
    requiresWrite: true,
    acl: ["storage_pool:read"],
  }),
  /** Gives a volume to a guest, over the connection that its source is. `flags`: `AttachFlags`. */
  volumeAttach: cisternProcedure(18, "VOLUME_ATTACH", "cisternVolumeAttach", {
    args: struct({ vol: volumeReference, domain: text, target: optionalText, bus: optionalText, flags: uint }),
    result: struct({ target: text, bus: text }),
    requiresWrite: true,
    acl: ["storage_vol:read", "domain:write"],
  }),
  /** Takes it away again. A running guest may not let go of a disk: then it is not released. */
  volumeDetach: cisternProcedure(19, "VOLUME_DETACH", "cisternVolumeDetach", {
    args: struct({ vol: volumeReference, domain: text, target: optionalText, flags: uint }),
    result: struct({ target: text, isReleased: bool }),
    requiresWrite: true,
    acl: ["storage_vol:read", "domain:write"],
  }),
  /** From now on, destructive calls of this connection are refused also where a guest is only defined with a volume, or not. */
  setRefuseDefined: cisternProcedure(20, "SET_REFUSE_DEFINED", "cisternSetRefuseDefined", {
    args: struct({ refuses: bool }),
    result: nothing,
    priority: true,
    acl: ["connect:read"],
  }),
} as const;

/** What Cistern's own program tells by itself: packets of type MESSAGE, serial 0, one per watch. */
export const cisternEvents = {
  jobEvent: cisternMessage(9, "JOB_EVENT", struct({ watchID: int, job: wireJob })),
} as const;
