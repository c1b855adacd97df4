/**
 * Every limit of the protocol, by name, with its reason. They are libvirt's own: a longer array or string is
 * refused by every libvirt client while it decodes, so sending more would only break the connection.
 */
export const LIMITS = {
  /** Bytes of the length word that opens each packet. */
  lengthWordBytes: 4,
  /** Length word and the six header words. No packet is shorter. */
  headerBytes: 28,
  /** What libvirt allocates for one packet, length word not counted: 32 MiB. Longer packets close the connection. */
  packetBytes: 33_554_432,
  /** What is left of a packet for its body after the six header words. */
  bodyBytes: 33_554_408,
  /** What libvirt puts into one stream packet (the body limit of libvirt before 1.2); old clients accept no more. */
  streamDataBytes: 262_120,
  /** One string: 4 MiB. XML documents travel as strings. */
  stringBytes: 4_194_304,
  /**
   * Each text of an error. libvirt ends most of them at 1 KiB; those about a document show two lines of it, 64 KiB each at
   * most. Nobody reads the name of 4 MiB that was refused.
   */
  errorTextBytes: 262_144,
  /** Objects in one list of pools, volumes, secrets, domains, networks, interfaces or filters. */
  listItems: 16_384,
  /** Node devices are more numerous than anything else on a host. */
  nodeDeviceItems: 65_536,
  /** Names of CPU models in one list. */
  cpuModelItems: 8_192,
  /** Entries of one CPU or memory statistics reply. */
  nodeStatisticsItems: 16,
  /** The value of one secret. */
  secretValueBytes: 65_536,
  /** One step of a SASL exchange, in octets (each takes four bytes on the wire). */
  saslDataBytes: 65_536,
  /** Ways to authenticate that a server may offer. */
  authTypes: 20,
  /** Facts about a caller that a modular daemon hands on with CONNECT_SET_IDENTITY. */
  identityParameters: 20,
  /** One text of a job: names are file names (255 bytes), the rest are sentences. */
  jobTextBytes: 1_024,
  /** Sentences about one job. */
  jobRemarks: 16,
  /** One text of an inspection: a path is the longest. */
  inspectionTextBytes: 4_096,
  /** One list of an inspection: a chain has 200 links, an image seldom a dozen snapshots. */
  inspectionItems: 1_024,
  /** Octets of the CPU model's name in NODE_GET_INFO, the ending NUL included. */
  cpuModelNameBytes: 32,
} as const;
