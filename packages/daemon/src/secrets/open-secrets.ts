import { type Host, HostError } from "../host/index.js";
import type { SecretProvider } from "./provider.js";
import { RemoteSecrets } from "./remote-secrets.js";
import { type ReportSkipped, SecretFiles, type SecretReader } from "./secret-files.js";
import { SecretStore } from "./secret-store.js";
import type { SystemToken } from "./system-token.js";

export interface SecretsOptions {
  readonly host: Host;
  /** Of the files, when the secrets are this daemon's own. */
  readonly directory: string;
  /** Where libvirt's secret daemon is asked, when it listens there; null: never. */
  readonly daemonSocketPath: string | null;
  readonly token: SystemToken;
  readonly reader: SecretReader;
  readonly reportSkipped: ReportSkipped;
  readonly report: (text: string, reason?: unknown) => void;
  /** Called before files are touched: takes the lock that keeps a secret daemon from the same files. */
  readonly claimFiles: () => Promise<void>;
}

/** libvirt's secret daemon where there is one, else this daemon's own store, loaded. */
export async function openSecrets(options: SecretsOptions): Promise<SecretProvider> {
  const { daemonSocketPath, host, reader, reportSkipped } = options;
  if (daemonSocketPath !== null && (await isSocket(host, daemonSocketPath))) {
    return new RemoteSecrets({ socketPath: daemonSocketPath, token: options.token, report: options.report });
  }
  await options.claimFiles();
  const files = new SecretFiles(await host.openDirectory(options.directory), reader, reportSkipped);
  const store = new SecretStore(files, reader, reportSkipped);
  await store.reload();
  return store;
}

async function isSocket(host: Host, path: string): Promise<boolean> {
  try {
    return (await host.facts(path)).kind === "socket";
  } catch (error) {
    if (error instanceof HostError && error.code === "ENOENT") return false;
    throw error;
  }
}
