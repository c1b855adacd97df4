/** As the kernel and udev name partitions: `/dev/sda1`, `/dev/nvme0n1p1`, `/dev/disk/by-id/…-part1`, `/dev/mapper/mpatha-part1`. */
const PARTITIONS = [
  /^(\/dev\/(?:[hsv]d|xvd)[a-z]+)(\d+)$/,
  /^(\/dev\/(?:nvme\d+n\d+|mmcblk\d+|loop\d+|nbd\d+))p(\d+)$/,
  /^(\/dev\/(?:disk\/by-[a-z]+|mapper)\/[^/]+)-part(\d+)$/,
];

/** The disk that a partition, by its place, is a part of; null: it is none. */
export function wholeDiskOf(place: string): string | null {
  for (const pattern of PARTITIONS) {
    const disk = pattern.exec(place)?.[1];
    if (disk !== undefined) return disk;
  }
  return null;
}
