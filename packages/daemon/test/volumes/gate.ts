/** Holds something up until the test opens it. */
export function gate(): {
  readonly reached: Promise<void>;
  readonly pass: () => Promise<void>;
  readonly open: () => void;
} {
  let open = (): void => {};
  let reach = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const reached = new Promise<void>((resolve) => {
    reach = resolve;
  });
  const pass = (): Promise<void> => {
    reach();
    return opened;
  };
  return { reached, pass, open: () => open() };
}
