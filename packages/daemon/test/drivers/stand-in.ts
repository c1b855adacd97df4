import type { Directory, Host } from "../../dist/host/host.js";

/** A real object some of whose methods were replaced. */
export function standIn<T extends object>(real: T, methods: Partial<T>): T {
  return new Proxy(real, {
    get: (target, property) => {
      if (property in methods) return Reflect.get(methods, property);
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** A host whose directories do some things in another way; `methods` is asked for each one that is opened. */
export function hostWith(host: Host, methods: (directory: Directory) => Partial<Directory>): Host {
  return standIn(host, {
    openDirectory: async (path, options) => {
      const directory = await host.openDirectory(path, options);
      return standIn(directory, methods(directory));
    },
  });
}
