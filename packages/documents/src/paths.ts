/**
 * Tidies a path without looking at the file system: runs of slashes become one, trailing ones go. Exactly two slashes at
 * the start have a meaning of their own in POSIX and stay; what looks like a URI is left alone.
 */
export function sanitizePath(path: string): string {
  if (path.includes("://")) {
    return path;
  }
  const root = /^\/\/(?!\/)/.test(path) ? "//" : path.startsWith("/") ? "/" : "";
  return root + path.slice(root.length).replace(/^\/+/, "").replace(/\/+/g, "/").replace(/\/$/, "");
}
