import { ErrorCode, type ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { Caller } from "./caller.js";

/** What is asked for, as the permission check needs to know it. Procedures of the protocol are such values. */
export interface Operation {
  /** The public API's name, for the refusal: "virStoragePoolDefineXML". */
  readonly api: string;
  readonly requiresWrite: boolean;
  readonly errorDomain: (typeof ErrorDomain)[keyof typeof ErrorDomain];
  /** libvirt's fine-grained permissions ("storage_pool:start"), for the roles to come. */
  readonly acl: readonly string[];
}

/** The one place where a call is allowed or refused. */
export function authorize(caller: Caller, operation: Operation): void {
  if (caller.readOnly && operation.requiresWrite) {
    throw LibvirtError.of(
      ErrorCode.OPERATION_DENIED,
      operation.errorDomain,
      `read only access prevents ${operation.api}`,
    );
  }
}
