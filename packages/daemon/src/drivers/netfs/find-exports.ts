import type { PoolSource } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { CancelSignal } from "../../cancel-signal.js";
import { type Command, describeFailure, type Host, HostError, hostLimits } from "../../host/index.js";
import { listVolumes, parseVolumes } from "../../tools/gluster.js";
import { parseExports, showExports } from "../../tools/showmount.js";
import { failure } from "../shared/failure.js";

/** What a server exports: by NFS, then, where there is gluster's program, volumes of its cluster. */
export async function findExports(server: string, host: Host, signal: CancelSignal): Promise<PoolSource[]> {
  // To the programs it would be an option.
  if (server.startsWith("-")) {
    throw LibvirtError.of(ErrorCode.INVALID_ARG, ErrorDomain.STORAGE, `'${server}' is not the name of a host`);
  }
  const answers = [await ask(showExports(server), host, signal), await ask(listVolumes(server), host, signal)] as const;
  const [nfs, gluster] = answers;
  const directories = "output" in nfs ? parseExports(nfs.output) : [];
  const volumes = "output" in gluster ? parseVolumes(gluster.output) : [];
  // libvirt drops all of a server's exports for one that it cannot put into a document.
  const usable = directories.filter((directory) => !directory.endsWith("/"));
  const found = [
    ...usable.map((directory) => source(server, directory, "nfs")),
    ...volumes.map((volume) => source(server, volume, "glusterfs")),
  ];
  if (found.length > 0) return found;
  const silent = answers.find((answer) => "failure" in answer && isSilence(answer.failure));
  if (silent !== undefined && "failure" in silent) throw failure(silent.failure, `cannot ask host '${server}'`);
  throw nothingFound(server, answers);
}

type Answer = { readonly output: string } | { readonly failure: unknown };

/** Whatever goes wrong is no reason not to ask the other way. */
async function ask(command: Command, host: Host, signal: CancelSignal): Promise<Answer> {
  try {
    const result = await host.run(command, { signal, timeoutMs: hostLimits.questionMs });
    return result.exitStatus === 0 ? { output: result.stdout } : { failure: new Error(describeFailure(result)) };
  } catch (thrown) {
    return { failure: thrown };
  }
}

function isSilence(thrown: unknown): boolean {
  return thrown instanceof HostError && (thrown.code === "ETIMEDOUT" || thrown.code === "ECANCELED");
}

/** In libvirt's words; what the programs said is its cause, and goes to the log. */
function nothingFound(server: string, answers: readonly Answer[]): LibvirtError {
  const reasons = answers.flatMap((answer) => ("failure" in answer ? [String(answer.failure)] : []));
  const text = `no storage pools were found on host '${server}'`;
  return LibvirtError.of(ErrorCode.OPERATION_FAILED, ErrorDomain.STORAGE, text, { cause: reasons.join("; ") });
}

function source(server: string, directory: string, format: string): PoolSource {
  return {
    hosts: [{ name: server, port: 0 }],
    devices: [],
    directory,
    adapter: null,
    name: null,
    initiatorIqn: null,
    format,
    authentication: null,
    protocolVersion: null,
    vendor: null,
    product: null,
  };
}
