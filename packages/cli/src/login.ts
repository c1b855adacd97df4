import { authFilePlaces, type CredentialsSource, fromAuthFile, resolveEndpoint } from "@cistern/client";
import { askForLine, canAsk } from "./ask.js";
import { printable } from "./output/text.js";
import type { Surroundings } from "./surroundings.js";

/** Name and password for a server that wants them: as libvirt's `auth.conf` has them, else as whoever sits there says. */
export function credentialsFor(target: string, surroundings: Surroundings): CredentialsSource {
  return async (request) => {
    const known = await fromAuthFile(authFilePlaces(resolveEndpoint(target).login.authFile))(request);
    if (known !== null || !canAsk(surroundings)) return known;
    const host = printable(request.host);
    const username = await askForLine(surroundings, `Name at ${host}: `, { isShown: true });
    const prompt = `Password of ${printable(username)} at ${host}: `;
    return { username, password: await askForLine(surroundings, prompt, { isShown: false }) };
  };
}
