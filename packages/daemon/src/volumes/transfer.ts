import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { VolumeContext } from "../drivers/driver.js";
import { unsupported } from "../drivers/index.js";
import { type File, HostError } from "../host/index.js";
import type { Requester } from "../jobs/job-facts.js";
import type { OpenJob } from "../jobs/jobs.js";
import type { Pools } from "../pools/pools.js";
import { checkFlags } from "../pools/refusals.js";
import { volumeBuilding } from "../pools/volume-refusals.js";
import { Download, type Transfer } from "./download.js";
import { spaceForUpload, Upload } from "./upload.js";
import { mustBeIdle, type Volumes } from "./volumes.js";
import { contextOf, type PlacedVolume, type VolumeBackends, type VolumeHandle } from "./work.js";

const SPARSE_STREAM = 1;
const MAX_OFFSET = 2n ** 63n - 1n;

/** Ends a transfer: null, it did all it should. Rejects where it must not be reported as done all the same. */
export type EndTransfer = Transfer["end"];

/** Reading and writing the bytes of volumes. `lengthBytes` 0: no limit. Whoever gets one ends it, in whatever way. */
export class Transfers {
  readonly #pools: Pools;
  readonly #volumes: Volumes;
  readonly #backends: VolumeBackends;

  constructor(pools: Pools, volumes: Volumes, backends: VolumeBackends) {
    this.#pools = pools;
    this.#volumes = volumes;
    this.#backends = backends;
  }

  /** The volume has this reader until the download has ended. */
  async download(
    handle: VolumeHandle,
    offsetBytes: bigint,
    lengthBytes: bigint,
    flags: number,
    requester: Requester,
  ): Promise<Download> {
    checkFlags(flags, SPARSE_STREAM, "storageVolDownload");
    const placed = this.#volumes.resolve(handle);
    const { pool, volume } = placed;
    if (volume.building) throw volumeBuilding(volume.name);
    const open = this.#backends.driverOf(pool.live).volumes?.openForDownload;
    if (open === undefined) throw unsupported("volume.download");
    return this.#begin("download", placed, requester, async (context, job, end) => {
      const file = await open(pool.live, volume.document, context);
      await this.#checkOffset(file, placed, offsetBytes);
      const range = { offsetBytes, lengthBytes, sparse: (flags & SPARSE_STREAM) !== 0 };
      return new Download(file, range, { job, end });
    });
  }

  /** The volume has this writer until the upload has ended; then its pool is scanned. */
  async upload(
    handle: VolumeHandle,
    offsetBytes: bigint,
    lengthBytes: bigint,
    flags: number,
    requester: Requester,
  ): Promise<Upload> {
    checkFlags(flags, SPARSE_STREAM, "storageVolUpload");
    const placed = this.#volumes.resolve(handle);
    const { pool, volume } = placed;
    mustBeIdle(volume, this.#backends.leases);
    const open = this.#backends.driverOf(pool.live).volumes?.openForUpload;
    if (open === undefined) throw unsupported("volume.upload");
    return this.#begin("upload", placed, requester, async (context, job, end) => {
      await this.#backends.uses.volume(pool, volume, "upload", requester);
      const { file, recorded, freeBytes } = await open(pool.live, volume.document, context);
      const ended: EndTransfer = async (error, left) => {
        if (left !== undefined) {
          await recorded.keep();
          const what = `cut '${volume.document.target.path}' back to its old length (the next start tries again) in`;
          this.#backends.report.problem(what, pool.name, left);
        }
        const kept = left === undefined ? await recorded.release() : null;
        const problem = error ?? (kept === null ? null : recordKept(kept, volume.document.target.path));
        volume.evidence = null;
        pool.changes.changed(volume);
        await end(problem);
        this.#pools.refreshAfterUpload(pool);
        if (problem !== error) throw problem;
      };
      try {
        await this.#checkOffset(file, placed, offsetBytes);
        const range = { offsetBytes, lengthBytes, ...(await spaceForUpload(file)) };
        pool.changes.uploading(volume);
        return new Upload(file, range, { job, end: ended, ...(freeBytes === undefined ? {} : { freeBytes }) });
      } catch (error) {
        await recorded.release();
        throw error;
      }
    });
  }

  /** Takes the lease, announces the job, and gives both back should the transfer not come about. */
  async #begin<T>(
    kind: "upload" | "download",
    { pool, volume }: PlacedVolume,
    requester: Requester,
    open: (context: VolumeContext, job: OpenJob, end: EndTransfer) => Promise<T>,
  ): Promise<T> {
    const { leases } = this.#backends;
    const endLease = kind === "upload" ? leases.write(volume) : leases.read(volume);
    pool.transfers.push(volume);
    // It goes as fast as its client, who may do nothing for long: it must not take anybody's turn.
    const job = this.#backends.jobs.open({ kind, pool: pool.name, volume: volume.name, requester, isHeavy: false });
    let ended = false;
    const end: EndTransfer = async (error) => {
      if (ended) return;
      ended = true;
      pool.transfers.splice(pool.transfers.indexOf(volume), 1);
      endLease();
      await job.end(error);
    };
    try {
      await job.begin();
      return await open(await contextOf(this.#backends, pool, volume, job), job, end);
    } catch (error) {
      await end(error instanceof Error ? error : new Error(String(error)));
      throw error;
    }
  }

  /** What `lseek` of the file system refuses is refused before the stream opens, as libvirt does. */
  async #checkOffset(file: File, { volume }: PlacedVolume, offsetBytes: bigint): Promise<void> {
    try {
      if (offsetBytes > MAX_OFFSET) throw new HostError("EINVAL", 22, "offset beyond what a file can have");
      await file.checkOffset(offsetBytes);
    } catch (error) {
      await file.close();
      if (!(error instanceof HostError)) throw error;
      throw LibvirtError.system(
        ErrorDomain.STREAMS,
        error.errno,
        `Unable to seek ${volume.document.target.path} to ${offsetBytes}`,
      );
    }
  }
}

function recordKept(cause: Error, path: string | null): LibvirtError {
  const text = `cannot remove the record of the upload to '${path}', by which the next start of the daemon may undo it`;
  return LibvirtError.of(ErrorCode.INTERNAL_ERROR, ErrorDomain.STREAMS, text, { cause });
}
