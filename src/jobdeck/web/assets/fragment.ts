// Parts of the page, asked for as HTML.

import { goToLogin, Problem, problemOf } from "./api.ts";
import { csrfToken } from "./session.ts";
import { setServerClock } from "./times.ts";
import { reachable } from "./toasts.ts";
import { rooted } from "./root.ts";

export interface Asked {
  form?: URLSearchParams | undefined;
  signal?: AbortSignal | undefined;
}

/** With these headers, the server answers with a part of a page, and knows which page the browser shows. */
export const asFragment = (): Record<string, string> => ({ "X-Jobdeck-Fragment": "true", "X-Jobdeck-Page": location.href });

/** The HTML at `url`; with a form it is posted. Throws Problem. */
export async function fragment(url: string, { form, signal }: Asked = {}): Promise<string> {
  const headers = asFragment();
  if (form) headers["X-CSRF-Token"] = csrfToken();
  let answer: Response;
  try {
    const options = { method: form ? "POST" : "GET", headers, body: form ?? null, credentials: "same-origin" as const };
    answer = await fetch(rooted(url), { ...options, signal: signal ?? null });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem({ status: 0, code: "unreachable", detail: "Jobdeck cannot be reached just now.", hint: "Try again in a moment." });
  }
  reachable();
  if (answer.status === 401) goToLogin();
  if (!answer.ok) throw new Problem(await problemOf(answer));
  setServerClock(answer.headers.get("date"));
  return answer.text();
}

/** `html` as a document of its own. */
export const parsed = (html: string): Document => new DOMParser().parseFromString(html, "text/html");
