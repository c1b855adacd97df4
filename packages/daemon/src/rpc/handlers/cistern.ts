import { ErrorCode, ErrorDomain, JOB_LIST_ENDED, LibvirtError } from "@cistern/protocol";
import type { AutostartFailure } from "../../pools/autostart.js";
import { checkFlags } from "../../pools/refusals.js";
import type { Handlers } from "../call.js";
import type { Services } from "../services.js";
import { toWireInspection } from "../wire-inspection.js";
import { microseconds, toWireJob, wireError } from "../wire-job.js";
import { refuseTooMany } from "./pools.js";

const PER_MILLE = 1000;
const MOST_BYTES_PER_SECOND = 2n ** 63n - 1n;
const MOST_BYTES = 2n ** 64n - 1n;

/** Cistern's own program: jobs, and what libvirt's protocol has no words for. */
export function cisternHandlers({ log, jobs, pools, commitments, inspection }: Services): Handlers {
  return {
    jobList: ({ flags }) => {
      checkFlags(flags, JOB_LIST_ENDED, "cisternJobList");
      const found = jobs.list({ ended: (flags & JOB_LIST_ENDED) !== 0 });
      refuseTooMany(found.length, "jobs");
      return { jobs: found.map(toWireJob) };
    },
    jobGet: ({ id }) => ({ job: toWireJob(jobs.get(jobNumber(id))) }),
    jobWatch: ({ id }, { connection }) => ({
      watchID: connection.jobWatches.watch(id === 0n ? null : jobNumber(id)),
    }),
    jobUnwatch: ({ watchID }, { connection }) => connection.jobWatches.unwatch(watchID),
    jobCancel: ({ id }, call) => {
      jobs.cancel(jobNumber(id));
      log.info({ call: call.id, job: jobs.get(jobNumber(id)).title }, "a client cancels a job");
    },
    jobSetBandwidth: ({ id, bytesPerSecond }, call) => {
      jobs.setBandwidth(jobNumber(id), bandwidth(bytesPerSecond));
      log.info({ call: call.id, job: jobs.get(jobNumber(id)).title, bytesPerSecond }, "a client limits a job");
    },
    poolGetCommitment: ({ pool }) => {
      const facts = commitments.of(pools.registry.resolve(pool));
      return {
        capacity: facts.capacityBytes,
        // Whatever images claim to hold: the sum of a few can be more than a client can be told.
        promised: facts.promisedBytes < MOST_BYTES ? facts.promisedBytes : MOST_BYTES,
        available: facts.availableBytes,
        warnRatio: perMille(facts.warnRatio),
        refuseRatio: perMille(facts.refuseRatio),
      };
    },
    poolGetAutostart: ({ pool }) => {
      const failure = pools.autostart.failureOf(pools.registry.resolve(pool));
      return { failure: failure === null ? null : toWireFailure(failure) };
    },
    volumeInspect: async ({ vol }) => ({ inspection: toWireInspection(await inspection.inspect(vol)) }),
  };
}

function toWireFailure({ attempts, lastAttemptAt, nextAttemptAt, error }: AutostartFailure) {
  return {
    attempts,
    lastAttempt: microseconds(lastAttemptAt),
    nextAttempt: microseconds(nextAttemptAt),
    error: wireError(error),
  };
}

/** Jobs are counted from 1; no job has a number that cannot be counted to. */
function jobNumber(id: bigint): number {
  if (id > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw LibvirtError.of(ErrorCode.INVALID_ARG, ErrorDomain.STORAGE, `no job with id ${id}`);
  }
  return Number(id);
}

/** 0 lifts the limit. What qemu-img cannot count is refused, for every job alike. */
function bandwidth(bytesPerSecond: bigint): bigint | null {
  if (bytesPerSecond > MOST_BYTES_PER_SECOND) {
    const detail = `a bandwidth of ${bytesPerSecond} bytes a second is above ${MOST_BYTES_PER_SECOND}`;
    throw LibvirtError.of(ErrorCode.INVALID_ARG, ErrorDomain.STORAGE, detail);
  }
  return bytesPerSecond === 0n ? null : bytesPerSecond;
}

function perMille(ratio: number | null): number {
  return ratio === null ? 0 : Math.round(ratio * PER_MILLE);
}
