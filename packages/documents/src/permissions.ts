/** Owner and access of a pool's target or a volume. `null`: not said (libvirt's -1). */
export interface Permissions {
  readonly mode: number | null;
  readonly owner: number | null;
  readonly group: number | null;
  readonly label: string | null;
}
