import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

interface Tree {
  readonly directories: readonly string[];
  readonly links: Readonly<Record<string, string>>;
  readonly files: Readonly<Record<string, string>>;
}

/** Lays a recorded part of /sys (recorded/sysfs) below a directory. Attributes are files there, and keep what is written. */
export function layTree(name: string, root: string): void {
  const tree: Tree = JSON.parse(readFileSync(new URL(`recorded/sysfs/${name}.json`, import.meta.url), "utf8"));
  for (const path of tree.directories) mkdirSync(join(root, path), { recursive: true });
  for (const [path, content] of Object.entries(tree.files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  for (const [path, target] of Object.entries(tree.links)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    symlinkSync(target, join(root, path));
  }
}
