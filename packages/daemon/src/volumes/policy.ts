import type { VolumeDocument } from "@cistern/documents";

/** Whose a new volume is, where its document says nothing; null: libvirt's way (the daemon's own, 0600, no label). */
export interface VolumeDefaults {
  readonly mode: number | null;
  readonly owner: number | null;
  readonly group: number | null;
  readonly label: string | null;
}

export const NO_DEFAULTS: VolumeDefaults = { mode: null, owner: null, group: null, label: null };

/** What the administrator decided about volumes. It may change while the daemon runs. */
export interface VolumePolicy {
  /** Of a pool, by its name. */
  defaultsOf(pool: string): VolumeDefaults;
  /** Whether a volume that others are built on may be deleted under them, as with libvirt. */
  readonly deletesBackingStores: boolean;
  /** Whether a clone shares blocks with its source where the file system can; otherwise only when it is asked to. */
  readonly sharesBlocks: boolean;
  /** A transfer that moves no byte for so long is aborted. */
  readonly streamIdleMs: number;
}

export function withDefaults(volume: VolumeDocument, defaults: VolumeDefaults): VolumeDocument {
  const { permissions } = volume.target;
  const filled = {
    mode: permissions.mode ?? defaults.mode,
    owner: permissions.owner ?? defaults.owner,
    group: permissions.group ?? defaults.group,
    label: permissions.label ?? defaults.label,
  };
  return { ...volume, target: { ...volume.target, permissions: filled } };
}
