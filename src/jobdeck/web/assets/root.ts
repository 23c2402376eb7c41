// The path below which a proxy offers this server, such as "/jobdeck"; empty at the root of its address.

/** Of the page; of a worker, which has none, from where its script lies. */
export const ROOT: string =
  typeof document === "undefined" ? self.location.pathname.replace(/\/static\/[^/]*$/, "") : (document.documentElement.dataset["root"] ?? "");

/** `path` below it. What stands there already, and addresses with a host, stay as they are. */
export function rooted(path: string): string {
  if (!ROOT || !path.startsWith("/") || path.startsWith("//")) return path;
  const next = path.startsWith(ROOT) ? path.charAt(ROOT.length) : undefined;
  return next !== undefined && ["", "/", "?", "#"].includes(next) ? path : ROOT + path;
}
