// htmx, for the pages that say in HTML what is asked for; each imports it. Every request that changes something carries
// the session's secret, and what a morph has brought is taken up.

import htmx from "htmx.org";
import { csrfToken } from "./session.ts";

document.addEventListener("htmx:configRequest", (event) => {
  const detail = (event as CustomEvent<{ headers: Record<string, string>; verb: string }>).detail;
  if (detail.verb !== "get") detail.headers["X-CSRF-Token"] = csrfToken();
});
document.addEventListener("morphed", (event) => htmx.process(event.target as Element));
