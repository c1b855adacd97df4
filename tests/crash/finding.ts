/** How the storage was found after the daemon's death and recovery. */
export interface Finding {
  /** "half": an in-place operation's content is part old, part new. Only then must the log name the volume. */
  readonly state: "before" | "after" | "half";
  readonly complaints: readonly string[];
}
