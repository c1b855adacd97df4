import { Connection, memoryTransport } from "../dist/index.js";
import { ScriptedServer } from "./scripted-server.js";

/** An opened connection and its other end. Whoever asks for it closes it. */
export async function connectScripted(): Promise<{ server: ScriptedServer; connection: Connection }> {
  const [client, other] = memoryTransport();
  const server = new ScriptedServer(other);
  return { server, connection: await Connection.open(client, "storage:///system") };
}
