import { attachLoop } from "../../support/loop.js";
import { loadModules } from "./modules.js";

export interface LoopDisk extends Disposable {
  /** Such as /dev/loop0. */
  readonly device: string;
}

/** A disk of so many bytes in the guest's memory; sparse, so it costs what is written to it. Gone with `dispose`. */
export function loopDisk(sizeBytes: number): LoopDisk {
  loadModules("loop");
  return attachLoop(sizeBytes);
}
