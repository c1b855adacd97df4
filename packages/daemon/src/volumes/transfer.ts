import { ErrorDomain, LibvirtError } from "@cistern/protocol";
import { unsupported } from "../drivers/index.js";
import { type File, HostError } from "../host/index.js";
import { QUICK_JOB } from "../jobs/job.js";
import { hostForChanges } from "../pools/activation.js";
import type { Pool } from "../pools/pool.js";
import type { Pools } from "../pools/pools.js";
import { checkFlags, volumeBuilding, volumeInUse } from "../pools/refusals.js";
import type { Volume } from "../pools/volume-table.js";
import { Download } from "./download.js";
import { spaceForUpload, Upload } from "./upload.js";
import type { VolumeBackends, VolumeHandle, Volumes } from "./volumes.js";

const SPARSE_STREAM = 1;
const MAX_OFFSET = 2n ** 63n - 1n;

/** Reading and writing the bytes of volumes. `lengthBytes` 0: no limit. */
export class Transfers {
  readonly #pools: Pools;
  readonly #volumes: Volumes;
  readonly #backends: VolumeBackends;

  constructor(pools: Pools, volumes: Volumes, backends: VolumeBackends) {
    this.#pools = pools;
    this.#volumes = volumes;
    this.#backends = backends;
  }

  async download(handle: VolumeHandle, offsetBytes: bigint, lengthBytes: bigint, flags: number): Promise<Download> {
    checkFlags(flags, SPARSE_STREAM, "storageVolDownload");
    const { pool, volume } = this.#volumes.resolve(handle);
    if (volume.building) throw volumeBuilding(volume.document.name);
    const open = this.#backends.driverOf(pool.live).volumes?.openForDownload;
    if (open === undefined) throw unsupported("volume.download");
    const host = await this.#backends.hostOf(pool.live);
    const file = await open(pool.live, volume.document, host, volume.isSymlink);
    await this.#checkOffset(file, volume, offsetBytes);
    const range = { offsetBytes, lengthBytes, sparse: (flags & SPARSE_STREAM) !== 0 };
    return new Download(file, range, QUICK_JOB, () => {});
  }

  /** The volume is in use until the upload has ended, in whatever way; then its pool is scanned. */
  async upload(handle: VolumeHandle, offsetBytes: bigint, lengthBytes: bigint, flags: number): Promise<Upload> {
    checkFlags(flags, SPARSE_STREAM, "storageVolUpload");
    const { pool, volume } = this.#volumes.resolve(handle);
    if (volume.inUse > 0) throw volumeInUse(volume.document.name);
    if (volume.building) throw volumeBuilding(volume.document.name);
    const open = this.#backends.driverOf(pool.live).volumes?.openForUpload;
    if (open === undefined) throw unsupported("volume.upload");
    volume.inUse++;
    try {
      const host = await hostForChanges(pool, this.#backends);
      const file = await open(pool.live, volume.document, host, volume.isSymlink);
      await this.#checkOffset(file, volume, offsetBytes);
      const range = { offsetBytes, lengthBytes, ...(await spaceForUpload(file)) };
      return new Upload(file, range, QUICK_JOB, () => this.#uploadEnded(pool, volume));
    } catch (error) {
      volume.inUse--;
      throw error;
    }
  }

  #uploadEnded(pool: Pool, volume: Volume): void {
    volume.inUse--;
    volume.evidence = null;
    this.#pools.refreshAfterUpload(pool);
  }

  /** What `lseek` of the file system refuses is refused before the stream opens, as libvirt does. */
  async #checkOffset(file: File, volume: Volume, offsetBytes: bigint): Promise<void> {
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
