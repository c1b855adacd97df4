import { BlockList, isIP } from "node:net";
import { hostname, networkInterfaces } from "node:os";

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK.addAddress("::1", "ipv6");

/** Whether a name or an address, as it stands in a URI, is this host's. No name service is asked: it may not answer. */
export function isOwnName(name: string): boolean {
  const said = name.toLowerCase();
  const family = isIP(said);
  if (family === 0) return said === "localhost" || said === hostname().toLowerCase();
  if (LOOPBACK.check(said, family === 4 ? "ipv4" : "ipv6")) return true;
  return Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === said));
}
