import type { PoolRegistry } from "../pools/registry.js";

/** Gives each wish a name that no pool has, nor any that was given before: "images", "images-2", … */
export function poolNamer(registry: PoolRegistry): (wish: string) => string {
  const given = new Set<string>();
  return (wish) => {
    let name = wish;
    for (let number = 2; given.has(name) || registry.findByName(name) !== undefined; number++)
      name = `${wish}-${number}`;
    given.add(name);
    return name;
  };
}
