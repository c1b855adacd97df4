/** Something that an administrator should know, and the command that tells more or mends it. */
export interface Attention {
  readonly what: string;
  readonly command: string;
}
