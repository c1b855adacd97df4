import type { Directory, File, Host } from "../../dist/host/host.js";

/** A host that passes everything on, and what was opened through it. */
export interface RecordingHost {
  readonly host: Host;
  /** Paths of opened files, in order. */
  readonly opened: string[];
  /** Bytes read of them altogether. */
  readonly read: { bytes: number };
  /** Directories and files that are open now. */
  readonly open: { count: number };
}

export function recordingHost(real: Host): RecordingHost {
  const opened: string[] = [];
  const read = { bytes: 0 };
  const open = { count: 0 };
  const closing = <T extends Directory | File>(handle: T): Partial<Directory & File> => {
    open.count += 1;
    let isOpen = true;
    const close = async () => {
      if (isOpen) open.count -= 1;
      isOpen = false;
      await handle.close();
    };
    return { close, [Symbol.asyncDispose]: close };
  };
  const file = (path: string, handle: File): File => {
    opened.push(path);
    return replacing(handle, {
      ...closing(handle),
      read: async (...args: Parameters<File["read"]>) => {
        const bytes = await handle.read(...args);
        read.bytes += bytes.length;
        return bytes;
      },
    });
  };
  const directory = (handle: Directory): Directory =>
    replacing(handle, {
      ...closing(handle),
      open: async (...args: Parameters<Directory["open"]>) =>
        file(`${handle.path}/${args[0]}`, await handle.open(...args)),
      openDirectory: async (...args: Parameters<Directory["openDirectory"]>) =>
        directory(await handle.openDirectory(...args)),
    });
  const host = replacing(real, {
    openDirectory: async (...args: Parameters<Host["openDirectory"]>) => directory(await real.openDirectory(...args)),
    openFile: async (...args: Parameters<Host["openFile"]>) => file(args[0], await real.openFile(...args)),
  });
  return { host, opened, read, open };
}

/** Some members in place of the object's own; the others keep their object. */
function replacing<T extends object>(object: T, members: object): T {
  return new Proxy(object, {
    get(target, key) {
      if (key in members) return Reflect.get(members, key);
      const value: unknown = Reflect.get(target, key);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
