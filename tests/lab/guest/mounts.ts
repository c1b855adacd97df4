import { readFileSync } from "node:fs";

/** Lines of the kernel's mount table at a target, as "type source". */
export function mountedAt(target: string): string[] {
  const lines = readFileSync("/proc/self/mounts", "utf8").split("\n");
  return lines.flatMap((line) => {
    const [source, point, type] = line.split(" ");
    return point === target ? [`${type} ${source}`] : [];
  });
}

export function mountOptionsAt(target: string): string[] {
  const lines = readFileSync("/proc/self/mounts", "utf8").split("\n");
  return (lines.find((line) => line.split(" ")[1] === target)?.split(" ")[3] ?? "").split(",");
}
