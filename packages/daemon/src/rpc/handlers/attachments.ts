import { AttachFlags, LIMITS, type VolumeReference } from "@cistern/protocol";
import type { WorkFacts } from "../../attachments/explanation.js";
import { checkFlags } from "../../pools/refusals.js";
import type { PlacedVolume } from "../../volumes/work.js";
import type { Handlers } from "../call.js";
import { sendable } from "../sendable.js";
import type { Services } from "../services.js";
import {
  pageOf,
  toWireAttachment,
  toWireConflict,
  toWireExplanation,
  toWireOrphan,
  toWireProposal,
  toWireSource,
} from "../wire-attachment.js";

/** Who uses what: of Cistern's own program, the part about guests. */
export function attachmentHandlers({ log, pools, volumes, jobs, reports, changes }: Services): Handlers {
  const known = () => ({ doubts: sendable(reports.doubts), isAnybodyAsked: reports.isAnybodyAsked });
  const jobsOn = ({ name, pool }: VolumeReference): WorkFacts[] =>
    jobs.list().filter((job) => job.pool === pool && job.volume === name);
  const placed = (vol: VolumeReference): PlacedVolume => volumes.resolve(vol);

  return {
    domainSourceList: () => ({
      sources: reports.attachments.sources().slice(0, LIMITS.inspectionItems).map(toWireSource),
    }),
    attachmentList: async ({ domain, vol, offset }) => {
      const found = await reports.list({ domain, volume: vol === null ? null : placed(vol) });
      return { attachments: pageOf(found, offset, toWireAttachment), total: found.length, ...known() };
    },
    volumeExplain: async ({ vol }) => ({
      explanation: toWireExplanation(await reports.explain(placed(vol), jobsOn(vol))),
    }),
    conflictList: async ({ offset }) => {
      const found = await reports.conflicts();
      return { conflicts: pageOf(found, offset, toWireConflict), total: found.length, ...known() };
    },
    orphanList: async ({ offset }) => {
      const { orphans, total, sources } = await reports.orphans({ offset, count: LIMITS.listItems });
      const page = pageOf(orphans, 0, toWireOrphan);
      return {
        orphans: page,
        total,
        ...known(),
        sources: sources.slice(0, LIMITS.inspectionItems).map(toWireSource),
      };
    },
    adoptionPlan: async ({ path, domain }) => {
      const { proposals, left } = await reports.adoption(path, domain);
      return { proposals: proposals.slice(0, LIMITS.inspectionItems).map(toWireProposal), left: sendable(left) };
    },
    poolCheckReach: async ({ pool, user, group }) => {
      const report = await reports.reach(pools.registry.resolve(pool), { user, group });
      return {
        user: report.user.name,
        group: report.user.groupName,
        takesOwnership: report.user.takesOwnership,
        volumes: report.volumes,
        faults: pageOf(report.faults, 0, sendable),
      };
    },
    volumeAttach: async ({ vol, domain, target, bus, flags }, call) => {
      checkFlags(flags, ALL_FLAGS, "cisternVolumeAttach");
      const attached = await changes.attach(placed(vol), domain, {
        target,
        bus,
        ...extentOf(flags),
        isReadOnly: (flags & AttachFlags.READ_ONLY) !== 0,
        isShareable: (flags & AttachFlags.SHAREABLE) !== 0,
      });
      log.info({ call: call.id, pool: vol.pool, volume: vol.name, domain, ...attached }, "a client attaches a volume");
      return attached;
    },
    volumeDetach: async ({ vol, domain, target, flags }, call) => {
      checkFlags(flags, AttachFlags.LIVE | AttachFlags.CONFIG, "cisternVolumeDetach");
      const detached = await changes.detach(placed(vol), domain, { target, ...extentOf(flags) });
      log.info({ call: call.id, pool: vol.pool, volume: vol.name, domain, ...detached }, "a client detaches a volume");
      return detached;
    },
    setRefuseDefined: ({ refuses }, { connection }) => {
      connection.refusesDefinedUses = refuses;
    },
  };
}

const ALL_FLAGS = Object.values(AttachFlags).reduce<number>((all, flag) => all | flag, 0);

function extentOf(flags: number): { readonly live: boolean; readonly config: boolean } {
  return { live: (flags & AttachFlags.LIVE) !== 0, config: (flags & AttachFlags.CONFIG) !== 0 };
}
