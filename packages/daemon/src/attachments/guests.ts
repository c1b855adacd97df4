import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { Attachments, KnownDomain } from "./model.js";

/** @throws LibvirtError 42 where no source knows a guest of this name or UUID */
export function knownGuests(attachments: Pick<Attachments, "domains">, nameOrUuid: string): KnownDomain[] {
  const guests = attachments.domains().filter(({ name, uuid }) => name === nameOrUuid || uuid === nameOrUuid);
  if (guests.length > 0) return guests;
  throw LibvirtError.of(
    ErrorCode.NO_DOMAIN,
    ErrorDomain.STORAGE,
    `no domain with matching name or uuid '${nameOrUuid}' in any domain source`,
  );
}

/**
 * The one guest of this name or UUID, as told by a source by which it can be changed.
 *
 * @throws LibvirtError 42 where there is none, 55 where it is known by files alone, or two hypervisors have one of the name
 */
export function guestToChange(attachments: Pick<Attachments, "domains" | "sources">, nameOrUuid: string): KnownDomain {
  const guests = knownGuests(attachments, nameOrUuid);
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
