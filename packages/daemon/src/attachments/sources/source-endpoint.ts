import { type Endpoint, type EndpointOptions, resolveEndpoint } from "@cistern/client";

/**
 * Where a source's URI leads: to libvirt's own daemons only, also to one that has not made its socket yet.
 *
 * @throws LibvirtError 5 for what is no such URI
 */
export function sourceEndpoint(uri: string, environment?: EndpointOptions["environment"]): Endpoint {
  return resolveEndpoint(uri, { readOnly: true, libvirtOnly: true, exists: () => true, environment });
}
