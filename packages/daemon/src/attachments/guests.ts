import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import { limits } from "../limits.js";
import type { Attachments, KnownDomain } from "./model.js";

/**
 * What sources tell of the guest of this name or UUID. One that nobody has told of yet is asked for: it may have been defined a
 * moment ago.
 *
 * @throws LibvirtError 42 where no source knows it
 */
export async function knownGuests(attachments: GuestLookup, nameOrUuid: string): Promise<KnownDomain[]> {
  const known = toldOf(attachments, nameOrUuid);
  if (known.length > 0) return known;
  const asked = attachments.sources().map(({ name: source }) => ({ source, name: nameOrUuid, uuid: null }));
  await Promise.all(asked.map((domain) => attachments.refreshDomain(domain, limits.useGuardMs)));
  const found = toldOf(attachments, nameOrUuid);
  if (found.length > 0) return found;
  throw LibvirtError.of(
    ErrorCode.NO_DOMAIN,
    ErrorDomain.STORAGE,
    `no domain with matching name or uuid '${nameOrUuid}' in any domain source`,
  );
}

type GuestLookup = Pick<Attachments, "domains" | "sources" | "refreshDomain">;

function toldOf(attachments: GuestLookup, nameOrUuid: string): KnownDomain[] {
  const asUuid = nameOrUuid.toLowerCase();
  return attachments.domains().filter(({ name, uuid }) => name === nameOrUuid || uuid === asUuid);
}

/**
 * The one guest of this name or UUID, as told by a source by which it can be changed.
 *
 * @throws LibvirtError 42 where there is none, 55 where it is known by files alone, or two hypervisors have one of the name
 */
export async function guestToChange(attachments: GuestLookup, nameOrUuid: string): Promise<KnownDomain> {
  const guests = await knownGuests(attachments, nameOrUuid);
  const connections = new Set(attachments.sources().flatMap(({ kind, name }) => (kind === "connection" ? [name] : [])));
  const [guest, another] = guests.filter(({ source }) => connections.has(source));
  if (guest === undefined) {
    throw refusal(
      `guest '${nameOrUuid}' is known by its files alone: changing it needs a domain source that is a connection`,
    );
  }
  if (another !== undefined) {
    throw refusal(`'${guest.source}' and '${another.source}' both have a guest '${nameOrUuid}'`);
  }
  return guest;
}

function refusal(detail: string): LibvirtError {
  return LibvirtError.of(ErrorCode.OPERATION_INVALID, ErrorDomain.STORAGE, detail);
}
