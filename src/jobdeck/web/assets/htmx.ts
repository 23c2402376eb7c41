// htmx, set up once: every request that changes something carries the session's secret.

import htmx from "htmx.org";
import { csrfToken } from "./session.ts";

document.addEventListener("htmx:configRequest", (event) => {
  const detail = (event as CustomEvent<{ headers: Record<string, string>; verb: string }>).detail;
  if (detail.verb !== "get") detail.headers["X-CSRF-Token"] = csrfToken();
});

export { htmx };
