/**
 * Does again what qemu-img could not: for a key it measures what deriving it costs, and a user-mode kernel counts a thread's time in
 * ticks, now and then none at all.
 */
export async function untilMeasured<T>(make: () => Promise<T>): Promise<T> {
  const attempts = 50;
  for (let attempt = 1; ; attempt++) {
    try {
      return await make();
    } catch (thrown) {
      if (attempt === attempts || !String(thrown).includes("Unable to get accurate CPU usage")) throw thrown;
    }
  }
}
